"""Shares of few rows: counts, correlations that are 0, and differences of groups without a case."""

from __future__ import annotations

import numpy as np
import pytest

from qaudit.core.evidence import Interval
from qaudit.core.inference.classes import precision_change, recall_change
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.groups import Count, difference_of, group_rates, intersections, largest_gap, newcombe_independent
from qaudit.core.inference.intervals import newcombe_paired, wilson
from qaudit.core.inference.many_counts import clopper_pearson_ends, wilson_ends


def test_every_fixed_row_counts() -> None:
    truth = np.ones(9, dtype=int)
    before, after = np.array([1, 1, 1, 0, 0, 0, 0, 1, 0]), np.array([1, 1, 0, 1, 1, 1, 0, 0, 0])
    result = recall_change(truth, before, after, 1)
    assert result.value == pytest.approx(1 / 9)
    assert result.interval == newcombe_paired(2, 2, 3, 2)


def independent(after: tuple[int, int], before: tuple[int, int]) -> tuple[float, float]:
    """Ends of the difference of two shares without a correlation."""
    now, was = after[0] / after[1], before[0] / before[1]
    (low, high), (low_before, high_before) = wilson(*after), wilson(*before)
    return now - was - np.hypot(now - low, high_before - was), now - was + np.hypot(high - now, was - low_before)


@pytest.mark.parametrize(
    ("truth", "before", "after", "shares"),
    [
        # one of the shares is 1, and does not vary with the rows
        ([1, 1, 0, 1], [1, 1, 1, 0], [1, 1, 0, 1], ((3, 3), (2, 3))),
        # one shared row, whose part is less than the correction
        ([1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0], ((1, 2), (1, 2))),
    ],
)
def test_precisions_without_a_correlation(
    truth: list[int], before: list[int], after: list[int], shares: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    result = precision_change(np.array(truth), np.array(before), np.array(after), 1)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx(independent(*shares), abs=1e-12)


def test_a_difference_without_rows_says_how_many_there_are() -> None:
    assert newcombe_independent(Count(0, 0), Count(1, 2)) == Estimate(None, None, 2, "no rows")


def test_a_difference_holds_at_the_lower_of_two_levels() -> None:
    a, b = (Estimate(0.3, Interval(0.0, 0.7, level, "x"), 10) for level in (0.9, 0.95))
    for result in (difference_of(a, b), difference_of(b, a)):
        assert result.interval is not None
        assert result.interval.level == 0.9


def test_a_group_without_a_case_has_the_lowest_rate() -> None:
    gap = largest_gap(group_rates({"a": Count(0, 40), "b": Count(30, 40), "c": Count(9, 40)}))
    assert gap is not None
    assert (gap[0].group, gap[1].group) == ("b", "a")


def test_intersections_are_of_two_columns_unless_more_are_asked_for() -> None:
    columns = {name: np.array(["x", "y"]) for name in ("a", "b", "c")}
    assert max(title.count("=") for title in intersections(columns)) == 2
    assert max(title.count("=") for title in intersections(columns, depth=3)) == 3


def test_ends_of_counts_in_half_the_precision_have_all_digits() -> None:
    for ends in (clopper_pearson_ends, wilson_ends):
        short = ends(np.array([0, 3, 7], dtype=np.float32), np.array(7, dtype=np.float32))
        assert [each.tolist() for each in short] == [each.tolist() for each in ends(np.array([0, 3, 7]), np.array(7))]
