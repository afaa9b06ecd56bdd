"""Areas under ROC curves of two and more classes from the influence of each row on them (DeLong 1988; Hand and Till 2001).

The area is a mean over pairs of rows of different classes. With `influence` u (n,) its variance is sum u^2, the covariance with
another area on the same rows sum u v, and both equal DeLong's. Means and differences of areas have the same mean or difference
of influences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri, stdtrit
from scipy.stats import rankdata

from qaudit.core.evidence import Interval
from qaudit.core.inference.estimate import Estimate, cluster_totals
from qaudit.core.inference.intervals import LEVEL, clopper_pearson, zero_bound
from qaudit.core.tensor import Floats

FEW = 10
"""With fewer rows of one class DeLong's interval is a rough one, and says so."""
ONE_CLASS = "one class only among these rows"
UNMOVED = "no pair of rows changed its order"
ALIKE = "every row moved past as many others as any other row of its class"
"""As where scores that separated the classes are all the same now: DeLong's variance is 0, and says nothing."""
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
    """Area under the curve, with the wider ends of two intervals.

    DeLong's on the logit scale, with degrees of freedom for the rows of the two classes, covers too little where few rows
    overlap; the score interval of Newcombe (2006, his method 5) where the scores of the classes spread unequally. Where the
    scores separate the classes an exact interval takes the place of DeLong's. With `clusters` (n,) there is DeLong's alone.
    """
    whole = area(positive, score)
    if whole is None:
        return Estimate(None, None, len(positive), ONE_CLASS if len(positive) else "no rows")
    if whole.value in (0.0, 1.0):
        return _separated(whole, positive, clusters)
    estimate = _level(whole, clusters, _spread(whole.influence, positive) if clusters is None else None)
    if estimate.interval is None or clusters is not None:
        return estimate
    return replace(estimate, interval=_wider(estimate.interval, score_interval(whole.value, positive), "delong (logit)"))


def auc_change(positive: NDArray[np.bool_], before: Floats, after: Floats, *, clusters: NDArray[Any] | None = None) -> Estimate:
    """Area after minus before on the same rows."""
    first, second = area(positive, before), area(positive, after)
    if first is None or second is None:
        return Estimate(None, None, len(positive), ONE_CLASS if len(positive) else "no rows")
    change = _combined([second, first], [1.0, -1.0])
    if not change.influence.any():
        return _unmoved(change, len(positive), clusters)
    return _change(change, clusters)


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
    return _level(whole, clusters, None)


def multiclass_auc_change(before: Area | None, after: Area | None, n: int, *, clusters: NDArray[Any] | None = None) -> Estimate:
    """Change of a mean of areas on the same rows."""
    if before is None or after is None:
        return Estimate(None, None, n, "a class has no rows")
    change = _combined([after, before], [1.0, -1.0])
    if not change.influence.any():
        return Estimate(change.value, None, n, f"no interval: {ALIKE if change.value else UNMOVED}")
    return _change(change, clusters)


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


def score_interval(value: float, positive: NDArray[np.bool_], level: float = LEVEL) -> Interval:
    """Areas from which `value` is no further than z standard errors of that area itself (Newcombe 2006, method 5).

    The variance follows Hanley and McNeil's exponential model with the mean of the two numbers of rows and is not 0 at 1.
    """
    p = int(np.sum(positive))
    q = len(positive) - p
    rows, z = (p + q) / 2 - 1, float(ndtri(0.5 + level / 2))

    def inside(area: float) -> bool:
        variance = area * (1 - area) * (1 + rows * (1 - area) / (2 - area) + rows * area / (1 + area)) / (p * q)
        return abs(value - area) <= z * math.sqrt(variance)

    return Interval(_boundary(inside, value, 0.0), _boundary(inside, value, 1.0), level, "newcombe 2006 (method 5)")


def _boundary(inside: Callable[[float], bool], value: float, end: float) -> float:
    """The last area from `value`, which is inside, towards `end`, by bisection."""
    near, far = value, end
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (middle, far) if inside(middle) else (near, middle)
    return far


def _level(whole: Area, clusters: NDArray[Any] | None, degrees: float | None) -> Estimate:
    """The interval of an area between 0 and 1, on the logit scale (Qin and Hotilovac 2008)."""
    n = len(whole.influence)
    error, units, nothing = _error(whole.influence, clusters)
    if nothing:
        return Estimate(whole.value, None, n, nothing)
    half = _quantile(degrees) * error / (whole.value * (1 - whole.value))
    middle = math.log(whole.value / (1 - whole.value))
    method = "delong (logit)" if clusters is None else f"delong (logit) over {units} clusters"
    return Estimate(whole.value, Interval(_logistic(middle - half), _logistic(middle + half), LEVEL, method), n, _few(whole))


def _change(change: Area, clusters: NDArray[Any] | None) -> Estimate:
    n = len(change.influence)
    error, units, nothing = _error(change.influence, clusters)
    if nothing:
        return Estimate(change.value, None, n, nothing)
    half, method = _quantile(None) * error, "delong" if clusters is None else f"delong over {units} clusters"
    return Estimate(
        change.value, Interval(max(-1.0, change.value - half), min(1.0, change.value + half), LEVEL, method), n, _few(change)
    )


def _error(influence: Floats, clusters: NDArray[Any] | None) -> tuple[float, int, str]:
    """Standard error, rows or clusters behind it, and why there is none."""
    if np.isnan(influence).any():
        return math.nan, 0, "no interval: fewer than 2 rows of one class"
    parts = cluster_totals(influence, clusters)
    units = len(parts)
    if units < 2:
        return math.nan, units, "no interval: one cluster"
    scale = 1.0 if clusters is None else units / (units - 1)
    return math.sqrt(scale * math.fsum((parts * parts).tolist())), units, ""


def _spread(influence: Floats, positive: NDArray[np.bool_]) -> float:
    """Degrees of freedom of the sum of the variances of the two classes (Welch 1947)."""
    parts = [math.fsum(np.square(influence[rows]).tolist()) for rows in (positive, ~positive)]
    total = sum(parts)
    if not total > 0.0:
        return math.inf
    p = int(np.sum(positive))
    # none of them is 0: the influence of one row alone is not a number, and neither is the total then
    rows = (p - 1, len(positive) - p - 1)
    return 1.0 / sum((part / total) ** 2 / count for part, count in zip(parts, rows, strict=True))


def _quantile(degrees: float | None) -> float:
    level = 0.5 + LEVEL / 2
    return float(ndtri(level)) if degrees is None or math.isinf(degrees) else float(stdtrit(degrees, level))


def _logistic(x: float) -> float:
    return float(expit(x))


def _few(whole: Area) -> str | None:
    return f"rough interval: one class has {whole.fewest} rows" if whole.fewest < FEW else None


def _wider(a: Interval, b: Interval, name: str) -> Interval:
    return Interval(min(a.low, b.low), max(a.high, b.high), a.level, f"{name} and {b.method}, the wider ends")


def _separated(whole: Area, positive: NDArray[np.bool_], clusters: NDArray[Any] | None) -> Estimate:
    """Each of the `fewest` disjoint pairs, drawn anyhow, is ordered alike: a count of all or none."""
    n = len(positive)
    if clusters is not None:
        return Estimate(whole.value, None, n, "no interval: the scores separate the classes, and rows belong to clusters")
    ends = clopper_pearson(round(whole.value) * whole.fewest, whole.fewest)
    exact = Interval(ends.low, ends.high, LEVEL, SEPARATED)
    return Estimate(
        whole.value, _wider(exact, score_interval(whole.value, positive), SEPARATED), n, "the scores separate the classes"
    )


def _unmoved(change: Area, n: int, clusters: NDArray[Any] | None) -> Estimate:
    """No pair changed its order, so none of the disjoint pairs did; the change is at most the share of pairs that would."""
    if change.value:
        return Estimate(change.value, None, n, f"no interval: {ALIKE}")
    if clusters is not None:
        return Estimate(change.value, None, n, f"no interval: {UNMOVED}, and rows belong to clusters")
    half = zero_bound(change.fewest)
    return Estimate(change.value, Interval(-half, half, LEVEL, SEPARATED), n, UNMOVED)
