"""Rates of groups against fairlearn, their differences against statsmodels."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_samples import COUNTS, FIGURES, PAIRS, decisions

from qaudit.core.evidence import Interval
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.groups import (
    SMALLEST,
    Count,
    difference_of,
    group_rates,
    intersections,
    largest_gap,
    newcombe_independent,
    rate_counts,
)
from qaudit.core.inference.intervals import clopper_pearson, wilson
from qaudit.core.inference.many_counts import clopper_pearson_ends, wilson_ends

ORACLE = json.loads(FIGURES.read_text(encoding="utf-8"))


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.interval is not None
    return estimate.interval.low, estimate.interval.high


@pytest.mark.parametrize("index", range(len(PAIRS)))
def test_newcombe_equals_statsmodels(index: int) -> None:
    a, n, b, m = PAIRS[index]
    result = newcombe_independent(Count(a, n), Count(b, m))
    assert ends(result) == pytest.approx(tuple(ORACLE["newcombe"][index]), abs=1e-10)
    assert result.value == pytest.approx(a / n - b / m, abs=1e-15)


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_newcombe_equals_the_formula_of_the_paper(n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    z = 1.959963984540054

    def score(r: int, rows: int) -> tuple[float, float]:
        p = r / rows
        middle, width = 2 * rows * p + z * z, z * math.sqrt(z * z + 4 * rows * p * (1 - p))
        return (middle - width) / (2 * (rows + z * z)), (middle + width) / (2 * (rows + z * z))

    (l1, u1), (l2, u2), p1, p2 = score(a, n), score(b, m), a / n, b / m
    low = p1 - p2 - math.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2)
    high = p1 - p2 + math.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)
    result = newcombe_independent(Count(a, n), Count(b, m))
    assert ends(result) == pytest.approx((low, high), abs=1e-10)
    other = newcombe_independent(Count(b, m), Count(a, n))
    assert ends(other) == pytest.approx((-high, -low), abs=1e-10)


def test_rates_and_gaps_equal_fairlearn() -> None:
    truth, decided, groups = decisions()
    counts = {name: rate_counts(truth[groups == name], decided[groups == name]) for name in ("a", "b", "c")}
    for rate in ("positive_rate", "tpr", "fpr"):
        rates = group_rates({name: counts[name][rate] for name in counts}, smallest=1)
        levels = {each.group: each.level.value for each in rates}
        assert levels == pytest.approx(ORACLE["rates"][rate], abs=1e-10)
        gap = largest_gap(rates)
        assert gap is not None
        assert (gap[0].level.value or 0) - (gap[1].level.value or 0) == pytest.approx(ORACLE["gaps"][rate], abs=1e-10)
    assert counts["a"]["accuracy"].hits == int(np.sum((truth == decided)[groups == "a"]))


def test_each_group_stands_beside_all_others() -> None:
    rates = group_rates({"a": Count(5, 40), "b": Count(9, 30), "c": Count(2, 29), "d": Count(0, 0)})
    assert [each.small for each in rates] == [False, False, True, True]
    assert rates[0].difference == newcombe_independent(Count(5, 40), Count(11, 59))
    assert rates[0].level.interval == clopper_pearson(5, 40)
    assert rates[3].difference is None
    assert rates[3].level == Estimate(None, None, 0, "no rows")
    gap = largest_gap(rates)
    assert gap is not None
    assert (gap[0].group, gap[1].group) == ("b", "a")
    assert SMALLEST == 30
    assert largest_gap(rates[1:]) is None
    assert group_rates({"all": Count(3, 50)})[0].difference is None


def test_the_difference_of_two_estimates_takes_their_own_ends() -> None:
    a = Estimate(0.3, Interval(0.0, 0.7, 0.95, "x"), 10)
    b = Estimate(0.1, Interval(-0.2, 0.4, 0.95, "y"), 20)
    result = difference_of(a, b)
    assert ends(result) == pytest.approx((0.2 - math.hypot(0.3, 0.3), 0.2 + math.hypot(0.4, 0.3)), abs=1e-15)
    assert result.n == 30
    assert difference_of(a, Estimate(None, None, 0, "no rows")) == Estimate(None, None, 10, "no rows")
    bare = difference_of(a, Estimate(0.1, None, 5, "no interval: one row"))
    assert bare.value == pytest.approx(0.2)
    assert (bare.interval, bare.reason) == (None, "no interval: one row")
    assert newcombe_independent(Count(0, 0), Count(1, 2)).reason == "no rows"


def test_intersections_are_the_cells_that_have_rows() -> None:
    cells = intersections({"sex": np.array(["f", "f", "m"]), "region": np.array(["n", "s", "s"])})
    assert {name: mask.tolist() for name, mask in cells.items()} == {
        "sex=f": [True, True, False],
        "sex=m": [False, False, True],
        "region=n": [True, False, False],
        "region=s": [False, True, True],
        "sex=f, region=n": [True, False, False],
        "sex=f, region=s": [False, True, False],
        "sex=m, region=s": [False, False, True],
    }
    assert set(intersections({"sex": np.array(["f"]), "age": np.array(["1"])}, depth=1)) == {"sex=f", "age=1"}


@pytest.mark.parametrize("index", range(len(COUNTS)))
def test_many_counts_equal_statsmodels(index: int) -> None:
    count, n = COUNTS[index]
    assert tuple(map(float, clopper_pearson_ends(count, n))) == pytest.approx(tuple(ORACLE["clopper-pearson"][index]), abs=1e-10)
    assert tuple(map(float, wilson_ends(count, n))) == pytest.approx(tuple(ORACLE["wilson"][index]), abs=1e-10)


@pytest.mark.parametrize("n", [1, 2, 7, 60, 780])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_many_counts_equal_single_ones(n: int, level: float) -> None:
    counts = np.unique(np.linspace(0, n, 9).astype(int))
    low, high = clopper_pearson_ends(counts, np.full(len(counts), n), level)
    for index, count in enumerate(counts.tolist()):
        exact = clopper_pearson(count, n, level)
        assert (low[index], high[index]) == pytest.approx((exact.low, exact.high), abs=1e-10)
        score = wilson_ends(np.array(count), np.array(n), level)
        assert tuple(map(float, score)) == pytest.approx(wilson(count, n, level), abs=1e-10)


@given(st.integers(2, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_ends_of_counts_that_are_not_whole_lie_in_order(n: int, a: float, b: float) -> None:
    low, high = clopper_pearson_ends(np.array([min(a, b) * n, max(a, b) * n]), np.array(n))
    assert low[0] <= low[1] + 1e-12
    assert high[0] <= high[1] + 1e-12
