"""Proves that our reading of a model equals the model, on the holdout, before any number is taken from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision
from qaudit.core.json_values import Json
from qaudit.core.program import Dense, Program, Trees
from qaudit.core.tensor import Floats
from qaudit.engine import sweep
from qaudit.engine.trees import leaves_of, walk_of

ROUNDOFF = 2.0**-53
ULPS = 4 * 2.0**-52
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


def gamma(terms: int) -> float:
    """n u / (1 - n u): the relative error of a sum of n products in any order (Higham 2002, 3.1)."""
    return terms * ROUNDOFF / (1 - terms * ROUNDOFF)


def dense_bound(program: Program, encoded: Floats) -> Floats:
    """For each row (n,), how far two correct float64 evaluations of a dense program may lie apart, in the prediction.

    Each side rounds every layer by at most gamma(in + 2) (|W| |x| + |b|) and passes on what it has (Higham 2002, 3.5);
    the activations and links have Lipschitz constants of at most 1 and are themselves taken as exact to 4 units of 2^-52.
    """
    values, error = encoded, np.zeros_like(encoded)
    for step in program.steps:
        assert isinstance(step, Dense)
        weight = np.abs(step.weight)
        rounding = gamma(step.weight.shape[1] + 2) * (np.abs(values) @ weight.T + np.abs(step.bias))
        error = 2 * rounding + (error @ weight.T) * (1 + gamma(step.weight.shape[1] + 2))
        values = _activated(values @ step.weight.T + step.bias, step.activation)
        if step.activation in ("tanh", "logistic"):
            error = error + ULPS
    return np.asarray(_linked(program, values, error).max(axis=1))


def _activated(values: Floats, activation: str) -> Floats:
    if activation == "relu":
        return np.maximum(values, 0.0)
    if activation == "tanh":
        return np.tanh(values)
    if activation == "logistic":
        return np.asarray(1 / (1 + np.exp(-np.clip(values, -700, 700))))
    return values


def _linked(program: Program, values: Floats, error: Floats) -> Floats:
    scaled = error * program.link_scale
    if program.link in ("identity", "margin"):
        return scaled
    if program.link == "logistic":
        return scaled / 4 + ULPS
    if program.link == "softmax":
        return np.asarray(scaled.max(axis=1, keepdims=True) / 2 + ULPS * (2 + np.abs(values).max(axis=1, keepdims=True)))
    shares = _activated(values, "logistic")
    total = np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    return np.asarray((scaled.sum(axis=1, keepdims=True) / 4 + ULPS * (2 + shares.shape[1])) * 2 / total)


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
    trees = isinstance(program.steps[0], Trees)
    allowed = np.full(len(native), ULPS) if trees else dense_bound(program, encoded)
    if trees and program.output == "regression":
        allowed = np.zeros(len(native))
    apart = np.abs(ours - native).max(axis=1) if len(native) else np.zeros(0)
    apart = np.where(np.isfinite(apart), apart, np.inf)
    near = margins(decision, native) <= allowed
    first, second = decision(ours), decision(native)
    changed = np.zeros(len(native), dtype=bool) if first is None or second is None else np.asarray(first != second)
    faults = _faults(program, encoded, given) if trees else []
    if np.any(apart > allowed):
        row = int(np.argmax(apart - allowed))
        faults.append(f"row {row + 1}: the predictions lie {apart[row]:.3g} apart, {allowed[row]:.3g} is allowed")
    if np.any(changed & ~near):
        faults.append(f"row {int(np.argmax(changed & ~near)) + 1}: another decision beyond the bound")
    error = float(min(apart.max(initial=0.0), np.finfo(float).max))
    statement = _statement(program, given, len(native), error, int(near.sum()), int(changed.sum())) if not faults else ""
    statement = statement or "The lowering does not hold: " + "; ".join(faults) + ". The model is audited as a black box."
    return Proof(not faults, statement, len(native), error, float(allowed.max(initial=0.0)), tuple(np.flatnonzero(near).tolist()))


def _faults(program: Program, encoded: Floats, given: Mapping[str, NDArray[Any]]) -> list[str]:
    """Where leaves or raw scores of an ensemble are not the model's bit for bit."""
    found = []
    step = program.steps[0]
    assert isinstance(step, Trees)
    if "leaves" in given:
        ours = leaves_of(walk_of(step), encoded)
        if ours.shape != given["leaves"].shape or not np.array_equal(ours, given["leaves"]):
            found.append("a row reaches another leaf")
    if "raw" in given:
        raw = sweep.predict(replace(program, link="margin", link_scale=1.0), encoded)
        if raw.shape != given["raw"].shape or not np.array_equal(raw, given["raw"]):
            found.append("raw scores differ")
    return found


def _statement(program: Program, given: Mapping[str, NDArray[Any]], rows: int, error: float, near: int, changed: int) -> str:
    compared = f"On all {rows} holdout rows "
    if isinstance(program.steps[0], Trees):
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
