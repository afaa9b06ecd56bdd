"""The reading proof: shows on the holdout that the program predicts as the model does, before anything is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision
from qaudit.core.json_values import Json
from qaudit.core.numbers import one
from qaudit.core.program import Program
from qaudit.core.steps import Trees
from qaudit.core.tensor import Floats
from qaudit.engine import sweep
from qaudit.engine.rounding import is_exact, prediction_bound
from qaudit.engine.trees import leaves_of, walk_of

LISTED = 50


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of the comparison. `error` and `bound` are the largest over all rows.

    The decision of `ambiguous` rows could change by rounding alone: they lie closer to another decision than the bound.
    """

    proved: bool
    statement: str
    rows: int
    error: float
    bound: float
    ambiguous: tuple[int, ...]

    def json(self, why_not: str | None) -> Json:
        """The entry report.subject.lowering."""
        reason = why_not if why_not or self.proved else self.statement
        return {
            "proved": self.proved,
            "statement": self.statement,
            "rows": self.rows,
            "max_error": self.error,
            "bound": self.bound if math.isfinite(self.bound) else None,  # sums of such a row overflow
            "ambiguous_rows": list(self.ambiguous[:LISTED]),
            "ambiguous_count": len(self.ambiguous),
            "why_not": reason,
        }


def not_lowered(why_not: str) -> Json:
    """The entry of a model without a Program."""
    statement = "Not lowered: the model is audited as a black box, through its own predictions."
    return {
        "proved": False,
        "statement": statement,
        "rows": 0,
        "max_error": None,
        "bound": None,
        "ambiguous_rows": [],
        "ambiguous_count": 0,
        "why_not": why_not,
    }


def prove(program: Program, encoded: Floats, native: Floats, decision: Decision, extra: Mapping[str, NDArray[Any]]) -> Proof:
    """Compare the predictions of the program with those of the model, `native` (n, k).

    `extra` may have the `leaves` (n, trees) and the `raw` scores (n, outputs) of the model itself.
    """
    predicted = sweep.predict(program, encoded)
    if predicted.shape != native.shape:
        return Proof(False, f"Predictions of shape {predicted.shape}, the model gives {native.shape}.", len(native), 0.0, 0.0, ())
    allowed = prediction_bound(program, encoded)
    distance = np.abs(predicted - native).max(axis=1) if len(native) else np.zeros(0)
    distance = np.where(np.isfinite(distance), distance, np.inf)
    near = decision.distance(native) <= allowed
    decided, decided_by_model = decision(predicted), decision(native)
    changed = (
        np.zeros(len(native), dtype=bool)
        if decided is None or decided_by_model is None
        else np.asarray(decided != decided_by_model)
    )
    faults = _faults(program, encoded, extra) if _exact(program) else []
    if np.any(distance > allowed):
        row = int(np.argmax(distance - allowed))
        faults.append(
            f"row {row + 1}: the predictions lie {one(float(distance[row]))} apart, {one(float(allowed[row]))} is allowed"
        )
    if np.any(changed & ~near):
        faults.append(f"row {int(np.argmax(changed & ~near)) + 1}: another decision beyond the bound")
    error = float(min(distance.max(initial=0.0), np.finfo(float).max))
    statement = _statement(program, extra, len(native), error, int(near.sum()), int(changed.sum())) if not faults else ""
    statement = statement or "The lowering does not hold: " + "; ".join(faults) + ". The model is audited as a black box."
    return Proof(not faults, statement, len(native), error, float(allowed.max(initial=0.0)), tuple(np.flatnonzero(near).tolist()))


def _exact(program: Program) -> bool:
    return all(is_exact(step) for step in program.steps)


def _faults(program: Program, encoded: Floats, extra: Mapping[str, NDArray[Any]]) -> list[str]:
    """Faults in a program of exact steps, whose leaves and raw scores must equal those of the model bit for bit."""
    faults = []
    if "leaves" in extra:
        step = program.steps[0]
        reached = leaves_of(walk_of(step), encoded) if isinstance(step, Trees) else None
        if reached is None or reached.shape != extra["leaves"].shape or not np.array_equal(reached, extra["leaves"]):
            faults.append("a row reaches another leaf")
    if "raw" in extra:
        raw = sweep.predict(replace(program, link="margin", link_scale=1.0), encoded)
        if raw.shape != extra["raw"].shape or not np.array_equal(raw, extra["raw"]):
            faults.append("raw scores differ")
    return faults


def _statement(program: Program, extra: Mapping[str, NDArray[Any]], rows: int, error: float, near: int, changed: int) -> str:
    compared = f"Before any quantization, our reading of the model against the model itself: on all {rows} holdout rows "
    if _exact(program):
        parts = [name for name, key in (("leaf", "leaves"), ("raw score", "raw")) if key in extra]
        same = f"every {' and every '.join(parts)} equals the model's own bit for bit; " if parts else ""
        allowed = "0" if program.output == "regression" else "4 x 2^-52"
        lie = f"lie at most {one(error)} apart ({allowed} allowed)" if error else "are identical"
        return f"{compared}{same}predictions {lie}{_decided(program, near, changed)}."
    decided = _decided(program, near, changed)
    lie = f"lie within the stated rounding bound, at most {one(error)} apart" if error else "are identical"
    return f"{compared}predictions {lie}{decided}."


def _decided(program: Program, near: int, changed: int) -> str:
    if program.output == "regression":
        return ""
    if not near:
        return "; every decision is the same"
    return (
        f"; {near} rows lie so near another decision that rounding alone could decide them, "
        f"{changed} of them are decided otherwise"
    )


def own_decisions(
    decision: Decision, native: Floats, decided: NDArray[Any] | None, classes: Sequence[str]
) -> tuple[str, int | None]:
    """The rule of the decisions in words, and the holdout rows on which the model's own `predict` decides otherwise.

    `native` (n, k) are the model's own predictions, `decided` (n,) its own decisions or None. The count is None where a cut-off
    is declared, since the decision is then the author's, and where the model does not say what it decides.
    """
    if decision.output == "regression":
        return "", None
    if decision.cutoff is not None:
        if native.shape[1] == 1:
            return f"Decisions are {classes[1]} where the margin exceeds the declared cut-off {decision.cutoff:g}.", None
        chosen = classes[decision.positive]
        return f"Decisions are {chosen} where its probability is at least the declared cut-off {decision.cutoff:g}.", None
    largest = "the class on whose side the margin lies" if native.shape[1] == 1 else "the class with the largest probability"
    rule = f"Decisions are the model's own: {largest}, and of several the {decision.ties}."
    if decided is None:
        return f"{rule} Its reader gives no decisions of the model to compare with.", None
    other = np.flatnonzero(np.asarray(decision(native)) != decided)
    if not other.size:
        return f"{rule} The model's own predict decides the same on all {len(native)} holdout rows.", 0
    where = f"{other.size} of {len(native)} holdout rows (first: row {other[0] + 1})"
    return (
        f"{rule} The model's own predict decides otherwise on {where}: it does not follow its own probabilities there.",
        other.size,
    )
