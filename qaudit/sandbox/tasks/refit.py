"""Trains the model again with several seeds, with all columns or without one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from qaudit.core.json_values import Json
from qaudit.core.records import Decline, Loaded
from qaudit.core.table import Table
from qaudit.sandbox.job import Job
from qaudit.sandbox.pack_program import pack_program
from qaudit.sandbox.pack_table import unpack_table
from qaudit.sandbox.subject_model import frame, open_model


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """request: model, column (None: no column is left out), seeds, training and rows (packed tables); array target (n,).

    The answer has refits[i] = {program, prefix}, one per seed, with the arrays native and encoded on `rows`. A learner that gives
    the same predictions with the first two seeds ignores the seed: `ignores_seed` is then true and the other seeds are skipped.
    """
    model = open_model(job)
    if model.refit is None:
        raise Decline("this model cannot be trained again")
    training = unpack_table(job.request["training"], job.arrays, "training")
    rows = unpack_table(job.request["rows"], job.arrays, "rows")
    column, seeds = job.request["column"], list(job.request["seeds"])
    answers: list[Json] = []
    arrays: dict[str, NDArray[Any]] = {}
    ignores = False
    # with several BLAS threads a learner may give other bits on another number of cores
    with threadpool_limits(1):
        for number, seed in enumerate(seeds):
            job.phase("refit")
            refitted = model.refit(frame(training), job.arrays["target"], without=column, seed=int(seed))
            answer, refit_arrays = _applied(refitted, _without_column(rows, column), f"{number}.")
            answers.append(answer)
            arrays |= refit_arrays
            # training again would only repeat the same model
            if number == 1 and np.array_equal(arrays["0.native"], arrays["1.native"]):
                ignores = True
                break
    return {"refits": answers, "ignores_seed": ignores}, arrays


def _without_column(rows: Table, column: str | None) -> Table:
    return rows.select(tuple(name for name in rows.names if name != column))


def _applied(model: Loaded, rows: Table, prefix: str) -> tuple[Json, dict[str, NDArray[Any]]]:
    """Predictions of a refitted model on rows that lack the dropped column, and its program where it has one."""
    native = np.asarray(model.predict(frame(rows)), dtype=np.float64)
    if model.program is None or model.encode is None:
        return {"program": None, "prefix": prefix}, {f"{prefix}native": native}
    packed, arrays = pack_program(model.program)
    prefixed: dict[str, NDArray[Any]] = {f"{prefix}program.{name}": array for name, array in arrays.items()}
    prefixed |= {f"{prefix}native": native, f"{prefix}encoded": model.encode(frame(rows))}
    return {"program": packed, "prefix": prefix}, prefixed
