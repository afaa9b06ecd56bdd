"""Which replicates count, and from where on there is no interval."""

from __future__ import annotations

import numpy as np
import pytest

from qaudit.core.inference.bootstrap import IDENTITY, LOG, REPLICATES, Statistic, _interval, studentized_interval
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.means import MEAN
from qaudit.core.inference.row_keys import row_keys

DRAWN = 1000


def interval_of(error: float = 1.0, odd: int = 0, odd_error: float = 1.0, odd_value: float = 1.5, value: float = 1.0) -> Estimate:
    """The interval of a value with `odd` replicates among many that lie up to 2 standard errors around it."""
    values = np.concatenate([[value], value + error * np.linspace(-2.0, 2.0, DRAWN)])
    errors = np.full(1 + DRAWN, error)
    values[1 : 1 + odd], errors[1 : 1 + odd] = odd_value, odd_error
    return _interval(value, values, errors, IDENTITY, 50, 0.95)


def test_the_rank_of_the_quantile_is_a_whole_number() -> None:
    assert (REPLICATES + 1) * 95 % 100 == 0
    assert REPLICATES == 1999


def test_one_per_cent_of_the_replicates_may_be_without_a_value() -> None:
    assert interval_of(odd=10, odd_value=np.nan).interval is not None
    lost = interval_of(odd=11, odd_value=np.nan)
    assert (lost.value, lost.interval) == (1.0, None)
    assert lost.reason == "no interval: the value is not defined in 1.1% of the replicates"


def test_a_millionth_of_the_standard_error_is_no_spread() -> None:
    assert interval_of(odd=11, odd_error=1.1e-6).interval is not None
    assert interval_of(odd=11, odd_error=0.9e-6).interval is None


def test_a_spread_in_the_last_digits_is_none() -> None:
    assert interval_of(error=1.2e-14).interval is not None
    for value in (1.0, -1.0):
        flat = interval_of(error=0.9e-14, value=value)
        assert (flat.interval, flat.reason) == (None, "no interval: these rows do not vary")


def test_the_quantile_is_the_next_larger_distance() -> None:
    # 95 % of 1001 are 950.95: the 951st of 1000 distances
    half = np.sort(np.abs(np.linspace(-2.0, 2.0, DRAWN)))[950]
    result = interval_of()
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((1 - half, 1 + half), abs=1e-12)


def test_a_value_without_a_place_on_the_scale_is_not_assessed() -> None:
    below = -np.arange(1.0, 30.0)
    result = studentized_interval(row_keys({"x": below}), below[:, None], Statistic(MEAN.value, MEAN.gradient, LOG))
    assert result == Estimate(None, None, 29, "not defined on these rows")


def test_the_seed_is_0_unless_another_is_given() -> None:
    values = np.sqrt(np.arange(40.0))[:, None]
    keys = row_keys({"x": values[:, 0]})
    assert studentized_interval(keys, values, MEAN) == studentized_interval(keys, values, MEAN, seed=0)
    assert studentized_interval(keys, values, MEAN) != studentized_interval(keys, values, MEAN, seed=1)


@pytest.mark.parametrize("replicates", [1, 2])
def test_few_replicates_take_the_farthest(replicates: int) -> None:
    values = np.sqrt(np.arange(40.0))[:, None]
    assert studentized_interval(row_keys({"x": values[:, 0]}), values, MEAN, replicates=replicates).interval is not None
