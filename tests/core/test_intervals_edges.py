"""Intervals of counts where rounding and small tables decide."""

from __future__ import annotations

from itertools import product

import pytest

from qaudit.core.inference.intervals import newcombe_paired, wilson


def test_no_score_interval_leaves_zero_to_one() -> None:
    for n in (1, 2, 7, 30, 299, 1000):
        low, high = wilson(0, n)
        assert low == 0.0
        assert 0.0 < high < 1.0
        low, high = wilson(n, n)
        assert high == 1.0
        assert 0.0 < low < 1.0


def test_no_paired_interval_leaves_minus_one_to_one() -> None:
    for table in product(range(3), repeat=4):
        if sum(table):
            found = newcombe_paired(*table)
            assert -1.0 <= found.low <= found.high <= 1.0
    assert all(newcombe_paired(0, n, 0, 0).low >= -1.0 for n in (1, 2, 50))
    assert all(newcombe_paired(0, 0, n, 0).high <= 1.0 for n in (1, 2, 50))


def test_two_rows_one_right_and_one_wrong_in_both() -> None:
    """The corrected numerator is 1 - 2/2 = 0: no correlation, so the squares of both distances are added."""
    low, high = wilson(1, 2)
    found = newcombe_paired(1, 0, 0, 1)
    assert found.low == pytest.approx(-(((0.5 - low) ** 2 + (high - 0.5) ** 2) ** 0.5), abs=1e-15)
    assert found.high == pytest.approx(-found.low, abs=1e-15)
