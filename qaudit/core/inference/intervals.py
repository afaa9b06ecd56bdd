"""Intervals and exact tests of counts."""

from __future__ import annotations

import math

from scipy.stats import binomtest

from qaudit.core.evidence import Interval

LEVEL = 0.95
CLOPPER_PEARSON, NEWCOMBE = "clopper-pearson", "newcombe paired (method 10)"
"""How an interval names its method, where other code needs to know it."""


def clopper_pearson(count: int, n: int, level: float = LEVEL) -> Interval:
    """Exact two-sided interval of a proportion (Clopper and Pearson 1934)."""
    ends = binomtest(count, n).proportion_ci(level, "exact")
    return Interval(float(ends.low), float(ends.high), level, CLOPPER_PEARSON)


def zero_bound(n: int, level: float = LEVEL) -> float:
    """What 0 of n rows proves: the rate is below this at that level, 1 - ((1 - level) / 2) ** (1 / n)."""
    return -math.expm1(math.log((1.0 - level) / 2.0) / n)


def wilson(count: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927)."""
    ends = binomtest(count, n).proportion_ci(level, "wilson")
    return float(ends.low), float(ends.high)


def mcnemar(fixed: int, broken: int) -> float:
    """Two-sided exact p value that fixed and broken are equally likely (McNemar 1947; exact binomial). No change: 1."""
    n = fixed + broken
    # the smaller count, so that exchanging the two gives the same bits
    return float(binomtest(min(fixed, broken), n).pvalue) if n else 1.0


def newcombe_paired(both: int, broken: int, fixed: int, neither: int, level: float = LEVEL) -> Interval:
    """Interval of the paired change of accuracy, (fixed - broken) / n (Newcombe 1998, method 10).

    Score intervals of the two accuracies are squared and added, with the continuity-corrected correlation of the pair.
    """
    n = both + broken + fixed + neither
    after, before = (both + fixed) / n, (both + broken) / n
    low_a, high_a = wilson(both + fixed, n, level)
    low_b, high_b = wilson(both + broken, n, level)
    phi = _correlation(both, broken, fixed, neither)
    down_a, up_a, down_b, up_b = after - low_a, high_a - after, before - low_b, high_b - before
    under = math.sqrt(max(0.0, down_a**2 - 2 * phi * down_a * up_b + up_b**2))
    over = math.sqrt(max(0.0, up_a**2 - 2 * phi * up_a * down_b + down_b**2))
    change = (fixed - broken) / n
    return Interval(max(-1.0, change - under), min(1.0, change + over), level, NEWCOMBE)


def _correlation(both: int, broken: int, fixed: int, neither: int) -> float:
    product = (both + broken) * (fixed + neither) * (both + fixed) * (broken + neither)
    if product == 0:
        return 0.0
    top: float = both * neither - broken * fixed
    if top > 0:
        top = max(top - (both + broken + fixed + neither) / 2, 0.0)
    return top / math.sqrt(product)
