"""Areas against all pairs of rows and scikit-learn; their intervals against DeLong's sums and a root finder."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score

from qaudit.core.inference import auc
from qaudit.core.inference.auc import (
    Area,
    area,
    auc_change,
    hand_till,
    multiclass_auc,
    multiclass_auc_change,
    one_against_rest,
    roc_auc,
    score_interval,
)
from qaudit.core.inference.intervals import clopper_pearson, zero_bound
from qaudit.core.measures import classification
from qaudit.core.tensor import Floats

RNG = np.random.default_rng(3)
POSITIVE = np.arange(60) < 17
BEFORE = np.round(RNG.normal(size=60) + POSITIVE, 1)
AFTER = np.round(BEFORE + RNG.normal(size=60) / 5, 1)
LABELS = RNG.integers(0, 3, 80)
SOFT = RNG.dirichlet(np.ones(3), 80) + 0.4 * np.eye(3)[LABELS]
SOFT /= SOFT.sum(axis=1, keepdims=True)
SOFTER = SOFT + RNG.random((80, 3)) / 9


def pairs(positive: np.ndarray, score: Floats) -> Floats:
    """1, 1/2 or 0 for each pair of a positive row and another."""
    return np.array([[(a > b) + (a == b) / 2 for b in score[~positive]] for a in score[positive]])


def known(whole: Area | None) -> Area:
    assert whole is not None
    return whole


def delong(a: Floats, b: Floats) -> float:
    """DeLong's covariance of the areas of two matrices of pairs."""
    rows, columns = a.shape
    return float(np.cov(a.mean(axis=1), b.mean(axis=1))[0, 1] / rows + np.cov(a.mean(axis=0), b.mean(axis=0))[0, 1] / columns)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=25))
def test_areas_and_influences_equal_all_pairs(rows: list[tuple[bool, int, int]]) -> None:
    positive = np.array([row[0] for row in rows])
    scores = [np.array([row[k] for row in rows], dtype=float) for k in (1, 2)]
    if min(positive.sum(), (~positive).sum()) < 2:
        return
    first, second = (known(area(positive, score)) for score in scores)
    a, b = (pairs(positive, score) for score in scores)
    assert (first.value, second.value) == pytest.approx((a.mean(), b.mean()), abs=1e-12)
    assert np.sum(first.influence**2) == pytest.approx(delong(a, a), abs=1e-12)
    assert np.sum(first.influence * second.influence) == pytest.approx(delong(a, b), abs=1e-12)


def test_the_level_takes_the_wider_ends_of_two_intervals() -> None:
    a = pairs(POSITIVE, BEFORE)
    value, parts = a.mean(), (np.var(a.mean(axis=1), ddof=1) / 17, np.var(a.mean(axis=0), ddof=1) / 43)
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / 16 + parts[1] ** 2 / 42)
    half = stats.t.ppf(0.975, degrees) * math.sqrt(sum(parts)) / (value * (1 - value))
    logit = [1 / (1 + math.exp(-(math.log(value / (1 - value)) + sign * half))) for sign in (-1, 1)]

    def beyond(theta: float) -> float:
        rows = 60 / 2 - 1
        variance = theta * (1 - theta) * (1 + rows * (1 - theta) / (2 - theta) + rows * theta / (1 + theta)) / (17 * 43)
        return abs(value - theta) - 1.959963984540054 * math.sqrt(variance)

    score = [brentq(beyond, 1e-12, value, xtol=1e-14), brentq(beyond, value, 1 - 1e-12, xtol=1e-14)]
    mine = score_interval(value, POSITIVE)
    assert (mine.low, mine.high) == pytest.approx(tuple(score), abs=1e-10)
    result = roc_auc(POSITIVE, BEFORE)
    assert result.interval is not None
    assert result.interval.low == pytest.approx(min(logit[0], score[0]), abs=1e-10)
    assert result.interval.high == pytest.approx(max(logit[1], score[1]), abs=1e-10)
    assert result.value == pytest.approx(roc_auc_score(POSITIVE, BEFORE), abs=1e-12)


def test_the_change_has_delongs_interval() -> None:
    result = auc_change(POSITIVE, BEFORE, AFTER)
    measured = classification.auc_change(POSITIVE, BEFORE, AFTER)
    assert result.interval is not None
    assert measured.interval is not None
    assert result.value == pytest.approx(measured.value, abs=1e-12)
    assert (result.interval.low, result.interval.high) == pytest.approx(
        (measured.interval.low, measured.interval.high), abs=1e-12
    )


def test_several_classes_equal_scikit_learn() -> None:
    rest, both = known(one_against_rest(LABELS, SOFT)), known(hand_till(LABELS, SOFT))
    assert rest.value == pytest.approx(roc_auc_score(LABELS, SOFT, multi_class="ovr"), abs=1e-10)
    assert both.value == pytest.approx(roc_auc_score(LABELS, SOFT, multi_class="ovo"), abs=1e-10)


@pytest.mark.parametrize("mean", [one_against_rest, hand_till])
def test_influences_of_means_are_those_of_leaving_a_row_out(mean: object) -> None:
    """The jackknife estimates the same influences up to terms of the order of 1 / n."""
    whole = known(getattr(auc, mean.__name__)(LABELS, SOFT))  # type: ignore[attr-defined]
    rows = np.arange(80)
    without = [known(getattr(auc, mean.__name__)(LABELS[rows != i], SOFT[rows != i])).value for i in rows]  # type: ignore[attr-defined]
    moved = whole.value - np.array(without)
    assert np.corrcoef(moved, whole.influence)[0, 1] > 0.999
    assert np.sum((moved - moved.mean()) ** 2) == pytest.approx(np.sum(whole.influence**2), rel=0.05)


def test_two_classes_are_a_case_of_several() -> None:
    two = np.column_stack([-BEFORE, BEFORE])
    for mean in (one_against_rest, hand_till):
        whole, single = known(mean(POSITIVE.astype(int), two)), known(area(POSITIVE, BEFORE))
        assert whole.value == pytest.approx(single.value, abs=1e-12)
        assert whole.influence == pytest.approx(single.influence, abs=1e-12)


def test_intervals_of_several_classes() -> None:
    whole, after = one_against_rest(LABELS, SOFT), one_against_rest(LABELS, SOFTER)
    level, change = multiclass_auc(whole, 80), multiclass_auc_change(whole, after, 80)
    assert level.interval is not None
    assert change.interval is not None
    value, error = known(whole).value, math.sqrt(np.sum(known(whole).influence ** 2))
    logit = math.log(value / (1 - value)) + 1.959963984540054 * error / (value * (1 - value))
    assert level.interval.high == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-10)
    moved = known(after).influence - known(whole).influence
    assert change.interval.high - (change.value or 0) == pytest.approx(1.959963984540054 * math.sqrt(np.sum(moved**2)), abs=1e-12)
    assert multiclass_auc(one_against_rest(LABELS, SOFT[:, [0, 1, 2, 2]]), 80).reason == "a class has no rows"
    assert hand_till(LABELS, SOFT[:, [0, 1, 2, 2]]) is None
    assert multiclass_auc_change(whole, None, 80).reason == "a class has no rows"
    assert multiclass_auc_change(whole, whole, 80).reason == "no interval: no pair of rows changed its order"
    assert multiclass_auc(one_against_rest(LABELS, np.eye(3)[LABELS]), 80).interval is None


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_separated_classes_have_an_exact_interval(sign: float) -> None:
    result = roc_auc(POSITIVE, sign * POSITIVE)
    exact = clopper_pearson(17 if sign > 0 else 0, 17)
    assert result.value == (1.0 if sign > 0 else 0.0)
    assert result.interval is not None
    assert result.interval.low <= exact.low
    assert result.interval.high >= exact.high
    assert result.interval.high - result.interval.low < 0.25
    assert result.reason == "the scores separate the classes"


def test_an_unchanged_order_says_how_far_it_may_change() -> None:
    result = auc_change(POSITIVE, BEFORE, 2 * BEFORE + 1)
    assert result.value == 0.0
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == (-zero_bound(17), zero_bound(17))
    assert result.reason == "no pair of rows changed its order"


def test_clusters() -> None:
    single = roc_auc(POSITIVE, BEFORE, clusters=np.arange(60))
    value, influence = known(area(POSITIVE, BEFORE)).value, known(area(POSITIVE, BEFORE)).influence
    error = math.sqrt(60 / 59 * np.sum(influence**2)) / (value * (1 - value))
    assert single.interval is not None
    expected = 1 / (1 + math.exp(-(math.log(value / (1 - value)) + 1.959963984540054 * error)))
    assert single.interval.high == pytest.approx(expected, abs=1e-12)
    # the same rows twice, as clusters of two: nothing was learned
    twice, pair = np.concatenate([POSITIVE] * 2), np.concatenate([np.arange(60)] * 2)
    double = roc_auc(twice, np.concatenate([BEFORE] * 2), clusters=pair)
    assert double.interval is not None
    assert double.interval.high == pytest.approx(single.interval.high, rel=0.01)
    assert roc_auc(POSITIVE, BEFORE, clusters=np.zeros(60)).reason == "no interval: one cluster"
    assert roc_auc(POSITIVE, POSITIVE * 1.0, clusters=np.arange(60)).interval is None
    assert auc_change(POSITIVE, BEFORE, BEFORE, clusters=np.arange(60)).interval is None
    change = auc_change(POSITIVE, BEFORE, AFTER, clusters=np.arange(60)).interval
    assert change is not None
    assert change.method == "delong over 60 clusters"


def test_few_rows_are_said() -> None:
    assert roc_auc(np.zeros(0, dtype=bool), np.zeros(0)).reason == "no rows"
    assert roc_auc(POSITIVE[:5], BEFORE[:5]).reason == "one class only among these rows"
    assert auc_change(POSITIVE[:5], BEFORE[:5], AFTER[:5]).reason == "one class only among these rows"
    lone = np.arange(60) == 30
    assert roc_auc(lone, BEFORE).reason == "no interval: fewer than 2 rows of one class"
    assert auc_change(lone, BEFORE, AFTER[::-1]).interval is None
    nine, ten = np.arange(60) % 7 == 0, np.arange(60) % 6 == 0
    assert roc_auc(nine, BEFORE).reason == "rough interval: one class has 9 rows"
    assert roc_auc(ten, BEFORE).reason is None


def test_the_order_of_rows_changes_no_bit() -> None:
    order = np.random.default_rng(1).permutation(60)
    assert roc_auc(POSITIVE[order], BEFORE[order]) == roc_auc(POSITIVE, BEFORE)
    assert auc_change(POSITIVE[order], BEFORE[order], AFTER[order]) == auc_change(POSITIVE, BEFORE, AFTER)
