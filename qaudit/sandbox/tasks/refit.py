"""The model trained again without one column, from several seeds."""

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
    """request: model, column (None: none is left out), seeds, training and rows (packed tables); array target (n,).

    Answers refits[i] = {program, prefix}, one a seed, with native and encoded arrays on `rows`. A learner that gives the same
    predictions from the first two seeds ignores the seed: it is not fitted again, `ignores_seed` says so.
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
    with threadpool_limits(1):
        for number, seed in enumerate(seeds):
            job.phase("refit")
            again = model.refit(frame(training), job.arrays["target"], without=column, seed=int(seed))
            answer, found = _applied(again, _kept(rows, column), f"{number}.")
            answers.append(answer)
            arrays |= found
            if number == 1 and np.array_equal(arrays["0.native"], arrays["1.native"]):
                ignores = True
                break
    return {"refits": answers, "ignores_seed": ignores}, arrays


def _kept(rows: Table, column: str | None) -> Table:
    return rows.select(tuple(name for name in rows.names if name != column))


def _applied(model: Loaded, rows: Table, prefix: str) -> tuple[Json, dict[str, NDArray[Any]]]:
    """Predictions of a refitted model on the rows without its column, and its program where it has one."""
    native = np.asarray(model.predict(frame(rows)), dtype=np.float64)
    if model.program is None or model.encode is None:
        return {"program": None, "prefix": prefix}, {f"{prefix}native": native}
    packed, arrays = pack_program(model.program)
    found: dict[str, NDArray[Any]] = {f"{prefix}program.{name}": array for name, array in arrays.items()}
    found |= {f"{prefix}native": native, f"{prefix}encoded": model.encode(frame(rows))}
    return {"program": packed, "prefix": prefix}, found
