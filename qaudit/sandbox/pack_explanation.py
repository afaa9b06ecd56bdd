"""An explanation as JSON and numeric arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.explanation import Attributions, Explanation, Importance, LocalModels, TreeModel
from qaudit.core.json_values import Json
from qaudit.sandbox.job import Arrays

FIELDS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "importance": (Importance, ("values",)),
    "attributions": (Attributions, ("values", "base")),
    "local_models": (LocalModels, ("coef", "intercept", "design", "answers", "weights")),
    "tree": (TreeModel, ("feature", "threshold", "left", "right", "missing_left", "value")),
}
DTYPES = {"feature": np.int32, "left": np.int32, "right": np.int32, "missing_left": np.bool_}


def kind_of(explanation: Explanation) -> str:
    """importance, attributions, local_models or tree. Raises ValueError for anything else."""
    for kind, (made, _) in FIELDS.items():
        if isinstance(explanation, made):
            return kind
    raise ValueError(f"an explainer returned {type(explanation).__name__}, expected one of {', '.join(FIELDS)}")


def pack_explanation(explanation: Explanation, prefix: str) -> tuple[Json, dict[str, NDArray[Any]]]:
    """The JSON (kind, and what is text) and the arrays, named `prefix.field`. Raises ValueError for what is no explanation."""
    kind = kind_of(explanation)
    arrays: dict[str, NDArray[Any]] = {
        f"{prefix}.{field}": np.asarray(getattr(explanation, field), dtype=DTYPES.get(field, np.float64))
        for field in FIELDS[kind][1]
    }
    packed: Json = {"kind": kind}
    if isinstance(explanation, Importance):
        packed["of"] = str(explanation.of)
    if isinstance(explanation, TreeModel):
        packed["categories"] = [None if known is None else [str(each) for each in known] for known in explanation.categories]
    return packed, arrays


def unpack_explanation(packed: Json, arrays: Arrays, prefix: str) -> Explanation:
    """The explanation that `pack_explanation` took apart."""
    made, fields = FIELDS[packed["kind"]]
    found: dict[str, Any] = {field: arrays[f"{prefix}.{field}"] for field in fields}
    if packed["kind"] == "importance":
        found["of"] = packed["of"]
    if packed["kind"] == "tree":
        found["categories"] = tuple(None if known is None else tuple(known) for known in packed["categories"])
    explanation: Explanation = made(**found)
    return explanation


LARGEST = 1e100
"""Beyond it sums of squares overflow."""


def complaint(explanation: Explanation, *, rows: int, names: int, outputs: int) -> str | None:
    """What is wrong with an explanation of `rows` rows and `names` columns, in one line; None where it keeps the contract.

    `outputs` is the width of a tree's values: the number of classes, or 1 for regression.
    """
    kind = kind_of(explanation)
    for field in FIELDS[kind][1]:
        if not np.isfinite(values := getattr(explanation, field)).all():
            return f"{kind}.{field} holds a value that is not finite at {np.argwhere(~np.isfinite(values))[0].tolist()}"
        if values.size and (top := np.abs(values).max()) > LARGEST:
            return f"{kind}.{field} holds values up to {top:.3g}, expected at most {LARGEST:g}"
    if isinstance(explanation, TreeModel):
        return _tree_complaint(explanation, names, outputs)
    if isinstance(explanation, Importance):
        shape = explanation.values.shape
        wrong = len(shape) != 2 or shape[0] < 1 or shape[1] != names or explanation.of not in ("prediction_change", "loss_change")
        return f"importance.values has shape {shape}, expected (repeats, {names})" if wrong else None
    wanted: dict[str, tuple[int, ...]] = {"values": (rows, names), "base": (rows,), "coef": (rows, names), "intercept": (rows,)}
    if isinstance(explanation, LocalModels):
        samples = explanation.design.shape[1] if explanation.design.ndim == 3 else -1
        wanted |= {"design": (rows, samples, names), "answers": (rows, samples), "weights": (rows, samples)}
    for field in FIELDS[kind][1]:
        if (shape := getattr(explanation, field).shape) != wanted[field]:
            return f"{kind}.{field} has shape {shape}, expected {wanted[field]}"
    if isinstance(explanation, LocalModels) and not (
        explanation.weights.min() >= 0 and (explanation.weights.sum(axis=1) > 0).all()
    ):
        return "local_models.weights must not be negative, nor all zero for a row"
    return None


def _tree_complaint(tree: TreeModel, names: int, outputs: int) -> str | None:
    nodes = len(tree.left)
    if nodes < 1 or tree.value.shape != (nodes, outputs):
        return f"tree.value has shape {tree.value.shape}, expected ({max(nodes, 1)}, {outputs})"
    if any(len(each) != nodes for each in (tree.feature, tree.threshold, tree.categories, tree.right, tree.missing_left)):
        return f"tree: not every field has {nodes} nodes"
    seen = {0}
    for node in np.flatnonzero(tree.left >= 0):
        if not 0 <= tree.feature[node] < names:
            return f"tree: node {node} splits on column {tree.feature[node]} of {names}"
        for child in (int(tree.left[node]), int(tree.right[node])):
            if not node < child < nodes or child in seen:
                return f"tree: child {child} of node {node} is out of range or has two parents"
            seen.add(child)
    return None if len(seen) == nodes else f"tree: {nodes - len(seen)} nodes cannot be reached"
