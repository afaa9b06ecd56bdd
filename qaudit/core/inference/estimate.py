"""A number with its interval, and units that belong to clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Interval
from qaudit.core.tensor import Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its interval and the rows behind it. Where one of the two is None, `reason` says why."""

    value: float | None
    interval: Interval | None
    n: int
    reason: str | None = None


def exact_mean(values: Floats) -> float:
    """Mean of values (n,), n > 0, by an exactly rounded sum: the same bits in any order of rows (Shewchuk 1997)."""
    return math.fsum(values.tolist()) / len(values)


def cluster_totals(values: Floats, clusters: NDArray[Any] | None) -> Floats:
    """Sums of values (n,) by cluster, each exactly rounded, in no particular order; without clusters the values themselves."""
    if clusters is None:
        return values
    order = np.argsort(clusters, kind="stable")
    _, starts = np.unique(clusters[order], return_index=True)
    return np.array([math.fsum(part.tolist()) for part in np.split(values[order], starts[1:])])
