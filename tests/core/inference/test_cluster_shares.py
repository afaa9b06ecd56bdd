"""Shares over clusters against loops over clusters, and the cases in which nothing spreads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, t

from qaudit.core.inference.cluster_shares import ClusterShare, clusters_of
from qaudit.core.inference.intervals import clopper_pearson
from qaudit.core.measures.units import FEWEST, Units

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(30), RNG.integers(1, 9, 30))
N = len(LABELS)
HITS = RNG.random(N) < np.random.default_rng(1).random(30)[LABELS]
SOME = RNG.random(N) < 0.6


def slow(hits: np.ndarray, rows: np.ndarray) -> tuple[float, float, float, list[float]]:
    """Value, ends and influences by cluster."""
    n = int(rows.sum())
    p = hits[rows].mean()
    influence = [sum(float(hits[i]) - p for i in range(N) if rows[i] and LABELS[i] == g) / n for g in range(30)]
    used = len(set(LABELS[rows].tolist()))
    variance = used / (used - 1) * sum(each**2 for each in influence)
    rows_worth = min(n, p * (1 - p) / variance) * (t.ppf(0.975, n - 1) / t.ppf(0.975, used - 1)) ** 2
    x = p * rows_worth
    return p, beta.ppf(0.025, x, rows_worth - x + 1), beta.ppf(0.975, x + 1, rows_worth - x), influence


def ends(share: ClusterShare | None) -> tuple[float, float, float]:
    assert share is not None
    return share.value, share.low, share.high


def test_a_share_equals_its_slow_twin() -> None:
    clusters = clusters_of(LABELS)
    for rows in (np.ones(N, dtype=bool), SOME):
        share = clusters.share(HITS, rows)
        *expected, influence = slow(HITS, rows)
        assert ends(share) == pytest.approx(tuple(expected), abs=1e-10)
        assert share is not None
        assert share.influence.tolist() == pytest.approx(influence, abs=1e-12)
        assert share.n == rows.sum()


def test_a_difference_is_the_square_and_add_method_with_the_correlation_of_clusters() -> None:
    clusters = clusters_of(LABELS)
    a, b = clusters.share(HITS, SOME), clusters.share(HITS, ~SOME)
    (p, low, high, x), (q, lower, higher, y) = slow(HITS, SOME), slow(HITS, ~SOME)
    r = sum(i * j for i, j in zip(x, y, strict=True)) / math.sqrt(sum(i * i for i in x) * sum(j * j for j in y))
    under = math.sqrt((p - low) ** 2 - 2 * r * (p - low) * (higher - q) + (higher - q) ** 2)
    over = math.sqrt((high - p) ** 2 - 2 * r * (high - p) * (q - lower) + (q - lower) ** 2)
    assert a is not None
    assert b is not None
    assert ends(a.minus(b)) == pytest.approx((p - q, p - q - under, p - q + over), abs=1e-10)


def test_a_paired_change_is_what_came_minus_what_went() -> None:
    clusters, after = clusters_of(LABELS), HITS ^ (RNG.random(N) < 0.2)
    came, went = clusters.share(after & ~HITS), clusters.share(HITS & ~after)
    assert came is not None
    assert went is not None
    change = clusters.change(HITS, after)
    assert ends(change) == ends(came.minus(went))
    assert ends(change)[0] == pytest.approx(after.mean() - HITS.mean())


def test_clusters_of_one_row_each_are_nearly_exact_intervals() -> None:
    share = clusters_of(np.arange(N)).share(HITS)
    exact = clopper_pearson(int(HITS.sum()), N)
    assert ends(share)[1:] == pytest.approx((exact.low, exact.high), abs=0.005)


def test_where_no_row_is_a_hit_every_cluster_counts_as_copies() -> None:
    labels = np.repeat(np.arange(20), 10)
    units = Units(np.arange(200, dtype=np.uint64), labels.astype(np.uint64))
    none = units.share(np.zeros(200, dtype=bool)).interval
    assert none is not None
    assert (none.low, none.high) == pytest.approx((0.0, clopper_pearson(0, 20).high), abs=1e-10)
    same = units.change(np.ones(200, dtype=bool), np.ones(200, dtype=bool))
    assert same.value == 0.0
    assert same.interval is not None
    assert same.interval.low < 0 < same.interval.high


def test_the_method_and_the_number_of_clusters_are_said_and_few_give_no_interval() -> None:
    units = Units(np.arange(N, dtype=np.uint64), LABELS.astype(np.uint64))
    interval = units.share(HITS).interval
    assert interval is not None
    assert interval.method == "effective number of rows (Korn and Graubard), 30 clusters"
    few = units.take(FEWEST - 1 > LABELS)
    for estimate in (few.share(HITS[FEWEST - 1 > LABELS]), few.change(*[HITS[FEWEST - 1 > LABELS]] * 2)):
        assert (estimate.interval, estimate.reason) == (None, "no interval: 9 clusters, at least 10 are wanted")
    assert units.share(HITS, np.zeros(N, dtype=bool)).reason == "no rows"


def test_the_order_of_rows_changes_no_bit() -> None:
    order = RNG.permutation(N)
    units, after = Units(np.arange(N, dtype=np.uint64), LABELS.astype(np.uint64)), ~HITS & SOME
    assert units.take(order).share(HITS[order], SOME[order]) == units.share(HITS, SOME)
    assert units.take(order).change(HITS[order], after[order]) == units.change(HITS, after)
