"""Intervals and exact tests against quantiles, slow twins and enumeration."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaincinv
from scipy.stats import binom

from qaudit.core.inference.intervals import clopper_pearson, mcnemar, newcombe_paired, wilson, zero_bound

COUNTS = sorted(
    {(count, n) for n in (1, 2, 60, 299, 780, 10**4, 10**6) for count in (0, 1, 3, n // 10, n // 2, n - 1, n) if count <= n}
)


@pytest.mark.parametrize(("count", "n"), COUNTS)
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_clopper_pearson_is_the_quantile_of_the_beta_distribution(count: int, n: int, level: float) -> None:
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else betaincinv(count, n - count + 1, tail)
    high = 1.0 if count == n else betaincinv(count + 1, n - count, 1 - tail)
    found = clopper_pearson(count, n, level)
    assert (found.low, found.high) == pytest.approx((low, high), rel=0, abs=1e-12)


@given(st.integers(1, 400), st.data())
def test_clopper_pearson_ends_have_their_tails(n: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, n))
    interval = clopper_pearson(count, n)
    assert interval.low <= count / n <= interval.high
    if count:
        assert binom.sf(count - 1, n, interval.low) == pytest.approx(0.025, rel=1e-6)
    if count < n:
        assert binom.cdf(count, n, interval.high) == pytest.approx(0.025, rel=1e-6)


def test_zero_of_299_rows_proves_one_point_two_percent() -> None:
    assert zero_bound(299) == pytest.approx(0.01226, abs=5e-6)
    assert zero_bound(299) == pytest.approx(clopper_pearson(0, 299).high, rel=0, abs=1e-12)


@given(st.integers(1, 10**6), st.data())
def test_wilson_is_his_formula_and_holds_the_share(n: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, n) | st.integers(0, min(n, 3)))
    z, p = 1.959963984540054, count / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = wilson(count, n)
    assert (low, high) == pytest.approx((middle - half, middle + half), rel=0, abs=1e-12)
    assert 0 <= low <= p <= high <= 1


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_counts_the_outcomes_that_are_no_more_likely(fixed: int, broken: int) -> None:
    n = fixed + broken
    as_far = sum(math.comb(n, k) for k in range(n + 1) if abs(2 * k - n) >= abs(fixed - broken))
    assert mcnemar(fixed, broken) == pytest.approx(as_far / 2**n, abs=1e-12)
    assert mcnemar(fixed, broken) == mcnemar(broken, fixed)


@pytest.mark.parametrize(("fixed", "broken"), [(500_000, 500_000), (499_000, 501_000), (498_999, 501_001), (3, 10**6)])
def test_mcnemar_of_a_million_changes_is_twice_a_tail(fixed: int, broken: int) -> None:
    twice = 2 * binom.cdf(min(fixed, broken), fixed + broken, 0.5)
    assert mcnemar(fixed, broken) == pytest.approx(min(1.0, twice), rel=1e-12)


def slow_newcombe(e: int, f: int, g: int, h: int) -> tuple[float, float]:
    """The paper's steps in the paper's letters: p1 = (e + f) / n, p2 = (e + g) / n, difference p1 - p2."""
    n = e + f + g + h
    z = 1.959963984540054

    def score(r: int) -> tuple[float, float]:
        a, b, c = 2 * r + z * z, z * math.sqrt(z * z + 4 * r * (1 - r / n)), 2 * (n + z * z)
        return (a - b) / c, (a + b) / c

    l2, u2 = score(e + f)
    l3, u3 = score(e + g)
    a = (e + f) * (g + h) * (e + g) * (f + h)
    phi = 0.0
    if a:
        c = e * h - f * g
        phi = (c if c <= 0 else max(c - n / 2, 0)) / math.sqrt(a)
    p1, p2 = (e + f) / n, (e + g) / n
    dl2, du2, dl3, du3 = p1 - l2, u2 - p1, p2 - l3, u3 - p2
    delta = math.sqrt(max(0.0, dl2**2 - 2 * phi * dl2 * du3 + du3**2))
    epsilon = math.sqrt(max(0.0, du2**2 - 2 * phi * du2 * dl3 + dl3**2))
    return (f - g) / n - delta, (f - g) / n + epsilon


@given(*[st.integers(0, 200)] * 4)
def test_newcombe_against_its_slow_twin(both: int, broken: int, fixed: int, neither: int) -> None:
    if both + broken + fixed + neither == 0:
        return
    mine = newcombe_paired(both, broken, fixed, neither)
    # the paper's first proportion is ours after the change, so that f is `fixed` and g is `broken`
    low, high = slow_newcombe(both, fixed, broken, neither)
    assert (mine.low, mine.high) == pytest.approx((max(low, -1.0), min(high, 1.0)), abs=1e-12)
    change = (fixed - broken) / (both + broken + fixed + neither)
    assert mine.low - 1e-12 <= change <= mine.high + 1e-12


def test_newcombe_covers_close_to_its_level() -> None:
    n, p = 20, np.array([0.70, 0.12, 0.06, 0.12])
    covered = 0.0
    for a, b, c in product(range(n + 1), repeat=3):
        if (d := n - a - b - c) < 0:
            continue
        logs = math.lgamma(n + 1) - sum(math.lgamma(k + 1) for k in (a, b, c, d))
        weight = math.exp(logs + sum(k * math.log(q) for k, q in zip((a, b, c, d), p, strict=True)))
        interval = newcombe_paired(a, b, c, d)
        covered += weight * (interval.low <= p[2] - p[1] <= interval.high)
    assert 0.94 <= covered <= 0.985
