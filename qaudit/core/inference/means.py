"""Intervals of means of rows: log loss, Brier score, mean absolute error, and their changes on the same rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from qaudit.core.evidence import Interval
from qaudit.core.inference.bootstrap import REPLICATES, Statistic, studentized_interval
from qaudit.core.inference.estimate import Estimate, cluster_totals, exact_mean
from qaudit.core.inference.intervals import LEVEL
from qaudit.core.inference.row_keys import Keys
from qaudit.core.tensor import Floats

MEAN = Statistic(lambda m: m[:, 0], np.ones_like)
NO_SPREAD = "no interval: these rows do not vary"


def mean_interval(
    values: Floats,
    *,
    clusters: NDArray[Any] | None = None,
    lowest: float = -math.inf,
    highest: float = math.inf,
    level: float = LEVEL,
) -> Estimate:
    """Mean of values (n,) with Student's interval over rows; of paired differences it is the paired interval.

    With `clusters` (n,) the sums of residuals by cluster vary instead (Liang and Zeger 1986), with clusters - 1 degrees of
    freedom. `lowest` and `highest` are the ends of the possible values.
    """
    n = len(values)
    if n == 0:
        return Estimate(None, None, 0, "no rows")
    mean = exact_mean(values)
    residuals = cluster_totals(values - mean, clusters)
    units = len(residuals)
    if units < 2:
        return Estimate(mean, None, n, f"no interval: one {'row' if clusters is None else 'cluster'}")
    error = math.sqrt(units / (units - 1) * math.fsum((residuals * residuals).tolist())) / n
    if error <= 1e-15 * abs(mean):
        return Estimate(mean, None, n, NO_SPREAD)
    half = error * float(stdtrit(units - 1, 0.5 + level / 2))
    method = "t" if clusters is None else f"t over {units} clusters"
    return Estimate(mean, Interval(max(lowest, mean - half), min(highest, mean + half), level, method), n)


def bootstrap_mean(
    values: Floats, keys: Keys, *, clusters: NDArray[Any] | None = None, replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """Mean of values (n,) of rows with these keys with a bootstrap-t interval: for skewed values such as losses of few rows."""
    return studentized_interval(keys, values[:, None], MEAN, clusters=clusters, replicates=replicates, seed=seed)


def difference_of_means(a: Floats, b: Floats, level: float = LEVEL) -> Estimate:
    """Mean of a (n,) minus mean of b (m,) for rows of two different groups (Welch 1947)."""
    n = len(a) + len(b)
    if not len(a) or not len(b):
        return Estimate(None, None, n, "no rows")
    mean_a, mean_b = exact_mean(a), exact_mean(b)
    difference = mean_a - mean_b
    if min(len(a), len(b)) < 2:
        return Estimate(difference, None, n, "no interval: one row in a group")
    part_a, part_b = _squared_error(a, mean_a), _squared_error(b, mean_b)
    total = part_a + part_b
    if total == 0.0:
        return Estimate(difference, None, n, NO_SPREAD)
    # as shares of the total, so that no square leaves the range of floats
    share_a, share_b = part_a / total, part_b / total
    degrees = 1.0 / (share_a**2 / (len(a) - 1) + share_b**2 / (len(b) - 1))
    half = math.sqrt(total) * float(stdtrit(degrees, 0.5 + level / 2))
    return Estimate(difference, Interval(difference - half, difference + half, level, "welch t"), n)


def _squared_error(values: Floats, mean: float) -> float:
    residuals = values - mean
    return math.fsum((residuals * residuals).tolist()) / (len(values) - 1) / len(values)


def log_loss_rows(truth: NDArray[Any], probability: Floats, clip: float) -> Floats:
    """-log of the probability (n, k) of the true class (n,), clipped to [clip, 1 - clip]; nats a row (n,)."""
    taken = np.clip(probability[np.arange(len(truth)), truth], clip, 1.0 - clip)
    return np.asarray(-np.log(taken))


def brier_rows(truth: NDArray[Any], probability: Floats, positive: int | None) -> Floats:
    """Squared distance of the probability (n, k) from the truth (n,), of the positive class or else of all classes summed."""
    if positive is not None:
        return np.asarray(np.square(probability[:, positive] - (truth == positive)))
    return np.asarray(np.sum(np.square(probability - (truth[:, None] == np.arange(probability.shape[1]))), axis=1))
