"""How many values a column may have, how small a slice may be, and which of several slices that are equally bad is taken."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import clopper_pearson
from qaudit.core.inference.means import mean_interval
from qaudit.core.inference.worst_slice import SMALLEST, Condition, Slice, _exact_sums, confirm_slice, search_worst_slice

PAIR = np.array(["x", "y"] * 100, dtype=object)
WORSE = np.where(PAIR == "y", 1.0, 0.0) * (np.arange(200) % 4 == 1)


@pytest.mark.parametrize(("values", "condition"), [(12, Condition("a", value=11.0)), (13, Condition("a", low=9.0, high=np.inf))])
def test_up_to_twelve_values_are_looked_at_one_by_one(values: int, condition: Condition) -> None:
    column = np.repeat(np.arange(float(values)), 20)
    worst = search_worst_slice({"a": column}, (column >= values - 1).astype(float), smallest=10)
    assert worst is not None
    assert worst.conditions == (condition,)


def test_up_to_twelve_texts_are_looked_at() -> None:
    column = np.repeat(np.array([f"t{number:02}" for number in range(14)], dtype=object), [9] * 12 + [8, 8])
    for last, searched in ((11, 12), (13, 12)):
        worst = search_worst_slice({"a": column}, (column == f"t{last:02}") + 0.1 * (column == "t00"), smallest=5)
        assert worst is not None
        assert worst.compared == searched
        assert worst.text() == ("a = t11" if last == 11 else "a = t00")


def test_a_slice_has_thirty_rows_unless_fewer_are_allowed() -> None:
    assert SMALLEST == 30
    column = np.array(["x"] * 30 + ["y"] * 30, dtype=object)
    outcome = (column == "y") * (np.arange(60) % 2.0)
    assert search_worst_slice({"a": column}, outcome) is not None
    assert search_worst_slice({"a": column[1:]}, outcome[1:]) is None
    assert search_worst_slice({"a": column[:-1]}, outcome[:-1]) is None


def test_slices_have_one_condition_or_two_unless_more_are_asked_for() -> None:
    bits = np.arange(80)
    columns = {name: (bits >> place & 1).astype(float) for place, name in enumerate("abc")}
    outcome = (columns["a"] * columns["b"] * columns["c"]) + bits % 5 / 10.0
    found = [search_worst_slice(columns, outcome, smallest=5, depth=depth) for depth in (1, 2, 3)]
    counts = [(len(each.conditions), each.compared) for each in found if each is not None]
    assert counts == [(1, 6), (2, 6 + 12), (3, 6 + 12 + 8)]
    assert search_worst_slice(columns, outcome, smallest=5) == found[1]


def test_a_slice_as_bad_as_the_others_is_none_and_a_little_worse_is_enough() -> None:
    even = np.arange(200) % 4 >= 2
    assert search_worst_slice({"a": PAIR}, even.astype(float)) is None
    weak = even.astype(float)
    weak[1] = 1.0
    worst = search_worst_slice({"a": PAIR}, weak)
    assert worst is not None
    assert worst.text() == "a = y"


def test_of_slices_that_are_equally_bad_the_first_name_is_taken() -> None:
    worst = search_worst_slice({"b": PAIR, "a": PAIR}, WORSE)
    assert worst is not None
    assert worst.text() == "a = y"


def test_shares_are_of_outcomes_of_0_and_1_alone() -> None:
    worst = Slice((Condition("a", value="y"),), 1, 200)
    share = confirm_slice(worst, {"a": PAIR}, WORSE)
    assert share.level == Estimate(0.5, clopper_pearson(50, 100), 100)
    mean = confirm_slice(worst, {"a": PAIR}, WORSE * (np.arange(200) % 8))
    assert mean.level == mean_interval((WORSE * (np.arange(200) % 8))[PAIR == "y"])
    nothing = confirm_slice(Slice((Condition("a", value="z"),), 1, 200), {"a": PAIR}, WORSE)
    assert nothing.level == Estimate(None, None, 0, "no rows")


@pytest.mark.parametrize(("second", "text"), [(0.50, "a = x"), (0.57, "b = x")])
def test_a_small_slice_needs_a_larger_excess(second: float, text: str) -> None:
    """30 of 400 rows and 200 of 400 are equally bad, in standard errors, where the second excess is 0.527 of the first."""
    small = (np.arange(400) % 40 < 3).astype(float)
    half = (np.arange(400) // 40 % 2).astype(float)
    columns = {name: np.where(each > 0, "x", "y").astype(object) for name, each in (("a", small), ("b", half))}
    assert (small.sum(), half.sum(), (small * half).sum()) == (30, 200, 15)
    worst = search_worst_slice(columns, small + second * half, depth=1)
    assert worst is not None
    assert worst.text() == text


def test_sums_of_cells_keep_all_digits() -> None:
    values, index = 1.0 / np.arange(1.0, 301.0), np.arange(300) % 3
    expected = [math.fsum(values[index == cell].tolist()) for cell in range(3)]
    assert _exact_sums(index, 3, values).tolist() == pytest.approx(expected, rel=1e-15)
