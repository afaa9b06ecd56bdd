"""A small tree fitted on the model's own outputs by information gain.

    H(S) = -sum_c p_c log2 p_c          IG(S, A) = H(S) - sum_v |S_v|/|S| H(S_v)

S are the model's decisions on the background and on extra queries; for regression, variance stands in place of H. The split
of the largest |S| * IG grows next, until `max_leaves`, `max_depth`, `min_rows` in a leaf, or no gain is left; splits whose
leaves say the same class are then taken back. A query is a background row of which each value is redrawn, with probability
1/2, from its column. Text splits by category sets: categories are ordered by their mean output in the node (their share of
the node's most frequent class, where there are more than two), which for two classes and for regression finds the best set
(Breiman et al., CART, 1984, theorem 4.5). Missing values try both sides. Ties between columns are broken by the seed.

Craven, Shavlik, Extracting Tree-Structured Representations of Trained Networks, NIPS 8 (1995) 24-30; Bastani, Kim, Bastani,
Interpretability via Model Extraction, 2017; information gain: Mitchell, Machine Learning, 1997.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit import Context, Explainer, Setting, Subject, TreeModel, hookimpl

Array = NDArray[Any]
TIE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A split of one node: column, gain in bits (in variance for regression), which rows of the node go left, and the rule."""

    column: int
    gain: float
    left: NDArray[np.bool_]
    threshold: float
    categories: tuple[str, ...] | None
    missing_left: bool


@dataclass(slots=True)
class GrowingTree:
    """The nodes of a tree while it grows: rows, depth, split (None for a leaf) and children of each."""

    rows: list[Array] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    split: list[Split | None] = field(default_factory=list)
    children: list[tuple[int, int]] = field(default_factory=list)

    def add(self, rows: Array, depth: int) -> int:
        """Add a leaf and return its number."""
        self.rows.append(rows)
        self.depth.append(depth)
        self.split.append(None)
        self.children.append((-1, -1))
        return len(self.rows) - 1


def key(*parts: object) -> int:
    """A 64-bit number that depends on the given parts only, for seeds and for breaking ties."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big")


def impurity(sums: Array, counts: Array, regression: bool) -> Array:
    """Entropy in bits (m,) of class counts (m, k); for regression the variance, from sums of y and y^2 (m, 2).

    It is 0 for an empty node.
    """
    share = sums / np.maximum(counts, 1.0)[:, None]
    if regression:
        return np.maximum(share[:, 1] - share[:, 0] ** 2, 0.0)
    logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
    return np.asarray(-np.sum(share * logs, axis=1))


def gains(left: Array, counts: Array, total: Array, regression: bool, min_rows: int) -> Array:
    """Information gain (m,) of m possible splits, from the sums (m, q) and the row counts (m,) of the left side.

    It is -1 where a side has fewer than `min_rows` rows.
    """
    size = float(total[-1])
    sums = total[:-1]
    right, others = sums - left, size - counts
    before = impurity(sums[None], np.array([size]), regression)[0]
    after = (counts * impurity(left, counts, regression) + others * impurity(right, others, regression)) / size
    allowed = (counts >= min_rows) & (others >= min_rows)
    return np.where(allowed, before - after, -1.0)


def split_number(column: int, x: Array, y: Array, total: Array, regression: bool, min_rows: int) -> Split | None:
    """The best threshold of a number column; missing values are tried on both sides."""
    missing = np.isnan(x)
    known = np.flatnonzero(~missing)
    if not len(known):
        return None
    ordered = known[np.argsort(x[known], kind="stable")]
    values = x[ordered]
    cut_points = np.append(np.flatnonzero(values[1:] > values[:-1]), len(values) - 1)
    if not missing.any():
        cut_points = cut_points[:-1]
    if not len(cut_points):
        return None
    sums = np.cumsum(y[ordered], axis=0)[cut_points]
    counts = (cut_points + 1).astype(np.float64)
    best: tuple[float, int, bool] | None = None
    for with_missing in (False, True) if missing.any() else (False,):
        extra_sums, extra_rows = (y[missing].sum(axis=0), float(missing.sum())) if with_missing else (np.zeros(y.shape[1]), 0.0)
        gain_at = gains(sums + extra_sums, counts + extra_rows, total, regression, min_rows)
        best_index = int(np.argmax(gain_at))
        if best is None or gain_at[best_index] > best[0] + TIE:
            best = (float(gain_at[best_index]), best_index, with_missing)
    assert best is not None
    gain, best_index, with_missing = best
    low = float(values[cut_points[best_index]])
    high = float(values[cut_points[best_index] + 1]) if cut_points[best_index] + 1 < len(values) else low
    middle = low + (high - low) / 2.0
    threshold = middle if low <= middle < high else low
    with np.errstate(invalid="ignore"):
        left = np.where(missing, with_missing, x <= threshold)
    missing_left = with_missing if missing.any() else bool(left.mean() >= 0.5)
    return Split(column, gain, left, threshold, None, missing_left)


def split_text(column: int, x: Array, y: Array, total: Array, regression: bool, min_rows: int) -> Split | None:
    """The best set of categories of a text column; a missing value counts as a category of its own."""
    known = sorted({value for value in x if value is not None})
    groups: list[str | None] = [*known, None] if any(value is None for value in x) else [*known]
    number = {value: index for index, value in enumerate(groups)}
    code = np.array([number[value] for value in x])
    if len(groups) < 2:
        return None
    counts = np.bincount(code, minlength=len(groups)).astype(np.float64)
    sums = np.stack([np.bincount(code, weights=y[:, q], minlength=len(groups)) for q in range(y.shape[1])], axis=1)
    ordering_column = 0 if regression else (1 if y.shape[1] == 2 else int(np.argmax(total[:-1])))
    order = np.argsort(sums[:, ordering_column] / counts, kind="stable")
    gain_at = gains(np.cumsum(sums[order], axis=0)[:-1], np.cumsum(counts[order])[:-1], total, regression, min_rows)
    best_index = int(np.argmax(gain_at))
    left_groups = set(order[: best_index + 1].tolist())
    left = np.isin(code, list(left_groups))
    has_missing = None in groups
    missing_left = (number[None] in left_groups) if has_missing else bool(left.mean() >= 0.5)
    members = tuple(value for index, value in enumerate(groups) if index in left_groups and value is not None)
    return Split(column, float(gain_at[best_index]), left, 0.0, members, missing_left)


def best_split(columns: list[Array], y: Array, priority: list[int], regression: bool, min_rows: int) -> Split | None:
    """The split with the largest gain; None where no split gains anything.

    Columns are tried in the order of `priority`, which decides between equal gains.
    """
    total = np.append(y.sum(axis=0), len(y))
    best: Split | None = None
    for column in priority:
        x = columns[column]
        search = split_text if x.dtype == object else split_number
        split = search(column, x, y, total, regression, min_rows)
        if split is not None and split.gain > (best.gain + TIE if best else TIE):
            best = split
    return best


def moments(values: Array, regression: bool, classes: int) -> Array:
    """One-hot classes (n, k); for regression y and y^2 (n, 2) after the mean is subtracted, which avoids cancellation."""
    if regression:
        centred = values - values.mean()
        return np.stack([centred, centred**2], axis=1)
    return np.eye(classes)[values]


def grow(
    columns: dict[str, Array], y: Array, *, classes: int, seed: int, max_depth: int, max_leaves: int, min_rows: int
) -> TreeModel:
    """Fit a tree on outputs y (n,): class indices, or numbers where `classes` is 0. Splits are made in order of gain."""
    names, regression = list(columns), classes == 0
    data, target = list(columns.values()), moments(y, regression, classes)
    priority = sorted(range(len(names)), key=lambda j: (key(seed, names[j]), names[j]))
    tree, heap = GrowingTree(), list[tuple[float, int, Split]]()

    def consider(node: int) -> None:
        rows = tree.rows[node]
        if tree.depth[node] >= max_depth or len(rows) < 2 * min_rows:
            return
        if split := best_split([x[rows] for x in data], target[rows], priority, regression, min_rows):
            heapq.heappush(heap, (-split.gain * len(rows), node, split))

    consider(tree.add(np.arange(len(y)), 0))
    leaves = 1
    while heap and leaves < max_leaves:
        _, node, split = heapq.heappop(heap)
        rows = tree.rows[node]
        pair = (tree.add(rows[split.left], tree.depth[node] + 1), tree.add(rows[~split.left], tree.depth[node] + 1))
        tree.split[node], tree.children[node] = split, pair
        leaves += 1
        for child in pair:
            consider(child)
    if not regression:
        merge_equal_leaves(tree, y, classes)
    return as_tree_model(tree, y, classes)


def merge_equal_leaves(tree: GrowingTree, y: Array, classes: int) -> None:
    """Remove, from the bottom up, every split whose two leaves predict the same class; the order of nodes is kept."""
    labels = [int(np.argmax(np.bincount(y[rows], minlength=classes))) for rows in tree.rows]
    for node in reversed(range(len(tree.rows))):
        left, right = tree.children[node]
        if left >= 0 and tree.split[left] is None and tree.split[right] is None and labels[left] == labels[right]:
            tree.split[node], tree.children[node] = None, (-1, -1)
    reachable, to_visit = set[int](), [0]
    while to_visit:
        node = to_visit.pop()
        reachable.add(node)
        to_visit += [child for child in tree.children[node] if child >= 0]
    remaining = sorted(reachable)
    number = {node: place for place, node in enumerate(remaining)} | {-1: -1}
    tree.rows = [tree.rows[node] for node in remaining]
    tree.depth = [tree.depth[node] for node in remaining]
    tree.split = [tree.split[node] for node in remaining]
    tree.children = [(number[tree.children[node][0]], number[tree.children[node][1]]) for node in remaining]


def as_tree_model(tree: GrowingTree, y: Array, classes: int) -> TreeModel:
    """The grown nodes as a TreeModel."""
    value = [
        [float(y[rows].mean())] if classes == 0 else (np.bincount(y[rows], minlength=classes) / len(rows)).tolist()
        for rows in tree.rows
    ]
    return TreeModel(
        feature=np.array([split.column if split else -1 for split in tree.split], dtype=np.int32),
        threshold=np.array([split.threshold if split else 0.0 for split in tree.split]),
        categories=tuple(split.categories if split else None for split in tree.split),
        left=np.array([pair[0] for pair in tree.children], dtype=np.int32),
        right=np.array([pair[1] for pair in tree.children], dtype=np.int32),
        missing_left=np.array([split.missing_left if split else False for split in tree.split]),
        value=np.array(value),
    )


def queries(context: Context, count: int) -> dict[str, Array]:
    """The background rows, and `count` copies of them in which each value is redrawn from its column with probability 1/2."""
    size = len(next(iter(context.background.values())))
    start = np.random.Generator(np.random.Philox(key(context.seed, "rows"))).integers(size, size=count)
    columns = {}
    for name in context.names:
        rng, column = np.random.Generator(np.random.Philox(key(context.seed, "column", name))), context.background[name]
        drawn = np.where(rng.random(count) < 0.5, column[rng.integers(size, size=count)], column[start])
        columns[name] = np.concatenate([column, drawn])
    return columns


def explain(context: Context, *, max_depth: int, max_leaves: int, min_rows: int, queries_drawn: int) -> TreeModel:
    """A surrogate tree of the model's decisions, or of its prediction for regression."""
    rows = queries(context, queries_drawn)
    predicted = context.predict(rows)
    decided = context.decide(predicted)
    classes = 0 if decided is None else max(len(context.classes), 2)
    y = predicted[:, 0] if decided is None else decided.astype(np.int64)
    return grow(rows, y, classes=classes, seed=context.seed, max_depth=max_depth, max_leaves=max_leaves, min_rows=min_rows)


@hookimpl
def qaudit_offer_explainers(subject: Subject) -> Iterator[Explainer]:
    """Offer the only explainer of this plugin."""
    yield Explainer(
        "surrogate_tree",
        "a small tree of the model's decisions, by information gain",
        explain,
        settings={
            "max_depth": Setting((5,), allowed=range(1, 11), help="splits on the longest way"),
            "max_leaves": Setting((16,), allowed=range(2, 25), help="leaves"),
            "min_rows": Setting((10,), allowed=range(1, 1001), help="fewest rows of a leaf"),
            "queries_drawn": Setting((2000,), allowed=range(0, 100_001), help="rows asked beyond the background"),
        },
    )
