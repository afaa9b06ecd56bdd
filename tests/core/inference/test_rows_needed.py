"""Numbers of rows against a walk over all of them, and limits that no result on these rows could show to be kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qaudit.core.inference.intervals import clopper_pearson, newcombe_paired, zero_bound
from qaudit.core.inference.rows_needed import (
    MOST,
    change_out_of_reach,
    newcombe_ends,
    rows_by_width,
    rows_for_mean,
    rows_for_paired_change,
    rows_for_share,
    share_out_of_reach,
    smallest,
)


@given(st.integers(1, 5000), st.integers(1, 9))
def test_the_search_ends_at_the_first_that_settles(first: int, start: int) -> None:
    asked: list[int] = []

    def settled(n: int) -> bool:
        asked.append(n)
        return n >= first

    assert smallest(settled, start) == max(first, start)
    assert len(asked) <= 2 * math.log2(first + start) + 3


def test_the_search_gives_up() -> None:
    assert smallest(lambda n: False) is None
    assert smallest(lambda n: n >= MOST // 2) == MOST // 2


@pytest.mark.parametrize("limit", [0.5, 0.1, 0.02, 0.005])
def test_without_a_case_the_number_is_that_of_the_zero_bound(limit: float) -> None:
    needed = rows_for_share(0.0, limit)
    assert needed is not None
    assert zero_bound(needed) <= limit < zero_bound(needed - 1)
    assert needed == math.ceil(math.log(0.025) / math.log(1 - limit))


def test_two_percent_need_183_rows_without_a_flip() -> None:
    """The author of a limit of 2 % with 111 rows (finding S4) could not have met it: 0 of 111 says less than 3.3 %."""
    assert rows_for_share(0.0, 0.02) == 183
    assert zero_bound(111) > 0.0326
    reached = share_out_of_reach(0.02, 111)
    assert reached is not None
    assert (reached.needed, round(reached.end, 6)) == (183, round(zero_bound(111), 6))
    assert share_out_of_reach(0.02, 183) is None
    assert share_out_of_reach(0.02, 182) is not None


@pytest.mark.parametrize(("share", "limit"), [(0.01, 0.02), (0.05, 0.1), (0.3, 0.36), (0.2, 0.1), (0.03, 0.02), (1.0, 0.9)])
def test_shares_equal_a_walk_over_all_numbers_of_rows(share: float, limit: float) -> None:
    def settled(n: int) -> bool:
        low = stats.beta.ppf(0.025, share * n, n - share * n + 1)
        if share == 1.0:
            return bool(low > limit)
        high = stats.beta.ppf(0.975, share * n + 1, n - share * n)
        return bool(high <= limit if share < limit else low > limit)

    needed = rows_for_share(share, limit)
    assert needed is not None
    walk = [settled(n) for n in range(1, needed + 50)]
    assert walk.index(True) + 1 == needed
    # the search relies on this
    assert walk == sorted(walk)


def test_whole_counts_near_the_answer_agree_with_the_exact_interval() -> None:
    needed = rows_for_share(0.01, 0.02)
    assert needed is not None
    assert clopper_pearson(math.floor(needed * 0.01), needed).high <= 0.02
    assert clopper_pearson(math.ceil(0.8 * needed * 0.01), round(0.8 * needed)).high > 0.02


def test_a_share_at_its_limit_is_never_settled() -> None:
    assert rows_for_share(0.02, 0.02) is None
    assert rows_for_mean(1.0, 2.0, 1.0) is None
    assert rows_for_paired_change(0.02, 0.03, 0.8, 0.02 - 0.03) is None


@given(*[st.integers(0, 80)] * 4)
def test_ends_of_whole_counts_are_those_of_the_paired_interval(both: int, broken: int, fixed: int, neither: int) -> None:
    n = both + broken + fixed + neither
    if n:
        interval = newcombe_paired(both, broken, fixed, neither)
        ends = newcombe_ends(fixed / n, broken / n, (both + broken) / n, n)
        assert ends == pytest.approx((interval.low, interval.high), abs=1e-7)


@pytest.mark.parametrize(
    ("fixed", "broken", "before", "limit"), [(0.01, 0.02, 0.8, -0.03), (0, 0, 0.9, -0.01), (0.0, 0.06, 0.7, -0.02)]
)
def test_paired_changes_equal_a_walk(fixed: float, broken: float, before: float, limit: float) -> None:
    needed = rows_for_paired_change(fixed, broken, before, limit)
    assert needed is not None
    change = fixed - broken
    walk = []
    for n in range(1, needed + 50):
        low, high = newcombe_ends(fixed, broken, before, n)
        walk.append(low >= limit if change > limit else high <= limit)
    assert walk.index(True) + 1 == needed
    assert walk == sorted(walk)


def test_means_equal_a_walk() -> None:
    needed = rows_for_mean(0.1, 2.0, 0.5)
    assert needed is not None
    walk = [2.0 / math.sqrt(n) * stats.t.ppf(0.975, n - 1) <= 0.4 for n in range(2, needed + 50)]
    assert walk.index(True) + 2 == needed
    assert walk == sorted(walk)


def test_other_intervals_shrink_with_the_root_of_the_rows() -> None:
    assert rows_by_width(0.1, 100, 0.05) == 400
    assert rows_by_width(0.1, 100, 0.2) == 25
    assert rows_by_width(0.1, 100, 0.0) is None
    assert rows_by_width(1.0, 100, 1e-9) is None


def test_limits_that_no_result_could_show_to_be_kept() -> None:
    fall = change_out_of_reach(-0.001, 0.8, 100)
    assert fall is not None
    assert fall.end == pytest.approx(newcombe_paired(80, 0, 0, 20).low, abs=1e-12)
    assert fall.needed is not None
    assert change_out_of_reach(-0.001, 0.8, fall.needed) is None
    assert change_out_of_reach(-0.001, 0.8, fall.needed - 1) is not None
    # no number of rows shows that nothing at all changes
    never, no_fall = share_out_of_reach(0.0, 10**6), change_out_of_reach(0.0, 0.8, 10**6)
    assert never is not None
    assert no_fall is not None
    assert (never.needed, no_fall.needed) == (None, None)
    empty, nothing = share_out_of_reach(0.1, 0), change_out_of_reach(-0.1, 0.5, 0)
    assert empty is not None
    assert nothing is not None
    assert (empty.end, nothing.end) == (1.0, -1.0)


def test_more_than_a_million_million_rows_are_no_answer() -> None:
    assert MOST == 10**12
    assert rows_by_width(1e6, 1, 1.0) == 10**12
    assert rows_by_width(1.00001e6, 1, 1.0) is None
    assert smallest(lambda n: n >= MOST, MOST // 2) == MOST


def test_fewer_rows_than_the_first_are_not_looked_at() -> None:
    assert smallest(lambda n: True) == 1
    assert smallest(lambda n: True, 9) == 9
