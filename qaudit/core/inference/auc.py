"""Areas under ROC curves of two and more classes from the influence of each row on them (DeLong 1988; Hand and Till 2001).

The area is a mean over pairs of rows of different classes. With `influence` u (n,) its variance is sum u^2, the covariance with
another area on the same rows sum u v, and both equal DeLong's. Means and differences of areas have the same mean or difference
of influences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from qaudit.core.evidence import Interval
from qaudit.core.inference.estimate import Estimate, cluster_totals
from qaudit.core.inference.intervals import LEVEL, clopper_pearson, zero_bound
from qaudit.core.tensor import Floats

FEW = 10
"""With fewer rows of one class DeLong's interval is a rough one, and says so."""
ONE_CLASS = "one class only among these rows"
SEPARATED = "exact, over disjoint pairs of rows"
"""Method where the scores separate the classes, or two scores order all pairs alike: there DeLong's variance is 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """An area, the influence (n,) of each row on it, and the rows of the smallest class behind it."""

    value: float
    influence: Floats
    fewest: int


def area(positive: NDArray[np.bool_], score: Floats) -> Area | None:
    """Area of score (n,) for positive rows against the others, ties counted half; None without rows of both."""
    p, n = int(np.sum(positive)), len(positive)
    q = n - p
    if not p or not q:
        return None
    ranks = rankdata(score)
    # ranks are halves, so their sum is exact in any order of rows
    value = (float(ranks[positive].sum()) - p * (p + 1) / 2) / (p * q)
    influence = np.empty(n)
    influence[positive] = ((ranks[positive] - rankdata(score[positive])) / q - value) / _degrees(p)
    influence[~positive] = (1.0 - (ranks[~positive] - rankdata(score[~positive])) / p - value) / _degrees(q)
    return Area(value, influence, min(p, q))


def roc_auc(positive: NDArray[np.bool_], score: Floats, *, clusters: NDArray[Any] | None = None) -> Estimate:
    """Area under the curve with DeLong's interval, or an exact one where the scores separate the classes."""
    whole = area(positive, score)
    if whole is None:
        return Estimate(None, None, len(positive), ONE_CLASS if len(positive) else "no rows")
    if whole.value in (0.0, 1.0):
        return _separated(whole, len(positive), clusters)
    return _estimate(whole, 0.0, 1.0, clusters)


def auc_change(positive: NDArray[np.bool_], before: Floats, after: Floats, *, clusters: NDArray[Any] | None = None) -> Estimate:
    """Area after minus before on the same rows."""
    first, second = area(positive, before), area(positive, after)
    if first is None or second is None:
        return Estimate(None, None, len(positive), ONE_CLASS if len(positive) else "no rows")
    change = _combined([second, first], [1.0, -1.0])
    if not change.influence.any():
        return _unmoved(change, len(positive), clusters)
    return _estimate(change, -1.0, 1.0, clusters)


def one_against_rest(truth: NDArray[Any], probability: Floats) -> Area | None:
    """Mean over the classes of the area of each against all others; truth (n,) class numbers, probability (n, k).

    None where a class has no rows, or all of them.
    """
    return _mean([area(truth == label, probability[:, label]) for label in range(probability.shape[1])])


def hand_till(truth: NDArray[Any], probability: Floats) -> Area | None:
    """Mean over pairs of classes of the areas within these two (M of Hand and Till 2001); None where a class has no rows."""
    areas = []
    classes = range(probability.shape[1])
    for label in classes:
        for other in classes:
            if label != other:
                areas.append(_among((truth == label) | (truth == other), truth == label, probability[:, label]))
    return _mean(areas)


def multiclass_auc(whole: Area | None, n: int, *, clusters: NDArray[Any] | None = None) -> Estimate:
    """A mean of areas (`one_against_rest`, `hand_till`) with its interval."""
    if whole is None:
        return Estimate(None, None, n, "a class has no rows")
    if whole.value in (0.0, 1.0):
        return Estimate(whole.value, None, n, "no interval: the scores separate the classes")
    return _estimate(whole, 0.0, 1.0, clusters)


def multiclass_auc_change(before: Area | None, after: Area | None, n: int, *, clusters: NDArray[Any] | None = None) -> Estimate:
    """Change of a mean of areas on the same rows."""
    if before is None or after is None:
        return Estimate(None, None, n, "a class has no rows")
    change = _combined([after, before], [1.0, -1.0])
    if not change.influence.any():
        return Estimate(change.value, None, n, "no interval: no pair of rows changed its order")
    return _estimate(change, -1.0, 1.0, clusters)


def _degrees(rows: int) -> float:
    """What a deviation of one of `rows` rows is divided by; their squares then add up to the sample variance over `rows`."""
    return math.sqrt(rows * (rows - 1)) if rows > 1 else math.nan


def _among(rows: NDArray[np.bool_], positive: NDArray[np.bool_], score: Floats) -> Area | None:
    part = area(positive[rows], score[rows])
    if part is None:
        return None
    influence = np.zeros(len(rows))
    influence[rows] = part.influence
    return Area(part.value, influence, part.fewest)


def _mean(areas: Sequence[Area | None]) -> Area | None:
    known = [each for each in areas if each is not None]
    return _combined(known, [1.0 / len(known)] * len(known)) if known and len(known) == len(areas) else None


def _combined(areas: Sequence[Area], weights: Sequence[float]) -> Area:
    value = math.fsum(weight * each.value for weight, each in zip(weights, areas, strict=True))
    influence = np.sum([weight * each.influence for weight, each in zip(weights, areas, strict=True)], axis=0)
    return Area(value, influence, min(each.fewest for each in areas))


def _estimate(whole: Area, low: float, high: float, clusters: NDArray[Any] | None) -> Estimate:
    n = len(whole.influence)
    if np.isnan(whole.influence).any():
        return Estimate(whole.value, None, n, "no interval: fewer than 2 rows of one class")
    parts = cluster_totals(whole.influence, clusters)
    scale = 1.0 if clusters is None else len(parts) / (len(parts) - 1) if len(parts) > 1 else math.nan
    if math.isnan(scale):
        return Estimate(whole.value, None, n, "no interval: one cluster")
    half = float(ndtri(0.5 + LEVEL / 2)) * math.sqrt(scale * math.fsum((parts * parts).tolist()))
    reason = f"rough interval: one class has {whole.fewest} rows" if whole.fewest < FEW else None
    method = "delong" if clusters is None else f"delong over {len(parts)} clusters"
    return Estimate(whole.value, Interval(max(low, whole.value - half), min(high, whole.value + half), LEVEL, method), n, reason)


def _separated(whole: Area, n: int, clusters: NDArray[Any] | None) -> Estimate:
    """Each of the `fewest` disjoint pairs, drawn anyhow, is ordered alike: a count of all or none."""
    if clusters is not None:
        return Estimate(whole.value, None, n, "no interval: the scores separate the classes, and rows belong to clusters")
    ends = clopper_pearson(round(whole.value) * whole.fewest, whole.fewest)
    return Estimate(whole.value, Interval(ends.low, ends.high, LEVEL, SEPARATED), n, "the scores separate the classes")


def _unmoved(change: Area, n: int, clusters: NDArray[Any] | None) -> Estimate:
    """No pair changed its order, so none of the disjoint pairs did; the change is at most the share of pairs that would."""
    if clusters is not None:
        return Estimate(change.value, None, n, "no interval: no pair of rows changed its order, and rows belong to clusters")
    half = zero_bound(change.fewest)
    return Estimate(change.value, Interval(-half, half, LEVEL, SEPARATED), n, "no pair of rows changed its order")
