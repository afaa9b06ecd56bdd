"""How far two correct float64 evaluations of a program may differ. The reading proof allows this difference on each row."""

from __future__ import annotations

from typing import assert_never

import numpy as np

from qaudit.core.program import Program
from qaudit.core.steps import Activation, Dense, Step, Trees
from qaudit.core.tensor import Floats
from qaudit.engine.trees import by_tree, gather, leaves_of, walk_of

ROUNDOFF = 2.0**-53
ULPS = 4 * 2.0**-52
"""The largest difference between two correct evaluations of a link or an activation."""


def gamma(terms: int) -> float:
    """n u / (1 - n u): the relative error of a sum of n products in any order (Higham 2002, 3.1)."""
    return terms * ROUNDOFF / (1 - terms * ROUNDOFF)


def is_exact(step: Step) -> bool:
    """Whether qaudit evaluates a step bit for bit as the model does, so that raw scores must be equal."""
    match step:
        case Dense():
            return False  # the order of a sum of products is the BLAS library's own
        case Trees():
            return True  # leaves are looked up, and added in the model's own order
        case _:
            assert_never(step)


def prediction_bound(program: Program, encoded: Floats) -> Floats:
    """For each row (n,), how far the predictions of two correct evaluations may differ.

    Where all steps are exact, only the last digits of the link may differ, and nothing for regression. Otherwise each evaluation
    has a rounding error of at most gamma(in + 2) (|W| |x| + |b|) in every layer, which the following layers pass on (Higham 2002,
    3.5). Activations and links have Lipschitz constants of at most 1; their own error is taken to be at most 4 units of 2^-52.
    """
    if all(is_exact(step) for step in program.steps):
        return np.full(len(encoded), 0.0 if program.output == "regression" else ULPS)
    values, error = encoded, np.zeros_like(encoded)
    for step in program.steps:
        match step:
            case Dense():
                values, error = _through_dense(step, values, error)
            case Trees():
                # the first step of a program: its inputs are the same on both sides
                values = gather(step, by_tree(leaves_of(walk_of(step), values)))
                error = np.zeros_like(values)
            case _:
                assert_never(step)
    return np.asarray(_through_link(program, values, error).max(axis=1))


def _through_dense(step: Dense, values: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Outputs (n, out) of a layer and their errors, from inputs (n, in) and theirs."""
    weight = np.abs(step.weight)
    relative = gamma(step.weight.shape[1] + 2)
    rounding = relative * (np.abs(values) @ weight.T + np.abs(step.bias))
    error = 2 * rounding + (error @ weight.T) * (1 + relative)
    values = _activated(values @ step.weight.T + step.bias, step.activation)
    return values, error + ULPS if step.activation in ("tanh", "logistic") else error


def _activated(values: Floats, activation: Activation) -> Floats:
    match activation:
        case "identity":
            return values
        case "relu":
            return np.maximum(values, 0.0)
        case "tanh":
            return np.tanh(values)
        case "logistic":
            return np.asarray(1 / (1 + np.exp(-np.clip(values, -700, 700))))
        case _:
            assert_never(activation)


def _through_link(program: Program, values: Floats, error: Floats) -> Floats:
    """The error of each prediction from those of the raw scores (n, outputs)."""
    scaled = error * program.link_scale
    match program.link:
        case "identity" | "margin":
            return scaled
        case "logistic":
            return scaled / 4 + ULPS
        case "softmax":
            return np.asarray(scaled.max(axis=1, keepdims=True) / 2 + ULPS * (2 + np.abs(values).max(axis=1, keepdims=True)))
        case "ovr":
            shares = _activated(values, "logistic")
            total = np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
            return np.asarray((scaled.sum(axis=1, keepdims=True) / 4 + ULPS * (2 + shares.shape[1])) * 2 / total)
        case _:
            assert_never(program.link)
