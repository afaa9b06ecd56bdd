"""Symmetric bootstrap-t intervals of smooth functions of means (Hall 1988; Efron and Tibshirani 1993, chapter 12).

Each replicate has its own standard error by the delta method, which needs sums of products of columns and nothing else, so that
blocks of rows can be added up. Percentile and BCa intervals are not offered: they cover too little in small samples
(docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Interval
from qaudit.core.inference.estimate import Estimate, exact_mean
from qaudit.core.inference.intervals import LEVEL
from qaudit.core.inference.row_keys import Keys
from qaudit.core.inference.weighted_sums import grouped_sums, weighted_sums
from qaudit.core.tensor import Floats

REPLICATES = 1999
"""So that (replicates + 1) x 95 % is a whole number."""
_LOST = 0.01
"""Share of replicates without a value above which no interval is given."""
_FLAT = 1e-6
"""Standard errors below this part of the observed one are rounding."""


@dataclass(frozen=True, slots=True)
class Transform:
    """A monotone scale on which the interval is made symmetric: the function, its derivative, and the way back."""

    name: str
    forward: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    back: Callable[[float], float]


IDENTITY = Transform("", lambda x: x, np.ones_like, lambda y: y)
LOG = Transform("log", np.log, lambda x: 1.0 / x, math.exp)
"""For what is positive, such as an error."""
LOG_ONE_MINUS = Transform("log(1 - x)", lambda x: np.log(1.0 - x), lambda x: -1.0 / (1.0 - x), lambda y: 1.0 - math.exp(y))
"""For what is below one, such as R2."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """A smooth function of means: `value` turns means (b, m) into values (b,), `gradient` into derivatives (b, m)."""

    value: Callable[[Floats], Floats]
    gradient: Callable[[Floats], Floats]
    transform: Transform = IDENTITY


def studentized_interval(
    keys: Keys,
    columns: Floats,
    statistic: Statistic,
    *,
    clusters: NDArray[Any] | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Value and interval of a statistic of the means of columns (n, m), for rows with these keys (n,).

    `clusters` (n,) are the keys of the clusters to which rows belong (`cluster_keys`); weights are then drawn by cluster.
    """
    n = len(keys)
    if n == 0:
        return Estimate(None, None, 0, "no rows")
    centre = np.array([exact_mean(column) for column in columns.T])
    # around the mean, so that variances do not vanish beside squares of means
    units, sizes, names = _units(keys, columns - centre, clusters)
    values, errors = _replicates(names, np.column_stack([sizes, units]), centre, statistic, replicates, seed)
    with np.errstate(all="ignore"):
        point = float(statistic.value(centre[None, :])[0])
    return _interval(point, values, errors, statistic.transform, n, level)


def _units(keys: Keys, columns: Floats, clusters: NDArray[Any] | None) -> tuple[Floats, Floats, Keys]:
    """Sums of columns (u, m), numbers of rows (u,) and keys (u,) of the units on which weights are drawn."""
    if clusters is None:
        return columns, np.ones(len(keys)), keys
    names, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    return grouped_sums(columns, index.reshape(-1), len(names)), sizes.astype(np.float64), names


def replicated_sums(
    columns: Floats, keys: Keys, clusters: NDArray[Any] | None, replicates: int, seed: int
) -> tuple[Floats, Floats]:
    """Sums of columns (n, m), the observed ones first, (1 + replicates, m), and the rows behind each (1 + replicates,)."""
    units, sizes, names = _units(keys, columns, clusters)
    if clusters is None:
        sums = weighted_sums(names, units, replicates, seed)
        return sums.values(), sums.weight
    values = weighted_sums(names, np.column_stack([units, sizes]), replicates, seed).values()
    return values[:, :-1], values[:, -1]


def _replicates(
    keys: Keys, base: Floats, centre: Floats, statistic: Statistic, replicates: int, seed: int
) -> tuple[Floats, Floats]:
    """Values and standard errors (1 + replicates,) on the transformed scale, the observed ones first.

    `base` (u, 1 + m): size and centred sums of each unit. With means g the statistic is f(sum of columns / sum of sizes); a
    unit's influence is f' (column - size x mean), and the variance the sum of its squares over the square of the sizes.
    """
    width = base.shape[1]
    left, right = np.triu_indices(width)
    # where all sizes are 1 the products with the size are the columns themselves
    single = bool((base[:, 0] == 1.0).all())
    products = base[:, left] * base[:, right]
    sums = weighted_sums(keys, products if single else np.hstack([base, products]), replicates, seed).values()
    moments = np.empty((len(sums), width, width))
    moments[:, left, right] = moments[:, right, left] = sums[:, -len(left) :]
    first = moments[:, 0] if single else sums[:, :width]
    with np.errstate(all="ignore"):
        shift = first[:, 1:] / first[:, :1]
        values = statistic.value(centre + shift)
        slope = statistic.transform.slope(values)[:, None] * statistic.gradient(centre + shift)
        weights = np.concatenate([-np.sum(slope * shift, axis=1, keepdims=True), slope], axis=1)
        squares = np.einsum("bi,bij,bj->b", weights, moments, weights)
        return statistic.transform.forward(values), np.sqrt(np.maximum(squares, 0.0)) / first[:, 0]


def _interval(point: float, values: Floats, errors: Floats, transform: Transform, n: int, level: float) -> Estimate:
    value, error = float(values[0]), float(errors[0])
    if not math.isfinite(point) or not math.isfinite(value):
        return Estimate(None, None, n, "not defined on these rows")
    with np.errstate(all="ignore"):
        distances = np.abs(values[1:] - value) / errors[1:]
    if not error > 1e-14 * abs(value):
        return Estimate(point, None, n, "no interval: these rows do not vary")
    # a replicate without a value or without spread counts as far off; of the differences of sums some bits may be left of none
    distances[~(np.isfinite(distances) & (errors[1:] > _FLAT * error))] = np.inf
    lost = float(np.mean(np.isinf(distances)))
    if lost > _LOST:
        return Estimate(point, None, n, f"no interval: the value is not defined in {lost:.1%} of the replicates")
    rank = min(len(distances), math.ceil((len(distances) + 1) * level))
    half = float(np.sort(distances)[rank - 1]) * error
    low, high = sorted((transform.back(value - half), transform.back(value + half)))
    return Estimate(point, Interval(low, high, level, _method(transform, len(distances))), n)


def _method(transform: Transform, replicates: int) -> str:
    scale = f" of {transform.name}" if transform.name else ""
    return f"bootstrap-t{scale} ({replicates} Poisson replicates)"
