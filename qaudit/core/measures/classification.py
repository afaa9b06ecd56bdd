"""How well class predictions fit the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from qaudit.core.evidence import Interval
from qaudit.core.inference.calibration import BINS, ks_calibration
from qaudit.core.inference.intervals import LEVEL, newcombe_paired
from qaudit.core.measures.changes import CLIP, Flips, Number, share
from qaudit.core.tensor import Floats

FEW = 10
"""Below this many rows of one class the DeLong interval is only approximate, and the evidence says so."""


def accuracy(truth: NDArray[Any], decided: NDArray[Any]) -> Number:
    """Share of rows (n,) decided right, with its exact interval."""
    return share(int(np.sum(truth == decided)), len(truth))


def accuracy_change(flips: Flips) -> Number:
    """Accuracy after minus before, with the paired interval of Newcombe 1998."""
    if flips.n == 0:
        return Number(None, None, 0, "no rows")
    neither = flips.n - flips.right - flips.fixed - flips.broken
    interval = newcombe_paired(flips.right, flips.broken, flips.fixed, neither)
    return Number((flips.fixed - flips.broken) / flips.n, interval, flips.n)


def roc_auc(positive: NDArray[np.bool_], score: Floats) -> Number:
    """Area under the ROC curve of score (n,), ties counted half, interval by DeLong 1988."""
    if reason := _one_class(positive):
        return Number(None, None, len(positive), reason)
    values, parts = _placements(positive, score[None, :])
    variance = _covariance(parts, positive)
    interval = None if variance is None else _normal(float(values[0]), float(variance[0, 0]), 0.0, 1.0)
    return Number(float(values[0]), interval, len(positive), _few(positive))


def auc_change(positive: NDArray[np.bool_], before: Floats, after: Floats) -> Number:
    """AUC after minus before on the same rows; interval from the covariance of the pair (DeLong 1988; Sun and Xu 2014)."""
    if reason := _one_class(positive):
        return Number(None, None, len(positive), reason)
    values, parts = _placements(positive, np.stack([before, after]))
    change = float(values[1] - values[0])
    covariance = _covariance(parts, positive)
    if covariance is None:
        return Number(change, None, len(positive), "no interval: fewer than 2 rows of one class")
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return Number(change, _normal(change, max(variance, 0.0), -1.0, 1.0), len(positive), _few(positive))


def log_loss(truth: NDArray[Any], probability: Floats) -> Number:
    """Mean of -log(probability of the true class), nats; probability (n, k) clipped to [2**-52, 1 - 2**-52]."""
    if len(truth) == 0:
        return Number(None, None, 0, "no rows")
    taken = np.clip(probability[np.arange(len(truth)), truth], CLIP, 1.0 - CLIP)
    return Number(float(-np.mean(np.log(taken))), None, len(truth))


def brier(truth: NDArray[Any], probability: Floats, positive: int | None) -> Number:
    """Brier score: mean (p - y)^2 of the positive class for two classes (0 to 1), of all classes summed otherwise (0 to 2)."""
    if len(truth) == 0:
        return Number(None, None, 0, "no rows")
    if positive is not None:
        squares = np.square(probability[:, positive] - (truth == positive))
        return Number(float(np.mean(squares)), None, len(truth))
    hot = truth[:, None] == np.arange(probability.shape[1])
    return Number(float(np.mean(np.sum(np.square(probability - hot), axis=1))), None, len(truth))


def ece(hit: NDArray[np.bool_], confidence: Floats, bins: int = BINS) -> Number:
    """Expected calibration error over equal-width bins (Guo et al. 2017): sum of share x |mean confidence - hit rate|.

    Two classes: `confidence` is the positive probability and `hit` says that the row is positive. More classes: the top
    probability, and that the top class is right. Bins are (low, high]; what lies outside [0, 1] falls into the end bins.
    """
    n = len(hit)
    if n == 0:
        return Number(None, None, 0, "no rows")
    index = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1).astype(np.int64)
    gap = np.bincount(index, weights=confidence, minlength=bins) - np.bincount(index, weights=hit, minlength=bins)
    return Number(float(np.sum(np.abs(gap)) / n), None, n)


def came_true(truth: NDArray[Any], probability: Floats, positive: int | None) -> NDArray[np.bool_]:
    """Whether the class whose probability is the score came true (n,): the positive one, or else the most probable one."""
    return np.asarray(truth == (np.argmax(probability, axis=1) if positive is None else positive))


def ks(hit: NDArray[np.bool_], confidence: Floats) -> Number:
    """Largest absolute mean of (confidence - hit) over the rows up to a confidence (Gupta and others 2021)."""
    estimate = ks_calibration(hit, confidence)
    return Number(estimate.value, estimate.interval, estimate.n, estimate.reason)


def _one_class(positive: NDArray[np.bool_]) -> str | None:
    count = int(np.sum(positive))
    if len(positive) == 0:
        return "no rows"
    if count in (0, len(positive)):
        return "one class only among these rows"
    return None


def _few(positive: NDArray[np.bool_]) -> str | None:
    count = int(np.sum(positive))
    fewest = min(count, len(positive) - count)
    return f"rough interval: one class has {fewest} rows" if fewest < FEW else None


def _placements(positive: NDArray[np.bool_], scores: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """AUC of each row of scores (m, n), and the placement values of positives (m, p) and negatives (m, q), by mid-ranks."""
    ups, downs = scores[:, positive], scores[:, ~positive]
    p, q = ups.shape[1], downs.shape[1]
    ranks = rankdata(scores, axis=1)
    of_ups = (ranks[:, positive] - rankdata(ups, axis=1)) / q
    of_downs = 1.0 - (ranks[:, ~positive] - rankdata(downs, axis=1)) / p
    # summing ranks (halves, exact) before dividing keeps the area free of the order of rows
    area = (ranks[:, positive].sum(axis=1) - p * (p + 1) / 2) / (p * q)
    return area, (of_ups, of_downs)


def _covariance(parts: tuple[Floats, Floats], positive: NDArray[np.bool_]) -> Floats | None:
    p = int(np.sum(positive))
    q = len(positive) - p
    if p < 2 or q < 2:
        return None
    return np.atleast_2d(np.cov(parts[0])) / p + np.atleast_2d(np.cov(parts[1])) / q


def _normal(value: float, variance: float, low: float, high: float) -> Interval:
    half = float(ndtri(0.5 + LEVEL / 2.0)) * variance**0.5
    return Interval(max(low, value - half), min(high, value + half), LEVEL, "delong")
