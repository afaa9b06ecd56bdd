"""Applies, measures and prints surrogate trees; `TreeModel` says which rows go left at a split."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.explanation import TreeModel
from qaudit.core.measures.agreement import missing

WEAK = 0.8
"""Below this share of agreement a leaf or a class is marked: the tree is not to be used as its explanation."""


def goes_left(tree: TreeModel, node: int, values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the values (m,) of the node's column go left."""
    absent = missing(values)
    known = tree.categories[node]
    if known is not None:
        members = set(known)
        taken = np.array([value in members for value in values], dtype=bool)
    else:
        # NaN compares as false here; where missing values go is decided below
        with np.errstate(invalid="ignore"):
            taken = np.asarray(values <= tree.threshold[node])
    return np.where(absent, bool(tree.missing_left[node]), taken)


def paths(tree: TreeModel, columns: Mapping[str, NDArray[Any]], names: Sequence[str]) -> list[NDArray[np.int64]]:
    """For each node the numbers of the rows that reach it; all rows reach the root."""
    rows = len(next(iter(columns.values())))
    reached: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64) for _ in range(len(tree.left))]
    to_visit = [(0, np.arange(rows))]
    while to_visit:
        node, here = to_visit.pop()
        reached[node] = here
        if tree.left[node] < 0:
            continue
        left = goes_left(tree, node, columns[names[tree.feature[node]]][here])
        to_visit += [(int(tree.left[node]), here[left]), (int(tree.right[node]), here[~left])]
    return reached


def apply_tree(tree: TreeModel, columns: Mapping[str, NDArray[Any]], names: Sequence[str]) -> NDArray[np.int64]:
    """Leaf number of each row (n,)."""
    leaf = np.zeros(len(next(iter(columns.values()))), dtype=np.int64)
    for node, rows in enumerate(paths(tree, columns, names)):
        if tree.left[node] < 0:
            leaf[rows] = node
    return leaf


def tree_answers(tree: TreeModel, leaf: NDArray[np.int64], regression: bool) -> NDArray[Any]:
    """The predictions for rows in these leaves (n,): the class with the largest share, or the mean for regression."""
    return np.asarray(tree.value[leaf, 0] if regression else np.argmax(tree.value, axis=1)[leaf])


def agreement(predicted: NDArray[Any], model: NDArray[Any], regression: bool) -> float | None:
    """Share of rows where tree and model agree; for regression the R2 of the tree. None without rows or without variance."""
    if not len(model):
        return None
    if not regression:
        return float(np.mean(predicted == model))
    total = float(np.sum((model - model.mean()) ** 2))
    return None if total == 0.0 else 1.0 - float(np.sum((model - predicted) ** 2)) / total


def counts_by_class(
    predicted: NDArray[Any], model: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the rows that the model decides for each class: on how many the tree agrees (k,), and how many there are (k,)."""
    hits = np.bincount(model[predicted == model], minlength=classes)
    return hits, np.bincount(model, minlength=classes)


def counts_by_leaf(
    tree: TreeModel, leaf: NDArray[np.int64], model: NDArray[np.int64]
) -> tuple[list[int], NDArray[np.int64], NDArray[np.int64]]:
    """The leaves as `rules` lists them, and of the rows that reach each: on how many the tree agrees with the model, and how many
    there are. `leaf` (n,) holds the leaf of each row and `model` (n,) the decisions.
    """
    order = leaves_in_order(tree)
    hit = tree_answers(tree, leaf, False) == model
    size = len(tree.left)
    return order, np.bincount(leaf[hit], minlength=size)[order], np.bincount(leaf, minlength=size)[order]


def depths(tree: TreeModel) -> NDArray[np.int64]:
    """Depth of each node; the root has 0. Raises ValueError unless children follow their parents and each has one."""
    depth = np.full(len(tree.left), -1, dtype=np.int64)
    depth[0] = 0
    for node in range(len(tree.left)):
        if tree.left[node] < 0:
            continue
        for child in (int(tree.left[node]), int(tree.right[node])):
            if not node < child < len(tree.left) or depth[child] >= 0 or depth[node] < 0:
                raise ValueError(f"surrogate tree: node {node} has no valid child {child}")
            depth[child] = depth[node] + 1
    if (depth < 0).any():
        raise ValueError(f"surrogate tree: node {int(np.argmin(depth))} cannot be reached")
    return depth


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


def condition(tree: TreeModel, node: int, name: str, left: bool, has_missing: bool) -> str:
    """One side of a split as text, such as "income <= 3.5 or missing" or "purpose in {car}".

    Missing values are mentioned only where the column has some (`has_missing`).
    """
    known = tree.categories[node]
    if known is None:
        text = f"{name} {'<=' if left else '>'} {tree.threshold[node]:.6g}"
    else:
        text = f"{name} {'in' if left else 'not in'} {{{', '.join(known)}}}"
    return f"{text} or missing" if has_missing and bool(tree.missing_left[node]) is left else text


def leaves_in_order(tree: TreeModel) -> list[int]:
    """The numbers of the leaves from left to right: the order of the rules and of the drawn tree, whose first is leaf 1."""
    order: list[int] = []
    to_visit = [0]
    while to_visit:
        node = to_visit.pop()
        if tree.left[node] < 0:
            order.append(node)
        else:
            # the right child is pushed first, so that the left one is visited first
            to_visit += [int(tree.right[node]), int(tree.left[node])]
    return order


def rules(tree: TreeModel, names: Sequence[str], labels: Sequence[str], with_missing: Collection[str] = ()) -> list[str]:
    """One line for each leaf, from left to right: the conditions on its path and its label.

    `with_missing` names the columns with missing values.
    """
    lines: list[str] = []
    to_visit: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while to_visit:
        node, conditions = to_visit.pop()
        if tree.left[node] < 0:
            lines.append(f"{' and '.join(conditions) or 'always'}: {labels[node]}")
            continue
        name = names[tree.feature[node]]
        # the right child is pushed first, so that the left one is visited first
        for child, side in ((int(tree.right[node]), False), (int(tree.left[node]), True)):
            to_visit.append((child, (*conditions, condition(tree, node, name, side, name in with_missing))))
    return lines


def split_overlap(a: TreeModel, b: TreeModel) -> float:
    """Jaccard overlap of the columns that two trees split on; 1 where neither splits."""
    left, right = set(a.feature[a.left >= 0].tolist()), set(b.feature[b.left >= 0].tolist())
    return len(left & right) / len(left | right) if left | right else 1.0


def base_rate(model: NDArray[Any]) -> float:
    """Share of the model's most frequent decision, which is the agreement of a tree without splits."""
    return float(np.bincount(model.astype(np.int64)).max() / len(model))
