"""Tree ensembles: all trees of a row block walk down one level at a time; equal to scikit-learn bit for bit.

An input is rounded to float32 first and compared with the float64 threshold, NaN goes where the node says, and leaf values are
added one tree after the other in float64: the arithmetic of sklearn.tree, of forests (sum, then divided by the number of trees)
and of gradient boosting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qaudit.core.program import Program
from qaudit.core.steps import Trees
from qaudit.core.tensor import Floats

CELLS = 2**16
"""Pairs of row and tree that are walked at once; this limits the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """The arrays of a Trees step in the layout that the walk needs.

    `children` has the pair (right, left) of each node one after the other, flat; both children of a leaf are the leaf itself.
    """

    feature: NDArray[np.intp]
    threshold: Floats
    children: NDArray[np.intp]
    missing_left: NDArray[np.bool_]
    leaf: NDArray[np.bool_]
    roots: NDArray[np.int32]


def walk_of(step: Trees) -> Walk:
    """The structure and the thresholds of a step as a Walk; leaf values are not part of it."""
    leaf = step.left < 0
    itself = np.arange(len(step.left), dtype=np.int32)
    children = np.stack([np.where(leaf, itself, step.right), np.where(leaf, itself, step.left)], axis=1).astype(np.intp).ravel()
    # leaves have the feature -2; any valid index will do, since both children of a leaf are the leaf
    feature = np.where(leaf, 0, step.feature).astype(np.intp)
    return Walk(feature, step.threshold, children, step.missing_left, leaf, step.roots)


def leaves_of(walk: Walk, x: Floats) -> NDArray[np.int32]:
    """Leaf node (n, T) of every row in every tree. x (n, width) float64 with NaN for missing."""
    rounded = x.astype(np.float32)
    leaves = np.empty((len(x), len(walk.roots)), dtype=np.int32)
    height = max(1, CELLS // max(1, len(walk.roots)))
    for start in range(0, len(x), height):
        _descend(walk, rounded[start : start + height], leaves[start : start + height])
    return leaves


def _descend(walk: Walk, x: NDArray[np.float32], leaves: NDArray[np.int32]) -> None:
    """Fills `leaves` (n, T). Rows x trees that have reached a leaf are dropped from the walk level by level."""
    n, trees = leaves.shape
    values, width = x.ravel(), x.shape[1]
    any_missing = bool(np.isnan(values).any())
    flat = leaves.reshape(-1)
    flat[:] = np.tile(walk.roots, n)
    cell = np.flatnonzero(~walk.leaf.take(flat))
    node, base = flat.take(cell).astype(np.intp), (cell // trees) * width
    while cell.size:
        value = values.take(base + walk.feature.take(node))
        goes_left = value <= walk.threshold.take(node)
        if any_missing:
            goes_left = np.where(np.isnan(value), walk.missing_left.take(node), goes_left)
        node = walk.children.take(2 * node + goes_left)
        at_leaf = walk.leaf.take(node)
        if at_leaf.any():
            # rows that have arrived are dropped, so that deep branches cost only the rows in them
            flat[cell[at_leaf]] = node[at_leaf]
            inner = ~at_leaf
            cell, node, base = cell[inner], node[inner], base[inner]


def by_tree(leaves: NDArray[np.int32]) -> NDArray[np.intp]:
    """Leaf nodes (n, T) as (T, n), laid out for `gather`: once for all leaf values that are looked up with them."""
    return np.ascontiguousarray(leaves.T, dtype=np.intp)


def gather(step: Trees, leaves: NDArray[np.intp]) -> Floats:
    """Raw scores (n, outputs) from leaf nodes (T, n): `base`, plus leaf values in tree order, then the mean where so declared."""
    scores = np.repeat(step.base.astype(np.float64)[:, np.newaxis], leaves.shape[1], axis=1)
    values = np.ascontiguousarray(step.value.T, dtype=np.float64)
    for tree, nodes in enumerate(leaves):
        if step.column is not None:
            scores[step.column[tree]] += values[0].take(nodes)
            continue
        for output, row in enumerate(scores):
            row += values[output].take(nodes)
    if step.aggregate == "mean":
        scores /= len(leaves)
    return np.ascontiguousarray(scores.T)


def leaf_indices(program: Program, encoded: Floats) -> NDArray[np.int32]:
    """Leaf node (n, T) of every encoded row in every tree of a program whose first step is Trees.

    Nodes are numbered through the whole ensemble; subtract `roots` for scikit-learn's numbers. Raises ValueError for other
    programs.
    """
    return leaves_of(walk_of(_first(program)), np.asarray(encoded, dtype=np.float64))


def raw(program: Program, encoded: Floats) -> Floats:
    """Raw scores (n, outputs) before the link, of a program whose first step is Trees."""
    step = _first(program)
    return gather(step, by_tree(leaf_indices(program, encoded)))


def _first(program: Program) -> Trees:
    step = program.steps[0] if program.steps else None
    if not isinstance(step, Trees):
        raise ValueError("the program does not begin with trees")
    return step
