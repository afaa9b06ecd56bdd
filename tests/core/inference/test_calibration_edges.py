"""Calibration of few rows, whose intervals end at the possible values, and the largest value of a Brownian motion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from qaudit.core.inference.calibration import (
    _gaps,
    _reach,
    ece,
    ece_change,
    ks_calibration,
    ks_calibration_p,
    sup_brownian_cdf,
    sup_brownian_quantile,
)
from qaudit.core.inference.row_keys import row_keys

HIT = np.array([True, False, True])
KEYS = row_keys({"hit": HIT})
RIGHT, WRONG = HIT * 0.98 + 0.01, HIT * -0.98 + 0.99


@pytest.mark.parametrize("x", [0.2, 0.4, 0.6, 0.8, 0.95, 1.0, 1.05, 1.5, 2.0, 3.0, 8.0, 20.0])
def test_the_distribution_of_the_largest_value_equals_its_reflections(x: float) -> None:
    terms = ((-1) ** k * (norm.cdf((2 * k + 1) * x) - norm.cdf((2 * k - 1) * x)) for k in range(-300, 301))
    assert sup_brownian_cdf(x) == pytest.approx(math.fsum(terms), abs=1e-14)


def test_a_quantile_of_the_largest_value_leaves_four_normal_tails() -> None:
    """The other terms lie beyond three times the quantile."""
    for level in (0.9, 0.95, 0.99):
        assert sup_brownian_quantile(level) == pytest.approx(norm.isf((1 - level) / 4), abs=1e-7)
    assert sup_brownian_cdf(sup_brownian_quantile(0.1)) == pytest.approx(0.1, abs=1e-12)
    assert sup_brownian_cdf(0.0) == sup_brownian_cdf(-1.0) == 0.0


def test_intervals_of_few_rows_end_at_the_possible_values() -> None:
    binned, curve = ece(HIT, WRONG, KEYS).estimate, ks_calibration(HIT, WRONG)
    for result in (binned, curve):
        assert result.interval is not None
        assert result.interval.high == 1.0
        assert 0.5 < (result.value or 0.0) < 1.0
    change = ece_change(HIT, RIGHT, HIT, WRONG, KEYS)
    assert change.interval is not None
    assert (change.interval.low, change.interval.high) == (-1.0, 1.0)
    assert change.value == pytest.approx(0.98)


def test_few_rows_have_a_p_value() -> None:
    p = ks_calibration_p(HIT, RIGHT)
    assert p is not None
    assert 0.5 < p <= 1.0


def test_confidences_outside_of_0_to_1_count_in_the_end_bins() -> None:
    outside = np.array([1.2, -0.1, 0.5])
    assert ece(HIT, outside, KEYS, bins=2).estimate.value == pytest.approx(abs(1.2 - 1 + 0) / 3 + abs(-0.1 + 0.5 - 1) / 3)
    # an event is at most certain: only the second and the third row have a variance
    p = ks_calibration_p(HIT, np.array([1.2, 0.5, 0.5]))
    assert p == pytest.approx(1 - sup_brownian_cdf(0.2 / math.sqrt(0.5)))


def test_replicates_without_rows_do_not_count() -> None:
    """In a third of the replicates the only row is not drawn."""
    one = ece(HIT[:1], RIGHT[:1], KEYS[:1]).estimate
    assert one.interval is not None
    assert (one.interval.low, one.interval.high) == pytest.approx((0.0, 0.02), abs=1e-4)
    gaps, drawn = _gaps(np.arange(300.0)[:, None], row_keys({"x": np.arange(300.0)}), None, 7, 0)
    assert gaps == pytest.approx([149.5])
    assert drawn.shape == (7, 1)
    assert not (drawn == gaps).any()


def test_the_reach_is_the_next_larger_distance() -> None:
    # 95 % of 1001 are 950.95
    assert _reach(np.zeros(1), np.arange(1.0, 1001.0)[::-1, None], 0.95) == 951.0


def test_empty_bins_do_not_count() -> None:
    hit = np.arange(400) % 2 == 0
    result = ece(hit, np.full(400, 0.9), row_keys({"x": np.arange(400)}))
    assert result.estimate.value == pytest.approx(0.4)
    assert result.debiased == pytest.approx(0.4, abs=1e-9)
    assert result.estimate.interval is not None
    assert result.estimate.interval.method == "15 bins of equal width, L1 band (1999 Poisson replicates)"


def test_rows_of_one_confidence_come_together() -> None:
    hit = np.array([False, True, False, False])
    # up to 0.2: 0.2; up to 0.5: 0.2; up to 0.6: 0.8, and not 0.7 between the two rows with 0.5
    assert ks_calibration(hit[:3], np.array([0.2, 0.5, 0.5])).value == pytest.approx(0.2 / 3)
    assert ks_calibration(hit, np.array([0.2, 0.5, 0.5, 0.6])).value == pytest.approx(0.8 / 4)
