"""Trains the model again without each column, once for all explainers that need it, with a separate limit of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Skipped
from qaudit.core.json_values import Json
from qaudit.core.program import Program
from qaudit.core.tensor import Floats
from qaudit.pipeline.types import LoadedSubject, Progress
from qaudit.sandbox import runner
from qaudit.sandbox.answers import MALFORMED, broken, refit_of
from qaudit.sandbox.job import Call, Limits, Outcome
from qaudit.sandbox.pack_table import pack_table
from qaudit.sandbox.runner import keep_unit

RunMany = Callable[..., list[Outcome]]
BUDGET = Limits(seconds=900.0)


@dataclass(frozen=True, slots=True, eq=False)
class Refit:
    """One model trained again, on the wanted rows: program and encoded rows (None for a black box), native predictions (n, k)."""

    program: Program | None
    encoded: Floats | None
    native: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Refits:
    """Refits by column, one a seed; a learner that ignores the seed was fitted once and its refit stands for every seed."""

    columns: dict[str, list[Refit]]
    ignores_seed: bool
    skipped: tuple[Skipped, ...] = ()


def _silent(line: str) -> None:
    """No progress is shown."""


def refits(
    subject: LoadedSubject,
    rows: NDArray[np.int64],
    seeds: Sequence[int],
    run_many: RunMany = runner.run_many,
    progress: Progress = _silent,
    jobs: int = 2,
) -> Refits:
    """For each column the model trained again without it, one refit for each seed, with predictions on those holdout rows.

    A column whose refits fail is a Skipped row. Without training rows, or for a model that cannot be retrained, nothing is made.
    """
    if "training" not in subject.tables or not subject.refittable:
        why = "no training rows were given (--train)" if subject.refittable else "this model cannot be trained again"
        return Refits({}, False, (Skipped("explain", "refits", why, "declined"),))
    names = [feature.name for feature in subject.features]
    progress(f"explain: {len(names)} columns x {len(seeds)} seeds, trained again")
    calls = [_call(subject, name, rows, seeds) for name in names]
    columns: dict[str, list[Refit]] = {}
    skipped: list[Skipped] = []
    ignores: list[bool] = []
    for name, call, outcome in zip(names, calls, run_many(calls, jobs), strict=True):
        if outcome.failure is not None:
            reason = f"{outcome.failure.kind} while {outcome.failure.phase}: {outcome.failure.reason}"
            kind: Any = "declined" if outcome.failure.kind == "declined" else "failed"
            skipped.append(Skipped("explain", f"refit without {name}", reason, kind))
            continue
        try:
            fitted = [Refit(*refit_of(entry, outcome.arrays, len(rows))) for entry in outcome.answer["refits"]]
            ignores_seed = bool(outcome.answer["ignores_seed"])
        except MALFORMED as error:
            keep_unit(call, outcome, broken(error))
            skipped.append(Skipped("explain", f"refit without {name}", broken(error)))
            continue
        columns[name] = [fitted[0]] * len(seeds) if ignores_seed else fitted
        ignores.append(ignores_seed)
    return Refits(columns, bool(ignores) and all(ignores), tuple(skipped))


def _call(subject: LoadedSubject, column: str, rows: NDArray[np.int64], seeds: Sequence[int]) -> Call:
    training, arrays = pack_table(subject.tables["training"], "training")
    packed, more = pack_table(subject.tables["holdout"].take(rows), "rows")
    request: Json = {
        "model": str(subject.model),
        "column": column,
        "seeds": [int(seed) for seed in seeds],
        "training": training,
        "rows": packed,
    }
    return Call("refit", request, arrays | more | {"target": subject.target["training"]}, (subject.format,), BUDGET)
