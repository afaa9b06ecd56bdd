"""Recall and precision of each class, and their changes on the same rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Interval
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import LEVEL, clopper_pearson, newcombe_paired, wilson


def recall(truth: NDArray[Any], decided: NDArray[Any], label: int) -> Estimate:
    """Share of the rows of the class that are decided so, with its exact interval; truth and decided (n,)."""
    rows = truth == label
    return _share(int(np.sum(decided[rows] == label)), int(np.sum(rows)), "no row of this class")


def precision(truth: NDArray[Any], decided: NDArray[Any], label: int) -> Estimate:
    """Share of the rows decided as the class that belong to it, with its exact interval."""
    rows = decided == label
    return _share(int(np.sum(truth[rows] == label)), int(np.sum(rows)), "no row is decided as this class")


def recall_change(truth: NDArray[Any], before: NDArray[Any], after: NDArray[Any], label: int) -> Estimate:
    """Recall after minus before: a paired change of shares of the same rows (Newcombe 1998)."""
    rows = truth == label
    n = int(np.sum(rows))
    if n == 0:
        return Estimate(None, None, 0, "no row of this class")
    was, now = before[rows] == label, after[rows] == label
    broken, fixed = int(np.sum(was & ~now)), int(np.sum(~was & now))
    return Estimate((fixed - broken) / n, newcombe_paired(int(np.sum(was & now)), broken, fixed, int(np.sum(~was & ~now))), n)


def precision_change(truth: NDArray[Any], before: NDArray[Any], after: NDArray[Any], label: int) -> Estimate:
    """Precision after minus before. The two rest on different rows that overlap.

    Score intervals of both with the correlation that the shared rows make (Zou and Donner 2008). Where the rows are the same,
    this is the interval of paired shares, with the same correction of the correlation.
    """
    first, second = before == label, after == label
    rows, others = int(np.sum(second)), int(np.sum(first))
    if not rows or not others:
        return Estimate(None, None, rows, "no row is decided as this class")
    right = truth == label
    hits, hits_before = int(np.sum(second & right)), int(np.sum(first & right))
    correlation = _correlation(
        (hits, rows), (hits_before, others), int(np.sum(first & second & right)), int(np.sum(first & second))
    )
    now, was = hits / rows, hits_before / others
    low, high = wilson(hits, rows)
    low_before, high_before = wilson(hits_before, others)
    under = _distance(now - low, high_before - was, correlation)
    over = _distance(high - now, was - low_before, correlation)
    change = now - was
    interval = Interval(max(-1.0, change - under), min(1.0, change + over), LEVEL, "score intervals, correlated (Zou and Donner)")
    return Estimate(change, interval, int(np.sum(first | second)))


def _distance(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(0.0, a * a - 2.0 * correlation * a * b + b * b))


def _correlation(a: tuple[int, int], b: tuple[int, int], hits: int, shared: int) -> float:
    """Correlation of two shares (hits, rows) that have `shared` rows in common, `hits` of them right; positive ones corrected."""
    share_a, share_b = a[0] / a[1], b[0] / b[1]
    spread = math.sqrt(a[1] * share_a * (1 - share_a) * b[1] * share_b * (1 - share_b))
    if spread == 0.0:
        return 0.0
    product = hits * (1 - share_a) * (1 - share_b) + (shared - hits) * share_a * share_b
    return (product if product <= 0 else max(product - 0.5, 0.0)) / spread


def _share(count: int, n: int, nothing: str) -> Estimate:
    if n == 0:
        return Estimate(None, None, 0, nothing)
    return Estimate(count / n, clopper_pearson(count, n), n)
