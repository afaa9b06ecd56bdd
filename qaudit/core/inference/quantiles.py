"""Intervals of quantiles from the order of rows alone."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from qaudit.core.evidence import Interval
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import LEVEL
from qaudit.core.tensor import Floats


def quantile_interval(values: Floats, q: float, level: float = LEVEL) -> Estimate:
    """The q-quantile of values (n,), 0 < q < 1, linear between two of them, with an interval that ends at two of them.

    The number of values below the quantile is binomial whatever their distribution, so that the ranks of the ends follow
    (Thompson 1936; David and Nagaraja 2003, section 7.1). Few values have no end on the far side, and then no interval.
    """
    n = len(values)
    if n == 0:
        return Estimate(None, None, 0, "no rows")
    value = float(np.quantile(values, q))
    tail = (1.0 - level) / 2.0
    # at most `first` values lie below the quantile with a chance of `tail` at most, and fewer than `last` with 1 - tail at least
    first, last = int(binom.ppf(tail, n, q)), int(binom.ppf(1.0 - tail, n, q)) + 1
    if first < 1 or last > n:
        return Estimate(value, None, n, f"no interval: {n} rows are too few for a quantile of {q:.0%}")
    low, high = np.partition(values, (first - 1, last - 1))[[first - 1, last - 1]]
    return Estimate(value, Interval(float(low), float(high), level, f"ranks {first:,} and {last:,} (binomial)"), n)
