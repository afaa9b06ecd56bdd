"""The interval of the ratio of signal to quantization noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.inference.bootstrap import REPLICATES, Statistic, studentized_interval
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.row_keys import Keys
from qaudit.core.tensor import Floats

SQNR = Statistic(
    lambda m: 10.0 * (np.log10(m[:, 0]) - np.log10(m[:, 1])),
    lambda m: 10.0 / math.log(10.0) * np.stack([1.0 / m[:, 0], -1.0 / m[:, 1]], axis=1),
)
"""Columns: the squares of the signal and of the noise."""


def sqnr_db(
    signal: Floats, noise: Floats, keys: Keys, *, clusters: NDArray[Any] | None = None,
    replicates: int = REPLICATES, seed: int = 0,
) -> Estimate:  # fmt: skip
    """10 log10(mean signal / mean noise) of squares of rows (n,) in dB, with a bootstrap-t interval."""
    if len(keys) and not noise.any():
        return Estimate(None, None, len(keys), "no difference: the ratio has no finite value")
    return studentized_interval(keys, np.column_stack([signal, noise]), SQNR, clusters=clusters, replicates=replicates, seed=seed)
