"""Means of two rows, two clusters and two groups of two: the fewest that have an interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from qaudit.core.inference.means import mean_interval

QUANTILE = stats.t.ppf(0.975, 1)


def test_two_rows_have_an_interval() -> None:
    result = mean_interval(np.array([1.0, 2.0]))
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((1.5 - QUANTILE / 2, 1.5 + QUANTILE / 2))


def test_two_clusters_have_an_interval() -> None:
    result = mean_interval(np.array([1.0, 2.0, 2.0, 3.0]), clusters=np.array([0, 0, 1, 1]))
    half = QUANTILE * math.sqrt(2 * (1 + 1)) / 4
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((2 - half, 2 + half))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("steps", "given"), [(8, False), (12, True)])
def test_a_spread_in_the_last_digit_is_none(sign: float, steps: int, given: bool) -> None:
    """The standard error is 8.9e-16 of the mean, which is rounding, or 1.3e-15."""
    deviation = steps * 2.0**-53
    result = mean_interval(sign * np.array([1.0 - deviation, 1.0 + deviation]))
    assert result.value == sign
    assert (result.interval is not None) == given
