"""Areas of few rows and of scores that separate, tie or turn round: the interval, or the reason why there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from qaudit.core.inference.auc import (
    area,
    auc_change,
    hand_till,
    multiclass_auc,
    multiclass_auc_change,
    one_against_rest,
    roc_auc,
    score_interval,
)

POSITIVE = np.array([True, True, False, False, False])
LABELS = np.arange(60) % 3
LABELS[-9:] = 2
SOFT = np.random.default_rng(7).dirichlet(np.ones(3), 60) + 0.3 * np.eye(3)[LABELS]


def scores(*values: float) -> np.ndarray:
    return np.array(values)


def test_the_method_names_the_intervals_behind_it() -> None:
    positive, score = np.arange(60) % 3 == 0, np.sin(np.arange(60.0))
    whole, clustered = roc_auc(positive, score), roc_auc(positive, score, clusters=np.arange(60))
    assert whole.interval is not None
    assert clustered.interval is not None
    assert whole.interval.method == "delong (logit) and newcombe 2006 (method 5), the wider ends"
    assert clustered.interval.method == "delong (logit) over 60 clusters"
    # the second of them is the wider one in a small sample
    few = roc_auc(POSITIVE, scores(3, 1, 2, 0, 0))
    assert few.interval is not None
    assert few.interval.low <= score_interval(few.value or 0.0, POSITIVE).low


def test_constant_scores_have_the_score_interval_alone() -> None:
    result = roc_auc(POSITIVE, np.ones(5))
    expected = score_interval(0.5, POSITIVE)
    assert result.value == 0.5
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == (expected.low, expected.high)


@pytest.mark.parametrize("few", [True, False])
def test_two_rows_of_a_class_have_one_degree_of_freedom(few: bool) -> None:
    positive = np.arange(30) < 2
    score = np.where(positive, np.arange(30.0) * 20 + 5, np.arange(30.0))
    whole = area(positive if few else ~positive, score if few else -score)
    assert whole is not None
    parts = [float(np.sum(whole.influence[rows] ** 2)) for rows in (positive, ~positive)]
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / 1 + parts[1] ** 2 / 27)
    half = stats.t.ppf(0.975, degrees) * math.sqrt(sum(parts)) / (whole.value * (1 - whole.value))
    ends = [1 / (1 + math.exp(-(math.log(whole.value / (1 - whole.value)) + sign * half))) for sign in (-1, 1)]
    result = roc_auc(positive if few else ~positive, score if few else -score)
    assert result.interval is not None
    # so few degrees make DeLong's the wider interval at both ends
    assert (result.interval.low, result.interval.high) == pytest.approx(tuple(ends), abs=1e-12)


def test_one_row_of_a_class_makes_no_interval_and_no_warning() -> None:
    lone = np.array([True, False, True, True])
    with np.errstate(all="raise"):
        assert roc_auc(lone, np.arange(4.0)).reason == "no interval: fewer than 2 rows of one class"
        assert roc_auc(~lone, np.arange(4.0)).reason == "no interval: fewer than 2 rows of one class"


def test_a_row_that_stays_does_not_hide_that_others_changed() -> None:
    before, after = scores(2, 2, 5, 1, 2), scores(3, 3, 4, 5, 2)
    result = auc_change(POSITIVE, before, after)
    assert result.value == pytest.approx(-1 / 6)
    assert result.interval is not None
    assert result.interval.method == "delong"
    assert multiclass_auc_change(area(POSITIVE, before), area(POSITIVE, after), 5).interval is not None


def test_a_change_stays_between_minus_one_and_one() -> None:
    high, low = scores(5, 4, 2, 2, 2), scores(3, 1, 4, 0, 2)
    changes = auc_change(POSITIVE, high, low).interval, auc_change(POSITIVE, low, high).interval
    fall, rise = changes
    assert fall is not None
    assert rise is not None
    assert (fall.low, rise.high) == (-1.0, 1.0)


@pytest.mark.parametrize(("after", "value"), [(-1.0 * POSITIVE, -1.0), (np.ones(5), -0.5)], ids=["turned round", "constant"])
def test_where_all_rows_moved_alike_the_change_has_no_interval(after: np.ndarray, value: float) -> None:
    """DeLong's variance is 0 here, as it is where nothing moved; the change is not."""
    reason = "no interval: every row moved past as many others as any other row of its class"
    for clusters in (None, np.arange(5)):
        result = auc_change(POSITIVE, POSITIVE * 1.0, after, clusters=clusters)
        assert (result.value, result.interval, result.reason) == (value, None, reason)
    sides = [np.column_stack([-each, each]) for each in (POSITIVE * 1.0, after)]
    first, second = (one_against_rest(POSITIVE.astype(int), each) for each in sides)
    result = multiclass_auc_change(first, second, 5)
    assert (result.value, result.interval, result.reason) == (value, None, reason)


@pytest.mark.parametrize("wrong", [False, True])
def test_scores_that_separate_several_classes_make_no_interval(wrong: bool) -> None:
    probability = np.eye(3)[LABELS]
    whole = one_against_rest(LABELS, 1.0 - probability if wrong else probability)
    result = multiclass_auc(whole, 60)
    assert (result.value, result.interval) == (0.0 if wrong else 1.0, None)
    assert result.reason == "no interval: the scores separate the classes"


@pytest.mark.parametrize("mean", [one_against_rest, hand_till], ids=lambda function: function.__name__)
def test_the_smallest_class_is_said(mean: object) -> None:
    labels = np.where(np.arange(60) < 4, 0, LABELS.clip(1))
    whole = one_against_rest(labels, SOFT) if mean is one_against_rest else hand_till(labels, SOFT)
    assert multiclass_auc(whole, 60).reason == "rough interval: one class has 4 rows"


def test_two_clusters_make_an_interval() -> None:
    positive, score = np.arange(60) % 3 == 0, np.sin(np.arange(60.0))
    result = roc_auc(positive, score, clusters=np.arange(60) // 30)
    assert result.interval is not None
    assert result.interval.method == "delong (logit) over 2 clusters"
