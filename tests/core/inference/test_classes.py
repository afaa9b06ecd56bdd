"""Recall and precision of classes against scikit-learn; their changes against paired shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from qaudit.core.inference.classes import precision, precision_change, recall, recall_change
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import clopper_pearson, newcombe_paired, wilson

RNG = np.random.default_rng(11)
TRUTH = RNG.integers(0, 3, 120)
BEFORE = np.where(RNG.random(120) < 0.7, TRUTH, RNG.integers(0, 3, 120))
AFTER = np.where(RNG.random(120) < 0.9, BEFORE, RNG.integers(0, 3, 120))


@pytest.mark.parametrize("label", [0, 1, 2])
def test_levels_equal_scikit_learn(label: int) -> None:
    scores = recall_score(TRUTH, BEFORE, average=None), precision_score(TRUTH, BEFORE, average=None)
    assert recall(TRUTH, BEFORE, label).value == pytest.approx(scores[0][label], abs=1e-10)
    assert precision(TRUTH, BEFORE, label).value == pytest.approx(scores[1][label], abs=1e-10)
    hits = int(np.sum((label == TRUTH) & (label == BEFORE)))
    assert recall(TRUTH, BEFORE, label).interval == clopper_pearson(hits, int(np.sum(label == TRUTH)))
    assert precision(TRUTH, BEFORE, label).interval == clopper_pearson(hits, int(np.sum(label == BEFORE)))


@pytest.mark.parametrize("label", [0, 1, 2])
def test_the_change_of_recall_is_a_paired_change_of_the_rows_of_the_class(label: int) -> None:
    rows = label == TRUTH
    was, now = (label == BEFORE)[rows], (label == AFTER)[rows]
    table = [int(np.sum(a & b)) for a, b in ((was, now), (was, ~now), (~was, now), (~was, ~now))]
    result = recall_change(TRUTH, BEFORE, AFTER, label)
    assert result.interval == newcombe_paired(*table)
    assert result.value == pytest.approx((table[2] - table[1]) / rows.sum(), abs=1e-15)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_the_change_of_precision_has_the_correlation_of_the_shared_rows(label: int) -> None:
    """The correlation from the influence of each row on both shares, in place of counts."""
    was, now, right = label == BEFORE, label == AFTER, label == TRUTH
    p, q = np.mean(right[was]), np.mean(right[now])
    first, second = was * (right - p), now * (right - q)
    product = np.sum(first * second)
    spread = np.sqrt(np.sum(first**2) * np.sum(second**2))
    correlation = max(product - 0.5, 0) / spread if product > 0 else product / spread
    low_p, high_p = wilson(int(np.sum(was & right)), int(np.sum(was)))
    low_q, high_q = wilson(int(np.sum(now & right)), int(np.sum(now)))
    under = np.sqrt((q - low_q) ** 2 - 2 * correlation * (q - low_q) * (high_p - p) + (high_p - p) ** 2)
    over = np.sqrt((high_q - q) ** 2 - 2 * correlation * (high_q - q) * (p - low_p) + (p - low_p) ** 2)
    result = precision_change(TRUTH, BEFORE, AFTER, label)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((q - p - under, q - p + over), abs=1e-10)
    scores = [precision_score(TRUTH, decided, average=None)[label] for decided in (BEFORE, AFTER)]
    assert result.value == pytest.approx(scores[1] - scores[0], abs=1e-10)
    assert result.n == int(np.sum(was | now))


@given(st.integers(1, 60), st.integers(0, 60))
def test_without_a_flip_precision_is_a_paired_share(hits: int, misses: int) -> None:
    truth = np.array([1] * hits + [0] * misses)
    decided = np.ones(hits + misses, dtype=int)
    result, paired = precision_change(truth, decided, decided, 1), newcombe_paired(hits, 0, 0, misses)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((paired.low, paired.high), abs=1e-12)


def test_disjoint_decisions_are_independent_but_for_none_shared() -> None:
    truth = np.array([1, 0, 1, 0, 1, 1])
    result = precision_change(truth, np.array([1, 1, 1, 0, 0, 0]), np.array([0, 0, 0, 1, 1, 1]), 1)
    low, high = wilson(2, 3)
    assert result.value == pytest.approx(0.0)
    assert result.interval is not None
    assert result.interval.high == pytest.approx(np.hypot(high - 2 / 3, 2 / 3 - low), abs=1e-12)


def test_what_has_no_rows_is_not_assessed() -> None:
    truth, decided = np.array([0, 1]), np.array([0, 0])
    assert recall(truth, decided, 2) == Estimate(None, None, 0, "no row of this class")
    assert precision(truth, decided, 1) == Estimate(None, None, 0, "no row is decided as this class")
    assert recall_change(truth, decided, decided, 2) == Estimate(None, None, 0, "no row of this class")
    assert precision_change(truth, decided, truth, 1).reason == "no row is decided as this class"
    assert precision_change(truth, truth, decided, 1).reason == "no row is decided as this class"
