"""scikit-learn estimators as Programs, by hand, for the engine's tests; and plain-loop twins."""

from __future__ import annotations

from typing import Any

import numpy as np

from qaudit.core.program import Program
from qaudit.core.steps import Dense, Trees


def names(width: int) -> tuple[str, ...]:
    """x0, x1 ..."""
    return tuple(f"x{index}" for index in range(width))


def join(estimators: list[Any], scale: float = 1.0, **rest: Any) -> Trees:
    """sklearn trees as one flat ensemble."""
    parts: dict[str, list[np.ndarray]] = {key: [] for key in ("left", "right", "feature", "threshold", "value", "missing")}
    roots, start = [], 0
    for estimator in estimators:
        tree = estimator.tree_
        roots.append(start)
        leaf = tree.children_left < 0
        parts["left"].append(np.where(leaf, -1, tree.children_left + start))
        parts["right"].append(np.where(leaf, -1, tree.children_right + start))
        parts["feature"].append(np.where(leaf, -2, tree.feature))
        parts["threshold"].append(tree.threshold)
        parts["value"].append(tree.value[:, 0, :] * scale)
        parts["missing"].append(tree.missing_go_to_left.astype(bool))
        start += tree.node_count
    joined = {key: np.concatenate(values) for key, values in parts.items()}
    return Trees(
        joined["left"].astype(np.int32),
        joined["right"].astype(np.int32),
        joined["feature"].astype(np.int32),
        joined["threshold"],
        joined["value"],
        np.array(roots, dtype=np.int32),
        rest.pop("base", np.zeros(joined["value"].shape[1])),
        joined["missing"],
        **rest,
    )


def forest(model: Any, estimators: list[Any]) -> Program:
    """Decision trees and forests: the mean of class shares, or of values."""
    classes = tuple(map(str, getattr(model, "classes_", ())))
    output = {0: "regression", 2: "binary"}.get(len(classes), "multiclass")
    return Program(names(model.n_features_in_), (join(estimators),), "identity", output, classes)  # type: ignore[arg-type]


def boosting(model: Any, rows: np.ndarray) -> Program:
    """Gradient boosting: the constant start plus the sum of rate x leaf."""
    stages, outputs = model.estimators_.shape
    base = model._raw_predict_init(rows[:1])[0].astype(np.float64)
    column = np.tile(np.arange(outputs, dtype=np.int32), stages)
    step = join(list(model.estimators_.ravel()), model.learning_rate, base=base, aggregate="sum", column=column)
    classes = tuple(map(str, getattr(model, "classes_", ())))
    link = {0: "identity", 2: "logistic"}.get(len(classes), "softmax")
    output = {0: "regression", 2: "binary"}.get(len(classes), "multiclass")
    scale = 2.0 if getattr(model, "loss", "") == "exponential" else 1.0
    return Program(names(model.n_features_in_), (step,), link, output, classes, scale)  # type: ignore[arg-type]


def network(model: Any) -> Program:
    """Multi-layer perceptrons."""
    last = len(model.coefs_) - 1
    steps = tuple(
        Dense(np.ascontiguousarray(w.T), b, "identity" if layer == last else model.activation)
        for layer, (w, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True))
    )
    classes = tuple(map(str, getattr(model, "classes_", ())))
    link = {0: "identity", 2: "logistic"}.get(len(classes), "softmax")
    output = {0: "regression", 2: "binary"}.get(len(classes), "multiclass")
    return Program(names(model.n_features_in_), steps, link, output, classes)  # type: ignore[arg-type]


def linear(model: Any, link: str, output: str) -> Program:
    """Linear models."""
    weight = np.atleast_2d(model.coef_)
    bias = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
    classes = tuple(map(str, getattr(model, "classes_", ())))
    return Program(names(weight.shape[1]), (Dense(weight, bias),), link, output, classes)  # type: ignore[arg-type]


def walk_slowly(step: Trees, row: np.ndarray) -> list[int]:
    """The leaf of one row in every tree, node by node."""
    found = []
    for root in step.roots.tolist():
        node = root
        while step.left[node] >= 0:
            value = np.float32(row[step.feature[node]])
            left = bool(step.missing_left[node]) if np.isnan(value) else float(value) <= step.threshold[node]
            node = int(step.left[node] if left else step.right[node])
        found.append(node)
    return found
