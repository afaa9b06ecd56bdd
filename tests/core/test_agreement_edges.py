"""Agreement of explanations at its edges: thresholds from both sides, rounding, ties, and what counts as constant."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qaudit.core.catalogue.explanations import contributions
from qaudit.core.explanation import LocalModels
from qaudit.core.measures import agreement


def local(answers: list[float], weights: list[float], intercept: float) -> LocalModels:
    """One row whose local model says `intercept` everywhere."""
    n = len(answers)
    return LocalModels(np.zeros((1, 1)), np.array([intercept]), np.ones((1, n, 1)), np.array([answers]), np.array([weights]))


def r2(answers: list[float], weights: list[float], intercept: float) -> float:
    return float(agreement.weighted_r2(local(answers, weights, intercept))[0])


def test_two_values_have_a_rank_correlation_and_one_has_none() -> None:
    assert agreement.spearman(np.array([1.0, 2.0]), np.array([5.0, 4.0])) == pytest.approx(-1.0)
    assert agreement.spearman(np.array([1.0, 2.0]), np.array([4.0, 5.0])) == 1.0
    assert agreement.spearman(np.array([1.0]), np.array([4.0])) is None


def test_the_usual_weight_of_depth_is_nine_tenths() -> None:
    a, b = np.array([4.0, 3.0, 2.0, 1.0]), np.array([3.0, 4.0, 1.0, 2.0])
    assert agreement.rank_biased_overlap(a, b) == agreement.rank_biased_overlap(a, b, 0.9)
    assert agreement.rank_biased_overlap(a, b) != agreement.rank_biased_overlap(a, b, 0.8)


def test_cosine_does_not_depend_on_lengths() -> None:
    a, b = np.array([[2.0, 0.0], [0.0, 5.0]]), np.array([[3.0, 3.0], [4.0, 3.0]])
    assert agreement.cosine_distance(a, b).tolist() == pytest.approx([1 - 0.5**0.5, 0.4])


def test_rounding_leaves_no_distance_below_zero_or_above_two() -> None:
    a = np.random.default_rng(0).normal(size=(2000, 3))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(3 * a, axis=1)
    assert (np.sum(a * 3 * a, axis=1) / lengths > 1).any()  # so the lines below can fail
    assert agreement.cosine_distance(a, 3 * a).min() == 0.0
    assert agreement.cosine_distance(a, -3 * a).max() == 2.0


def test_answers_within_1e_minus_12_of_their_size_are_constant() -> None:
    ones = [1.0, 1.0]
    assert r2([0.0, 1e-12], ones, 0.0) == 1.0
    assert r2([0.0, 1.5e-12], ones, 0.0) == pytest.approx(-1.0)
    assert r2([-1000.0, -1000.0 + 5e-10], ones, -1000.0) == 1.0
    assert r2([-1000.0, -1000.0 + 2e-9], ones, -1000.0) < 0.0


def test_the_size_of_answers_is_that_of_the_largest() -> None:
    spread = 5000 * 2.0**-52
    small = spread / 1e-12 * (1 - 5e-13)
    large = small + spread
    assert 1e-12 * small < large - small <= 1e-12 * large
    assert r2([small, large], [1.0, 1.0], small) == 1.0


@pytest.mark.parametrize("weights", [[0.5, 0.5], [1.0, 1.0, 1.0, 1.0], [1e-310, 1e-310]])
def test_constant_answers_are_met_within_1e_minus_9(weights: list[float]) -> None:
    answers = [4.0] * len(weights)
    assert r2(answers, weights, 4.0) == 1.0
    if weights[0] > 1e-300:
        assert r2([2.0**-30] * len(weights), weights, 0.0) == 1.0
        assert r2([1.2e-9] * len(weights), weights, 0.0) == 0.0


def test_a_small_variance_is_a_variance() -> None:
    assert r2([0.0, 0.5], [1.0, 1.0], 0.0) == pytest.approx(1 - 0.25 / 0.125)
    assert r2([0.0, 0.5], [1.0, 1.0], 0.25) == pytest.approx(0.0)


def test_answers_without_weight_do_not_count() -> None:
    assert r2([0.0, 0.0, 1.0], [1.0, 1.0, 0.0], 0.0) == 1.0


def test_missing_values_are_nan_and_none() -> None:
    assert agreement.missing(np.array([1.0, np.nan])).tolist() == [False, True]
    texts = agreement.missing(np.array(["a", None, "nan"], dtype=object))
    assert texts.tolist() == [False, True, False]
    assert texts.dtype == bool


def test_scores_a_billionth_below_the_largest_are_tied_with_it() -> None:
    scores = np.array([[0.0, -1e-9, -1.5e-9, -2.5e-9], [-5.0, 7.0, 7.0 - 8e-10, 7.0 - 3e-9]])
    assert agreement.top_sets(scores).tolist() == [[True, True, False, False], [False, True, True, False]]


def test_two_repeats_have_an_interval_around_their_mean() -> None:
    found = agreement.mean_interval(np.array([1.0, 2.0]))
    assert found is not None
    reach = stats.t.ppf(0.975, 1) * 0.5
    assert (found.low, found.high, found.level) == (pytest.approx(1.5 - reach), pytest.approx(1.5 + reach), 0.95)
    skewed = agreement.mean_interval(np.array([0.0, 1.0, 5.0]), level=0.5)
    assert skewed is not None
    reach = stats.t.ppf(0.75, 2) * np.std([0.0, 1.0, 5.0], ddof=1) / 3**0.5
    assert (skewed.low, skewed.high, skewed.level) == (pytest.approx(2 - reach), pytest.approx(2 + reach), 0.5)


def test_a_contribution_of_nothing_has_no_sign() -> None:
    models = LocalModels(np.array([[0.0, -0.0]]), np.zeros(1), np.zeros((1, 1, 2)), np.zeros((1, 1)), np.ones((1, 1)))
    found = contributions(models, np.array([[3.0, 3.0]]))
    assert found is not None
    assert found.tolist() == [[0.0, 0.0]]
    assert not np.signbit(found).any()
