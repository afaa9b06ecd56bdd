"""How far probabilities are from the shares of rows that come true: with bins, and by a curve without bins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from qaudit.core.evidence import Interval
from qaudit.core.inference.bootstrap import REPLICATES, replicated_sums
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import LEVEL
from qaudit.core.inference.row_keys import Keys
from qaudit.core.inference.weighted_sums import calibrated_sums, grouped_sums
from qaudit.core.tensor import Floats

BINS = 15


@dataclass(frozen=True, slots=True)
class BinnedError:
    """The expected calibration error over `bins` bins of equal width, and the same without the part that chance alone makes."""

    estimate: Estimate
    debiased: float | None
    bins: int


def ece(
    hit: NDArray[np.bool_],
    confidence: Floats,
    keys: Keys,
    *,
    clusters: NDArray[Any] | None = None,
    dependent: bool = True,
    bins: int = BINS,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = LEVEL,
) -> BinnedError:
    """Expected calibration error of confidence (n,) and whether it came true (n,), for rows with these keys (n,).

    The error is the length, in absolute values, of the vector of gaps of the bins. By the triangle inequality it is off by at
    most the length of the vector's own error. The interval takes the 95 % quantile of that length over the bootstrap or over
    events drawn with the stated probabilities, whichever is larger: rows without an event do not show how events spread.

    With the keys of `clusters` (n,) weights are drawn by cluster, and events are normal: those of one cluster all alike, or
    not `dependent`, where clusters are groups made at random.
    """
    if not len(hit):
        return BinnedError(Estimate(None, None, 0, "no rows"), None, bins)
    gaps, replicated = _gaps(_by_bin(hit, confidence, bins), keys, clusters, replicates, seed)
    if clusters is None:
        drawn = calibrated_sums(keys, confidence, _index(confidence, bins), bins, replicates, seed) / len(keys)
    else:
        drawn = _normal_events(confidence, clusters if dependent else None, bins, replicates, seed) / len(keys)
    value, reach = float(np.abs(gaps).sum()), max(_reach(gaps, replicated, level), _reach(np.zeros(bins), drawn, level))
    interval = Interval(max(0.0, value - reach), min(1.0, value + reach), level, _method(bins, replicates))
    return BinnedError(Estimate(value, interval, len(hit)), _debiased(hit, confidence, bins, gaps), bins)


def ece_change(
    hit_before: NDArray[np.bool_],
    confidence_before: Floats,
    hit_after: NDArray[np.bool_],
    confidence_after: Floats,
    keys: Keys,
    *,
    clusters: NDArray[Any] | None = None,
    bins: int = BINS,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Calibration error after minus before on the same rows.

    The change is at most the length of the difference of the two vectors of gaps, and that is known up to the 95 % quantile of
    its own error: the interval is their sum to both sides of 0, conservative.
    """
    if not len(keys):
        return Estimate(None, None, 0, "no rows")
    before, after = _by_bin(hit_before, confidence_before, bins), _by_bin(hit_after, confidence_after, bins)
    size = len(keys)
    first, _ = _gaps(before, keys, clusters, 0, seed)
    second, _ = _gaps(after, keys, clusters, 0, seed)
    value = float(np.abs(second).sum()) - float(np.abs(first).sum())
    if np.array_equal(before, after):
        return Estimate(value, None, size, "no interval: no confidence changed")
    moved, replicated = _gaps(after - before, keys, clusters, replicates, seed)
    half = float(np.abs(moved).sum()) + _reach(moved, replicated, level)
    return Estimate(value, Interval(max(-1.0, -half), min(1.0, half), level, _method(bins, replicates)), size)


def ks_calibration(hit: NDArray[np.bool_], confidence: Floats, *, level: float = LEVEL) -> Estimate:
    """Largest mean of (confidence - hit) over all rows (n,) up to a confidence, in absolute value (Gupta and others 2021).

    The curve's error is a Gaussian process with at most the covariance of a Brownian motion of variance mean(residual^2) / n, so
    that the quantile of its largest value is an upper bound (Anderson 1955): conservative.
    """
    n = len(hit)
    if n == 0:
        return Estimate(None, None, 0, "no rows")
    value = _largest(hit, confidence)
    # rows without an event do not show how events spread: at least as much as the stated probabilities say
    squares = max(math.fsum(np.square(confidence - hit).tolist()), _event_variance(confidence))
    reach = sup_brownian_quantile(level) * math.sqrt(squares) / n
    return Estimate(value, Interval(max(0.0, value - reach), min(1.0, value + reach), level, "brownian band, no bins"), n)


def ks_calibration_p(hit: NDArray[np.bool_], confidence: Floats) -> float | None:
    """p value of calibration: the largest value of the curve against Brownian motion (Arrieta-Ibarra and others 2022).

    Only for probabilities that could be right: None where all of them are 0 or 1, or there are no rows.
    """
    variance = _event_variance(confidence)
    if not variance > 0.0:
        return None
    return 1.0 - sup_brownian_cdf(_largest(hit, confidence) * len(hit) / math.sqrt(variance))


def sup_brownian_cdf(x: float) -> float:
    """Chance that a Brownian motion on [0, 1] stays within [-x, x] (Feller 1971, chapter X.5)."""
    if x <= 0.0:
        return 0.0
    if x < 1.0:
        terms = ((-1) ** k / (2 * k + 1) * math.exp(-(((2 * k + 1) * math.pi / x) ** 2) / 8) for k in range(20))
        return 4 / math.pi * math.fsum(terms)
    # the same by reflections, which need few terms where x is large
    terms = ((-1) ** k * float(ndtr((2 * k + 1) * x) - ndtr((2 * k - 1) * x)) for k in range(-20, 21))
    return math.fsum(terms)


@cache
def sup_brownian_quantile(level: float) -> float:
    """The x within which a Brownian motion on [0, 1] stays with chance `level`, by bisection."""
    low, high = 0.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if sup_brownian_cdf(middle) < level else (low, middle)
    return high


def _index(confidence: Floats, bins: int) -> NDArray[np.int64]:
    # bins are (low, high]; what lies outside [0, 1] falls into the end bins
    return np.asarray(np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1), dtype=np.int64)


def _event_variance(confidence: Floats) -> float:
    inside = np.clip(confidence, 0.0, 1.0)
    return math.fsum((inside * (1.0 - inside)).tolist())


def _by_bin(hit: NDArray[np.bool_], confidence: Floats, bins: int) -> Floats:
    """(n, bins): confidence - hit in the bin of the row, else 0."""
    columns = np.zeros((len(hit), bins))
    columns[np.arange(len(hit)), _index(confidence, bins)] = confidence - hit
    return columns


def _gaps(columns: Floats, keys: Keys, clusters: NDArray[Any] | None, replicates: int, seed: int) -> tuple[Floats, Floats]:
    """Means of the columns: (bins,) observed, (replicates, bins) of those replicates that have rows."""
    sums, sizes = replicated_sums(columns, keys, clusters, replicates, seed)
    filled = sizes > 0
    means = sums[filled] / sizes[filled, None]
    return means[0], means[1:]


def _normal_events(confidence: Floats, clusters: NDArray[Any] | None, bins: int, replicates: int, seed: int) -> Floats:
    """(replicates, bins): sums of probability - event by bin, normal with the variance of the stated probabilities.

    The events of one cluster come together, whose standard deviations add up.
    """
    inside = np.clip(confidence, 0.0, 1.0)
    spread, index = np.sqrt(inside * (1.0 - inside)), _index(confidence, bins)
    if clusters is None:
        variance = grouped_sums(np.square(spread)[:, None], index, bins)[:, 0]
    else:
        names, unit = np.unique(clusters, return_inverse=True)
        cells = grouped_sums(spread[:, None], unit.reshape(-1) * bins + index, len(names) * bins)
        variance = np.square(cells.reshape(len(names), bins)).sum(axis=0)
    normal = np.random.Generator(np.random.Philox(seed)).standard_normal((replicates, bins))
    return np.asarray(normal * np.sqrt(variance))


def _reach(gaps: Floats, replicated: Floats, level: float) -> float:
    distances = np.sort(np.abs(replicated - gaps).sum(axis=1))
    return float(distances[min(len(distances), math.ceil((len(distances) + 1) * level)) - 1])


def _debiased(hit: NDArray[np.bool_], confidence: Floats, bins: int, gaps: Floats) -> float:
    """Twice the error minus what it would be on average around these gaps (as Kumar, Liang and Ma 2019, in closed form)."""
    index, n = _index(confidence, bins), len(hit)
    squares = np.square(confidence - hit)
    second = np.array([math.fsum(squares[index == each].tolist()) for each in range(bins)]) / n
    spread = np.sqrt(np.maximum(second - np.square(gaps), 0.0) / n)
    sizes = np.abs(gaps)
    with np.errstate(all="ignore"):
        ratio = np.where(spread > 0, sizes / spread, np.inf)
    # mean of |x| for normal x with that mean and spread
    folded = spread * math.sqrt(2 / math.pi) * np.exp(-np.square(ratio) / 2) + sizes * (1.0 - 2.0 * ndtr(-ratio))
    return max(0.0, float(2.0 * sizes.sum() - folded.sum()))


def _largest(hit: NDArray[np.bool_], confidence: Floats) -> float:
    """Largest absolute mean of the residuals of the rows up to a confidence; rows of one confidence come together."""
    order = np.lexsort((hit, confidence))
    ordered = confidence[order]
    curve = np.cumsum(ordered - hit[order])
    ends = np.concatenate([ordered[1:] != ordered[:-1], [True]])
    return float(np.abs(curve[ends]).max()) / len(hit)


def _method(bins: int, replicates: int) -> str:
    return f"{bins} bins of equal width, L1 band ({replicates} Poisson replicates)"
