"""Shares of rows that belong to clusters, their differences and paired changes.

Rows of one cluster resemble each other, so that they tell less than as many independent rows. A share of x in n rows has the
linearized variance of a ratio (sums of residuals by cluster); the exact interval is taken at the effective number of rows
(Korn and Graubard 1998). Differences follow from two intervals and the correlation of their clusters (Zou and Donner 2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from qaudit.core.evidence import Interval
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import LEVEL
from qaudit.core.inference.many_counts import clopper_pearson_ends
from qaudit.core.tensor import Floats


@dataclass(frozen=True, slots=True, eq=False)
class ClusterShare:
    """A share, or a difference of shares, with its interval. `influence` (g,) is what each of g clusters adds to its error."""

    value: float
    low: float
    high: float
    influence: Floats
    n: int

    def minus(self, other: ClusterShare) -> ClusterShare:
        """The difference of two, which may rest on the same clusters."""
        correlation = _correlation(self.influence, other.influence)
        value = self.value - other.value
        under = _distance(self.value - self.low, other.high - other.value, correlation)
        over = _distance(self.high - self.value, other.value - other.low, correlation)
        return ClusterShare(
            value, max(-1.0, value - under), min(1.0, value + over), self.influence - other.influence, self.n + other.n
        )

    def estimate(self, clusters: int, n: int | None = None, level: float = LEVEL) -> Estimate:
        """With the name of the method, and the number of clusters behind it."""
        method = f"effective number of rows (Korn and Graubard), {clusters} clusters"
        return Estimate(self.value, Interval(self.low, self.high, level, method), self.n if n is None else n)


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The cluster number (n,) of each row, and how many there are."""

    index: NDArray[np.intp]
    count: int

    def share(self, hits: NDArray[np.bool_], rows: NDArray[np.bool_] | None = None, level: float = LEVEL) -> ClusterShare | None:
        """Share of hits (n,) among `rows` (n,), by default all; None without rows."""
        member = np.ones(len(hits), dtype=bool) if rows is None else rows
        sizes = np.bincount(self.index[member], minlength=self.count)
        n = int(sizes.sum())
        if n == 0:
            return None
        counts = np.bincount(self.index[member & hits], minlength=self.count)
        value = int(counts.sum()) / n
        influence = (counts - value * sizes) / n
        effective = _effective(value, influence, sizes, level)
        low, high = clopper_pearson_ends(np.array([value * effective]), np.array([effective]), level)
        return ClusterShare(value, float(low[0]), float(high[0]), influence, n)

    def change(
        self, before: NDArray[np.bool_], after: NDArray[np.bool_], rows: NDArray[np.bool_] | None = None, level: float = LEVEL
    ) -> ClusterShare | None:
        """Share of `after` minus share of `before` on the same rows: what came minus what went."""
        came, went = self.share(after & ~before, rows, level), self.share(before & ~after, rows, level)
        if came is None or went is None:
            return None
        moved = came.minus(went)
        return ClusterShare(moved.value, moved.low, moved.high, moved.influence, came.n)


def clusters_of(names: NDArray[Any]) -> Clusters:
    """The clusters of rows by their keys (n,)."""
    distinct, index = np.unique(names, return_inverse=True)
    return Clusters(index.reshape(-1), len(distinct))


def _effective(value: float, influence: Floats, sizes: NDArray[np.intp], level: float) -> float:
    """How many independent rows would tell as much, at most as many as there are.

    Where no cluster shows how shares spread, all rows of a cluster count as one another's copies.
    """
    n, used = int(sizes.sum()), int(np.count_nonzero(sizes))
    copies = n * n / float(np.square(sizes.astype(np.float64)).sum())
    if value in (0.0, 1.0) or used < 2:
        return copies
    variance = used / (used - 1) * math.fsum(np.square(influence).tolist())
    if variance <= 0.0:
        return copies
    wider = float(stdtrit(n - 1, 0.5 + level / 2) / stdtrit(used - 1, 0.5 + level / 2)) ** 2
    return min(float(n), value * (1.0 - value) / variance) * wider


def _correlation(a: Floats, b: Floats) -> float:
    scale = math.sqrt(math.fsum(np.square(a).tolist()) * math.fsum(np.square(b).tolist()))
    return math.fsum((a * b).tolist()) / scale if scale > 0.0 else 0.0


def _distance(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(0.0, a * a - 2.0 * correlation * a * b + b * b))
