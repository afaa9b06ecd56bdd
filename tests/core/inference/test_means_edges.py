"""Means of two rows, two clusters and two groups of two: the fewest that have an interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from qaudit.core.inference.means import bootstrap_mean, log_loss_rows, mean_interval
from qaudit.core.inference.row_keys import row_keys

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


def test_probabilities_are_clipped_at_both_ends() -> None:
    sure = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert log_loss_rows(np.array([0, 0]), sure, 0.01) == pytest.approx([-math.log(0.01), -math.log(0.99)])


def test_the_seed_is_0_unless_another_is_given() -> None:
    values = np.sqrt(np.arange(40.0))
    keys = row_keys({"x": values})
    assert bootstrap_mean(values, keys) == bootstrap_mean(values, keys, seed=0)
    assert bootstrap_mean(values, keys) != bootstrap_mean(values, keys, seed=1)
