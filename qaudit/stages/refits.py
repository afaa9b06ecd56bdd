"""The model trained again without each column: made once, with a budget of its own, for the explainers that need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Skipped
from qaudit.core.program import Program
from qaudit.core.tensor import Floats
from qaudit.stages.road import Audited, Progress
from qaudit.units import runner
from qaudit.units.job import Json, Limits, Outcome
from qaudit.units.pack_program import unpack_program
from qaudit.units.pack_table import pack_table

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
    subject: Audited,
    rows: NDArray[np.int64],
    seeds: Sequence[int],
    run_many: RunMany = runner.run_many,
    progress: Progress = _silent,
    jobs: int = 2,
) -> Refits:
    """For each column the model trained again without it, one refit a seed, asked on those holdout rows.

    A column whose refits fail is a Skipped row. Without training rows, or for a model that cannot be retrained, nothing is made.
    """
    if "training" not in subject.tables or not subject.refittable:
        why = "no training rows were given (--train)" if subject.refittable else "this model cannot be trained again"
        return Refits({}, False, (Skipped("explain", "refits", why, "declined"),))
    names = [feature.name for feature in subject.features]
    progress(f"explain: {len(names)} columns x {len(seeds)} seeds, trained again")
    outcomes = run_many([_call(subject, name, rows, seeds) for name in names], jobs)
    columns: dict[str, list[Refit]] = {}
    skipped: list[Skipped] = []
    ignores: list[bool] = []
    for name, outcome in zip(names, outcomes, strict=True):
        if outcome.failure is not None:
            reason = f"{outcome.failure.kind} while {outcome.failure.phase}: {outcome.failure.reason}"
            kind: Any = "declined" if outcome.failure.kind == "declined" else "failed"
            skipped.append(Skipped("explain", f"refit without {name}", reason, kind))
            continue
        found = [_refit(answer, outcome) for answer in outcome.answer["refits"]]
        alone = bool(outcome.answer["ignores_seed"])
        columns[name] = [found[0]] * len(seeds) if alone else found
        ignores.append(alone)
    return Refits(columns, bool(ignores) and all(ignores), tuple(skipped))


def _call(subject: Audited, column: str, rows: NDArray[np.int64], seeds: Sequence[int]) -> runner.Call:
    training, arrays = pack_table(subject.tables["training"], "training")
    asked, more = pack_table(subject.tables["holdout"].take(rows), "rows")
    request: Json = {
        "model": str(subject.model),
        "column": column,
        "seeds": [int(seed) for seed in seeds],
        "training": training,
        "rows": asked,
    }
    return runner.Call("refit", request, arrays | more | {"target": subject.target["training"]}, (subject.format,), BUDGET)


def _refit(answer: Json, outcome: Outcome) -> Refit:
    prefix = answer["prefix"]
    native = np.array(outcome.arrays[f"{prefix}native"])
    if answer["program"] is None:
        return Refit(None, None, native)
    head = f"{prefix}program."
    arrays = {name.removeprefix(head): array for name, array in outcome.arrays.items() if name.startswith(head)}
    return Refit(unpack_program(answer["program"], arrays), np.array(outcome.arrays[f"{prefix}encoded"]), native)
