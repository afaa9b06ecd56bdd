"""Measures of change and of fit without rows, with one, and where a value lies on an edge."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qaudit.core.inference.intervals import clopper_pearson, newcombe_paired
from qaudit.core.measures import changes, classification, regression
from qaudit.core.measures.changes import Flips, Number

NO_ROWS = Number(None, None, 0, "no rows")
NONE: Any = np.empty(0)
NO_CLASSES = np.empty((0, 2))


@pytest.mark.parametrize(
    "measure",
    [
        lambda: changes.share(0, 0),
        lambda: changes.flip_rate(NONE, NONE),
        lambda: changes.max_abs_error(NO_CLASSES, NO_CLASSES),
        lambda: changes.mean_abs_error(NO_CLASSES, NO_CLASSES),
        lambda: changes.quantile(NONE, 0.5),
        lambda: changes.sqnr_db(NONE, NONE),
        lambda: classification.accuracy(NONE, NONE),
        lambda: classification.accuracy_change(Flips(0, 0, 0, 0, 0)),
        lambda: classification.log_loss(NONE.astype(int), NO_CLASSES),
        lambda: classification.brier(NONE.astype(int), NO_CLASSES, 1),
        lambda: classification.ece(NONE.astype(bool), NONE),
        lambda: classification.roc_auc(NONE.astype(bool), NONE),
        lambda: classification.auc_change(NONE.astype(bool), NONE, NONE),
        lambda: regression.mae(NONE, NONE),
        lambda: regression.rmse(NONE, NONE),
    ],
)
def test_without_rows_nothing_is_assessed(measure: Callable[[], Number]) -> None:
    assert measure() == NO_ROWS


def test_one_value_is_enough_for_an_error() -> None:
    one, other = np.array([1.0]), np.array([3.5])
    assert changes.max_abs_error(one, other) == Number(2.5, None, 1)
    assert changes.mean_abs_error(one, other) == Number(2.5, None, 1)
    assert changes.quantile(one, 0.3) == Number(1.0, None, 1)
    assert changes.sqnr_db(one, np.array([0.9])).value == pytest.approx(20.0)
    assert regression.mae(one, other) == Number(2.5, None, 1)
    assert regression.rmse(one, other) == Number(2.5, None, 1)
    assert changes.share(1, 1) == Number(1.0, clopper_pearson(1, 1), 1)


def test_errors_are_sizes_and_count_rows() -> None:
    before, after = np.array([[0.0, 4.0], [1.0, 1.0], [0.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 2.0], [0.0, 0.5]])
    assert changes.max_abs_error(before, after) == Number(3.0, None, 3)
    assert changes.max_abs_error(after, before) == Number(3.0, None, 3)
    assert changes.mean_abs_error(before, after) == Number(0.75, None, 3)
    assert changes.mean_abs_error(after, before) == Number(0.75, None, 3)
    assert changes.quantile(np.array([3.0, 1.0, 2.0]), 0.25) == Number(1.5, None, 3)


def test_a_ratio_without_noise_says_so_before_it_asks_for_a_signal() -> None:
    zeros, ones = np.zeros(3), np.ones(3)
    assert changes.sqnr_db(ones, ones) == Number(None, None, 3, "no difference: the ratio has no finite value")
    assert changes.sqnr_db(zeros, zeros) == Number(None, None, 3, "no difference: the ratio has no finite value")
    assert changes.sqnr_db(zeros, ones) == Number(None, None, 3, "the signal is zero everywhere")
    assert changes.sqnr_db(ones, zeros) == Number(0.0, None, 3)


def test_probabilities_are_clipped_to_2_to_the_minus_52_and_then_sum_to_one() -> None:
    assert changes.CLIP == 2.0**-52
    before, after = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])  # quantized leaves need not add up
    p = np.array([1.0, 2.0**-52]) / (1 + 2.0**-52)
    q = np.array([2.0**-52, 1.0]) / (1 + 2.0**-52)
    assert changes.kl_rows(before, after)[0] == pytest.approx(float(np.sum(p * np.log(p / q))), rel=1e-12)
    assert changes.kl_rows(after, before)[0] == pytest.approx(float(np.sum(q * np.log(q / p))), rel=1e-12)
    halves, thirds = np.array([[0.25, 0.25]]), np.array([[0.4, 0.8]])
    expected = 0.5 * math.log(0.5 / (1 / 3)) + 0.5 * math.log(0.5 / (2 / 3))
    assert changes.kl_rows(halves, thirds)[0] == pytest.approx(expected)
    rows = changes.kl_rows(np.vstack([halves, before]), np.vstack([thirds, before]))
    assert rows.tolist() == pytest.approx([expected, 0.0])


def test_no_divergence_is_negative_by_rounding() -> None:
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(5), 4000)
    assert changes.kl_rows(p, p * (1 + 1e-15 * rng.normal(size=p.shape))).min() >= 0.0


def test_bins_hold_their_lower_edge_and_the_last_its_upper() -> None:
    edges = np.array([-1.0, 0.0, 1.0])
    found = changes.histogram(np.array([-9.0, -1.0, -0.5, 0.0, 0.5, 1.0, 9.0]), edges)
    assert found.tolist() == [3, 4]
    assert found.dtype == np.int64
    four = changes.histogram(np.array([0.5, 1.5, 1.5, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0, 2.0, 3.0]))
    assert four.tolist() == [0, 1, 2, 2]


def test_edges_reach_as_far_as_the_largest_change_on_both_sides() -> None:
    assert changes.change_edges(np.array([-3.0, 1.0]), bins=3).tolist() == pytest.approx([-3.0, -1.0, 1.0, 3.0])
    assert changes.change_edges(np.array([0.5, 2.0]), bins=1).tolist() == [-2.0, 2.0]
    for nothing in (np.zeros(3), np.empty(0)):
        edges = changes.change_edges(nothing)
        assert (len(edges), edges[0], edges[-1]) == (22, -1e-12, 1e-12)


def test_accuracy_change_counts_those_wrong_in_both() -> None:
    found = classification.accuracy_change(Flips(fixed=3, broken=1, other=2, right=4, n=12))
    assert found == Number(2 / 12, newcombe_paired(4, 1, 3, 4), 12)
    assert classification.accuracy_change(Flips(1, 0, 0, 0, 1)).value == 1.0


@pytest.mark.parametrize(("fewest", "reason"), [(9, "rough interval: one class has 9 rows"), (10, None), (11, None)])
def test_ten_rows_of_one_class_are_not_few(fewest: int, reason: str | None) -> None:
    for positive in (np.arange(40) < fewest, np.arange(40) >= fewest):
        score = np.sin(np.arange(40.0))
        assert classification.roc_auc(positive, score).reason == reason
        assert classification.auc_change(positive, score, np.cos(score)).reason == reason


@pytest.mark.parametrize("flipped", [False, True])
def test_an_interval_needs_two_rows_of_each_class(flipped: bool) -> None:
    few = np.array([True, False, False, False]) ^ flipped
    score = np.array([0.3, 0.1, 0.4, 0.2])
    area = 1 / 3 if flipped else 2 / 3
    assert classification.roc_auc(few, score) == Number(pytest.approx(area), None, 4, "rough interval: one class has 1 rows")
    change = classification.auc_change(few, score, -score)
    assert change == Number(pytest.approx(1 - 2 * area), None, 4, "no interval: fewer than 2 rows of one class")
    two = classification.roc_auc(np.array([True, True, False, False]), score)
    assert two.interval is not None


def test_the_delong_interval_of_one_curve_by_hand() -> None:
    positive, score = np.array([True, True, True, False, False]), np.array([3.0, 1.0, 2.0, 1.0, 0.0])
    # placements: positives 1, 3/4, 1; negatives 5/6, 1
    area = 11 / 12
    variance = (np.var([1, 0.75, 1], ddof=1) / 3) + (np.var([5 / 6, 1], ddof=1) / 2)
    half = 1.959963984540054 * variance**0.5
    found = classification.roc_auc(positive, score)
    assert found.value == pytest.approx(area)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((area - half, 1.0))
    mirrored = classification.roc_auc(positive, -score).interval
    assert mirrored is not None
    assert (mirrored.low, mirrored.high) == pytest.approx((0.0, 1 - area + half))


def test_a_change_of_area_ends_at_one() -> None:
    positive = np.array([True, True, False, False])
    bad, good = np.array([0.0, 1.0, 0.5, 2.0]), np.array([2.0, 1.0, 0.5, 0.0])
    found = classification.auc_change(positive, bad, good)
    back = classification.auc_change(positive, good, bad)
    assert found.interval is not None
    assert back.interval is not None
    assert found.value == 0.75
    assert (found.interval.high, back.interval.low) == (1.0, -1.0)


def test_losses_by_hand() -> None:
    probability = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])
    assert classification.log_loss(np.array([1, 1]), probability).value == pytest.approx(math.log(4) / 2)
    sure = classification.log_loss(np.array([1]), probability[1:]).value
    assert sure is not None
    assert 0.0 < sure < 3e-16  # 1 is clipped too
    assert classification.log_loss(np.array([0]), probability[1:]).value == pytest.approx(52 * math.log(2))
    assert classification.brier(np.array([1, 1]), probability, None) == Number((0.25 + 0.5625 + 0.0625) / 2, None, 2)
    assert classification.brier(np.array([1, 0]), probability, 1) == Number((0.5625 + 1.0) / 2, None, 2)


def test_calibration_by_hand() -> None:
    hit, confidence = np.array([True, False, True]), np.array([0.1, 0.2, 0.9])
    # bins of a fifteenth: 0.1 lies in the second, 0.2 in the third, 0.9 in the fourteenth
    assert classification.ece(hit, confidence).value == pytest.approx((0.9 + 0.2 + 0.1) / 3)
    assert classification.ece(hit, confidence, bins=1) == Number(pytest.approx(abs(1.2 - 2) / 3), None, 3)
    edge = np.array([2 / 15, np.nextafter(2 / 15, 1)])  # an edge belongs to the bin below it
    assert classification.ece(np.array([True, False]), edge).value == pytest.approx((13 / 15 + 2 / 15) / 2)
    lowest = np.array([0.01, 0.1])  # the first bin and the second
    assert classification.ece(np.array([False, True]), lowest).value == pytest.approx((0.01 + 0.9) / 2)
    highest = np.array([0.9, 0.99])  # the last bin but one and the last
    assert classification.ece(np.array([False, True]), highest).value == pytest.approx((0.9 + 0.01) / 2)
    outside = np.array([-0.5, 1.5])
    assert classification.ece(np.array([False, True]), outside).value == pytest.approx(0.5)
    assert classification.ece(np.array([True]), np.array([0.25])).value == 0.75


def test_r2_needs_two_rows_and_a_target_that_varies() -> None:
    assert regression.r2(np.array([1.0]), np.array([1.0])) == Number(None, None, 1, "fewer than 2 rows")
    constant = Number(None, None, 3, "the target is the same in every row")
    assert regression.r2(np.full(3, 0.1), np.zeros(3)) == constant
    tiny = np.array([0.0, 1e-200])
    assert regression.r2(tiny, tiny) == Number(None, None, 2, "the target varies too little to be squared")
    assert regression.r2(np.array([0.0, 2.0]), np.array([1.0, 2.0])) == Number(0.5, None, 2)
    assert regression.r2(np.array([0.0, 0.5]), np.array([0.0, 0.5])) == Number(1.0, None, 2)


def test_errors_of_numbers_by_hand() -> None:
    truth, predicted = np.array([1.0, -2.0, 3.0]), np.array([3.0, -2.0, -1.0])
    assert regression.mae(truth, predicted) == Number(2.0, None, 3)
    assert regression.rmse(truth, predicted) == Number(pytest.approx(math.sqrt(20 / 3)), None, 3)
