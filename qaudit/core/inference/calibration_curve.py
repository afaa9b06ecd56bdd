"""How the calibration error without bins changed, and its interval where rows belong to clusters, by the bootstrap.

The error is the largest absolute value of a curve: the mean of (confidence - hit) over the rows up to a confidence. Two curves
on the same rows differ by at most the largest absolute value of their difference, whose own error the bootstrap shows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Interval
from qaudit.core.inference.bootstrap import REPLICATES, replicated_sums
from qaudit.core.inference.calibration import ks_calibration
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import LEVEL
from qaudit.core.inference.row_keys import Keys
from qaudit.core.inference.weighted_sums import grouped_sums
from qaudit.core.tensor import Floats

POINTS = 32
"""Confidences at which the curves of replicates are compared; the observed curve is followed through every row."""


def ks_calibration_change(
    hit_before: NDArray[np.bool_],
    confidence_before: Floats,
    hit_after: NDArray[np.bool_],
    confidence_after: Floats,
    keys: Keys,
    *,
    clusters: NDArray[Any] | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Error after minus before on the same rows (n,), with an interval to both sides of 0: how far the curve moved, and the
    95 % quantile of the error of that distance. Conservative; it does not say the sign.
    """
    n = len(keys)
    if n == 0:
        return Estimate(None, None, 0, "no rows")
    before, after = ks_calibration(hit_before, confidence_before), ks_calibration(hit_after, confidence_after)
    value = (after.value or 0.0) - (before.value or 0.0)
    if np.array_equal(confidence_before, confidence_after) and np.array_equal(hit_before, hit_after):
        return Estimate(value, None, n, "no interval: no confidence changed")
    confidence = np.concatenate([confidence_after, confidence_before])
    steps = np.concatenate([confidence_after - hit_after, hit_before - confidence_before])
    moved = _largest(confidence, steps) / n
    half = moved + _reach(confidence, steps, keys, clusters, replicates, seed, level)
    return Estimate(value, Interval(max(-1.0, -half), min(1.0, half), level, _method("distance of the curves", replicates)), n)


def ks_calibration_by_cluster(
    hit: NDArray[np.bool_],
    confidence: Floats,
    keys: Keys,
    clusters: NDArray[Any],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """The error of rows (n,) that belong to clusters (n,): plus and minus the larger of the bootstrap's quantile and the band of
    independent rows."""
    alone = ks_calibration(hit, confidence, level=level)
    if alone.value is None or alone.interval is None:
        return alone
    reach = _reach(confidence, confidence - hit, keys, clusters, replicates, seed, level)
    low = min(alone.interval.low, max(0.0, alone.value - reach))
    high = max(alone.interval.high, min(1.0, alone.value + reach))
    return Estimate(alone.value, Interval(low, high, level, _method("brownian band or error of the curve", replicates)), alone.n)


def _reach(
    confidence: Floats, steps: Floats, keys: Keys, clusters: NDArray[Any] | None, replicates: int, seed: int, level: float
) -> float:
    """The quantile, over the bootstrap, of the largest error of a curve with steps (m x n,) at m confidences of n rows."""
    points = np.unique(confidence)
    if len(points) > POINTS:
        points = points[np.ceil(np.linspace(0, len(points) - 1, POINTS)).astype(np.intp)]
    n = len(keys)
    cell = np.searchsorted(points, confidence)
    if clusters is None:
        names, unit = keys, np.arange(n)
    else:
        names, unit = np.unique(clusters, return_inverse=True)
    units = np.tile(unit.reshape(-1), len(confidence) // n)
    sums = grouped_sums(steps[:, None], units * len(points) + cell, len(names) * len(points))
    sizes = np.bincount(unit.reshape(-1), minlength=len(names)).astype(np.float64)
    columns = np.column_stack([sums.reshape(len(names), len(points)), sizes])
    totals, _ = replicated_sums(columns, names, None, replicates, seed)
    filled = totals[:, -1] > 0
    curves = np.cumsum(totals[filled, :-1], axis=1) / totals[filled, -1:]
    distances = np.sort(np.abs(curves[1:] - curves[0]).max(axis=1))
    return float(distances[min(len(distances), math.ceil((len(distances) + 1) * level)) - 1])


def _largest(confidence: Floats, steps: Floats) -> float:
    """Largest absolute sum of the steps up to a confidence; equal confidences come together."""
    order = np.lexsort((steps, confidence))
    ordered, curve = confidence[order], np.cumsum(steps[order])
    ends = np.concatenate([ordered[1:] != ordered[:-1], [True]])
    return float(np.abs(curve[ends]).max())


def _method(what: str, replicates: int) -> str:
    return f"{what}, no bins ({replicates} Poisson replicates)"
