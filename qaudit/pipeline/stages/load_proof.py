"""Proves that our reading of a model equals the model, on the holdout, before any number is taken from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision
from qaudit.core.json_values import Json
from qaudit.core.program import Program
from qaudit.core.steps import Trees
from qaudit.core.tensor import Floats
from qaudit.engine import sweep
from qaudit.engine.rounding import is_exact, prediction_bound
from qaudit.engine.trees import leaves_of, walk_of

LISTED = 50


@dataclass(frozen=True, slots=True)
class Proof:
    """What the comparison gave. `error` and `bound` are the largest over the rows; `ambiguous` rows lie within the bound."""

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
            "bound": self.bound,
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


def margins(decision: Decision, predictions: Floats) -> Floats:
    """Distance of each row (n,) from another decision; infinity for regression."""
    if decision.output == "regression":
        return np.full(len(predictions), np.inf)
    if decision.output == "multiclass":
        if predictions.shape[1] < 2:
            return np.full(len(predictions), np.inf)
        top = np.sort(predictions, axis=1)
        return np.asarray((top[:, -1] - top[:, -2]) / 2)
    return np.asarray(np.abs(decision.score(predictions) - decision.cutoff))


def prove(program: Program, encoded: Floats, native: Floats, decision: Decision, given: Mapping[str, NDArray[Any]]) -> Proof:
    """Our predictions beside the model's own (n, k). `given` may hold its own `leaves` (n, trees) and `raw` (n, outputs)."""
    ours = sweep.predict(program, encoded)
    if ours.shape != native.shape:
        return Proof(False, f"Predictions of shape {ours.shape}, the model gives {native.shape}.", len(native), 0.0, 0.0, ())
    allowed = prediction_bound(program, encoded)
    apart = np.abs(ours - native).max(axis=1) if len(native) else np.zeros(0)
    apart = np.where(np.isfinite(apart), apart, np.inf)
    near = margins(decision, native) <= allowed
    first, second = decision(ours), decision(native)
    changed = np.zeros(len(native), dtype=bool) if first is None or second is None else np.asarray(first != second)
    faults = _faults(program, encoded, given) if _exact(program) else []
    if np.any(apart > allowed):
        row = int(np.argmax(apart - allowed))
        faults.append(f"row {row + 1}: the predictions lie {apart[row]:.3g} apart, {allowed[row]:.3g} is allowed")
    if np.any(changed & ~near):
        faults.append(f"row {int(np.argmax(changed & ~near)) + 1}: another decision beyond the bound")
    error = float(min(apart.max(initial=0.0), np.finfo(float).max))
    statement = _statement(program, given, len(native), error, int(near.sum()), int(changed.sum())) if not faults else ""
    statement = statement or "The lowering does not hold: " + "; ".join(faults) + ". The model is audited as a black box."
    return Proof(not faults, statement, len(native), error, float(allowed.max(initial=0.0)), tuple(np.flatnonzero(near).tolist()))


def _exact(program: Program) -> bool:
    return all(is_exact(step) for step in program.steps)


def _faults(program: Program, encoded: Floats, given: Mapping[str, NDArray[Any]]) -> list[str]:
    """Where leaves or raw scores of a program of exact steps are not the model's bit for bit."""
    found = []
    if "leaves" in given:
        step = program.steps[0]
        ours = leaves_of(walk_of(step), encoded) if isinstance(step, Trees) else None
        if ours is None or ours.shape != given["leaves"].shape or not np.array_equal(ours, given["leaves"]):
            found.append("a row reaches another leaf")
    if "raw" in given:
        raw = sweep.predict(replace(program, link="margin", link_scale=1.0), encoded)
        if raw.shape != given["raw"].shape or not np.array_equal(raw, given["raw"]):
            found.append("raw scores differ")
    return found


def _statement(program: Program, given: Mapping[str, NDArray[Any]], rows: int, error: float, near: int, changed: int) -> str:
    compared = f"On all {rows} holdout rows "
    if _exact(program):
        parts = [name for name, key in (("leaf", "leaves"), ("raw score", "raw")) if key in given]
        same = f"every {' and every '.join(parts)} equals the model's own bit for bit; " if parts else ""
        allowed = "0" if program.output == "regression" else "4 x 2^-52"
        lie = f"lie at most {error:.3g} apart ({allowed} allowed)" if error else "are identical"
        return f"{compared}{same}predictions {lie}{_decided(program, near, changed)}."
    decided = _decided(program, near, changed)
    lie = f"lie within the stated rounding bound, at most {error:.3g} apart" if error else "are identical"
    return f"{compared}predictions {lie}{decided}."


def _decided(program: Program, near: int, changed: int) -> str:
    if program.output == "regression":
        return ""
    if not near:
        return "; every decision is the same"
    edge = "the cut-off" if program.output == "binary" else "a tie of two classes"
    return f"; {near} rows lie so near {edge} that rounding alone could decide them, {changed} of them are decided otherwise"
