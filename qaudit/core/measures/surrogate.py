"""A surrogate tree applied, measured and written out; see TreeModel for the rule of a split."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.explanation import TreeModel
from qaudit.core.measures.agreement import missing


def goes_left(tree: TreeModel, node: int, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the values (m,) of the node's column go left."""
    lost = missing(values)
    known = tree.categories[node]
    if known is not None:
        members = set(known)
        taken = np.array([value in members for value in values], dtype=bool)
    else:
        with np.errstate(invalid="ignore"):
            taken = np.asarray(values <= tree.threshold[node])
    return np.where(lost, bool(tree.missing_left[node]), taken)


def paths(tree: TreeModel, columns: Mapping[str, NDArray[Any]], names: Sequence[str]) -> list[NDArray[np.int64]]:
    """Row numbers that reach each node, by node; the root has all rows."""
    rows = len(next(iter(columns.values())))
    found: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64) for _ in range(len(tree.left))]
    waiting = [(0, np.arange(rows))]
    while waiting:
        node, here = waiting.pop()
        found[node] = here
        if tree.left[node] < 0:
            continue
        left = goes_left(tree, node, columns[names[tree.feature[node]]][here])
        waiting += [(int(tree.left[node]), here[left]), (int(tree.right[node]), here[~left])]
    return found


def apply_tree(tree: TreeModel, columns: Mapping[str, NDArray[Any]], names: Sequence[str]) -> NDArray[np.int64]:
    """Leaf number of each row (n,)."""
    leaf = np.zeros(len(next(iter(columns.values()))), dtype=np.int64)
    for node, rows in enumerate(paths(tree, columns, names)):
        if tree.left[node] < 0:
            leaf[rows] = node
    return leaf


def tree_answers(tree: TreeModel, leaf: NDArray[np.int64], regression: bool) -> NDArray[Any]:
    """What the tree says on rows in these leaves (n,): the class of the largest share, or the mean for regression."""
    return np.asarray(tree.value[leaf, 0] if regression else np.argmax(tree.value, axis=1)[leaf])


def agreement(said: NDArray[Any], model: NDArray[Any], regression: bool) -> float | None:
    """Share of rows where the two agree; for regression R2 of `said` about `model`. None without rows or without variance."""
    if not len(model):
        return None
    if not regression:
        return float(np.mean(said == model))
    total = float(np.sum((model - model.mean()) ** 2))
    return None if total == 0.0 else 1.0 - float(np.sum((model - said) ** 2)) / total


def depths(tree: TreeModel) -> NDArray[np.int64]:
    """Depth of each node; the root has 0. Raises ValueError unless children follow their parents and each has one."""
    found = np.full(len(tree.left), -1, dtype=np.int64)
    found[0] = 0
    for node in range(len(tree.left)):
        if tree.left[node] < 0:
            continue
        for child in (int(tree.left[node]), int(tree.right[node])):
            if not node < child < len(tree.left) or found[child] >= 0 or found[node] < 0:
                raise ValueError(f"surrogate tree: node {node} has no valid child {child}")
            found[child] = found[node] + 1
    if (found < 0).any():
        raise ValueError(f"surrogate tree: node {int(np.argmin(found))} cannot be reached")
    return found


def size(tree: TreeModel) -> dict[str, int]:
    """depth, leaves, and parameters: one feature and one threshold (or each category) a split, and the values of each leaf."""
    inner = np.flatnonzero(tree.left >= 0)
    leaves = len(tree.left) - len(inner)
    splits = sum(1 + (1 if (known := tree.categories[node]) is None else len(known)) for node in inner)
    return {
        "depth": int(depths(tree).max()),
        "leaves": leaves,
        "added_parameters": splits + leaves * tree.value.shape[1],
    }


def condition(tree: TreeModel, node: int, name: str, left: bool, lossy: bool) -> str:
    """One side of a split as text: "income <= 3.5 or missing", "purpose in {car}"; `lossy`: the column has missing values."""
    known = tree.categories[node]
    if known is None:
        text = f"{name} {'<=' if left else '>'} {tree.threshold[node]:.6g}"
    else:
        text = f"{name} {'in' if left else 'not in'} {{{', '.join(known)}}}"
    return f"{text} or missing" if lossy and bool(tree.missing_left[node]) is left else text


def rules(tree: TreeModel, names: Sequence[str], labels: Sequence[str], lossy: Collection[str] = ()) -> list[str]:
    """One line a leaf, from left to right: the conditions on its way, and what it says. `lossy`: columns with missing values."""
    lines: list[str] = []
    waiting: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while waiting:
        node, way = waiting.pop()
        if tree.left[node] < 0:
            lines.append(f"{' and '.join(way) or 'always'}: {labels[node]}")
            continue
        name = names[tree.feature[node]]
        for child, side in ((int(tree.right[node]), False), (int(tree.left[node]), True)):
            waiting.append((child, (*way, condition(tree, node, name, side, name in lossy))))
    return lines


def split_overlap(a: TreeModel, b: TreeModel) -> float:
    """Jaccard overlap of the columns that two trees split on; 1 where neither splits."""
    left, right = set(a.feature[a.left >= 0].tolist()), set(b.feature[b.left >= 0].tolist())
    return len(left & right) / len(left | right) if left | right else 1.0


def base_rate(model: NDArray[Any]) -> float:
    """Share of the model's most frequent decision: what a tree without splits agrees on."""
    return float(np.bincount(model.astype(np.int64)).max() / len(model))
