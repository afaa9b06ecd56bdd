"""How well predicted numbers fit the truth."""

from __future__ import annotations

import numpy as np

from qaudit.core.measures.changes import Number
from qaudit.core.tensor import Floats


def r2(truth: Floats, predicted: Floats) -> Number:
    """1 - residual / total sum of squares; not assessed for one row or a constant target."""
    n = len(truth)
    if n < 2:
        return Number(None, None, n, "fewer than 2 rows")
    # tested on the values: the mean of equal numbers may be off by a bit, and then the total is not exactly zero
    if np.ptp(truth) == 0.0:
        return Number(None, None, n, "the target is the same in every row")
    total = float(np.sum(np.square(truth - truth.mean())))
    if total == 0.0:
        return Number(None, None, n, "the target varies too little to be squared")
    return Number(float(1.0 - np.sum(np.square(truth - predicted)) / total), None, n)


def mae(truth: Floats, predicted: Floats) -> Number:
    """Mean absolute error, in the unit of the target."""
    if len(truth) == 0:
        return Number(None, None, 0, "no rows")
    return Number(float(np.mean(np.abs(truth - predicted))), None, len(truth))


def rmse(truth: Floats, predicted: Floats) -> Number:
    """Root of the mean squared error, in the unit of the target."""
    if len(truth) == 0:
        return Number(None, None, 0, "no rows")
    return Number(float(np.sqrt(np.mean(np.square(truth - predicted)))), None, len(truth))
