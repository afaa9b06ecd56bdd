"""Turns raw scores into predictions as scikit-learn does. exp is that of numpy and expit that of scipy, at every size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import expit

from qaudit.core.program import Link
from qaudit.core.tensor import Floats


def identity(raw: Floats) -> Floats:
    """The scores are the predictions (regression, class probabilities of forests)."""
    return raw


def logistic(raw: Floats) -> Floats:
    """(n, 1) margin -> (n, 2): [1 - p, p]."""
    positive = expit(raw[:, 0])
    return np.stack([1 - positive, positive], axis=1)


def softmax(raw: Floats) -> Floats:
    """(n, k) -> (n, k), shifted by the largest score of each row."""
    shares = np.exp(raw - raw.max(axis=1)[:, np.newaxis])
    return np.asarray(shares / shares.sum(axis=1)[:, np.newaxis])


def ovr(raw: Floats) -> Floats:
    """One against the rest: (n, k) -> expit, divided by the sum of the row; a row of zeros becomes uniform."""
    if raw.shape[1] == 1:
        return logistic(raw)
    shares = expit(raw)
    total = shares.sum(axis=1)
    # scikit-learn gives such a row the same share for every class
    shares[total == 0] = 1
    total[total == 0] = shares.shape[1]
    return np.asarray(shares / total[:, np.newaxis])


LINKS: Mapping[Link, Callable[[Floats], Floats]] = {
    "identity": identity,
    "logistic": logistic,
    "softmax": softmax,
    "ovr": ovr,
    "margin": identity,
}


def predictions(link: Link, scale: float, raw: Floats) -> Floats:
    """Raw scores (n, outputs) -> predictions (n, k); `scale` multiplies the scores first."""
    return LINKS[link](raw if scale == 1.0 else raw * scale)
