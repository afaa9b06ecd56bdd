"""Exact intervals of thousands of counts at once; scipy's binomtest, which searches for its ends, needs milliseconds for one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from qaudit.core.inference.intervals import LEVEL
from qaudit.core.tensor import Floats


def clopper_pearson_ends(counts: NDArray[Any], n: NDArray[Any], level: float = LEVEL) -> tuple[Floats, Floats]:
    """Lower and upper ends (...) of the exact intervals of counts of n > 0 (...): quantiles of beta laws (Clopper, Pearson 1934).

    Counts need not be whole: between them the ends are interpolated monotonically, which searches for a number of rows use.
    """
    counts, n = np.broadcast_arrays(np.asarray(counts, dtype=np.float64), np.asarray(n, dtype=np.float64))
    tail = (1.0 - level) / 2.0
    some, rest = counts > 0, counts < n
    low = betaincinv(np.where(some, counts, 1.0), np.where(some, n - counts + 1.0, 1.0), tail)
    high = betaincinv(np.where(rest, counts + 1.0, 1.0), np.where(rest, n - counts, 1.0), 1.0 - tail)
    return np.where(some, low, 0.0), np.where(rest, high, 1.0)


def wilson_ends(counts: NDArray[Any], n: NDArray[Any], level: float = LEVEL) -> tuple[Floats, Floats]:
    """Lower and upper ends (...) of score intervals of counts, whole or not, of n > 0 (...) (Wilson 1927)."""
    counts, n = np.asarray(counts, dtype=np.float64), np.asarray(n, dtype=np.float64)
    z = float(ndtri(0.5 + level / 2.0))
    share = counts / n
    middle, width = counts + z * z / 2.0, z * np.sqrt(counts * (1.0 - share) + z * z / 4.0)
    scale = n + z * z
    low = np.where(counts == 0, 0.0, (middle - width) / scale)
    return np.asarray(low), np.where(counts == n, 1.0, (middle + width) / scale)
