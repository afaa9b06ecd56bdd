"""Agreement of explanations against slow twins and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qaudit.core.catalogue.explanations import contributions
from qaudit.core.explanation import Attributions, LocalModels
from qaudit.core.measures import agreement
from qaudit.core.table import Table

vectors = st.lists(st.integers(-4, 4).map(float), min_size=2, max_size=7)


def slow_tau_b(a, b):
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in itertools.combinations(range(len(a)), 2)]
    left, right = sum(x * x for x, _ in signs), sum(y * y for _, y in signs)
    return None if left == 0 or right == 0 else sum(x * y for x, y in signs) / (left * right) ** 0.5


@given(st.data(), vectors)
def test_tau_b_is_its_definition_over_pairs(data, a):
    b = data.draw(st.permutations(a))
    left, right = np.array(a), np.array(b)
    expected = 1.0 if a == b else slow_tau_b(a, b)
    assert agreement.kendall_tau(left, right) == (None if expected is None else pytest.approx(expected, abs=1e-12))
    if expected is not None and a != b:
        assert agreement.kendall_tau(left, right) == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-12)
        assert agreement.spearman(left, right) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=9))
def test_vectors_in_one_order_agree_exactly(values):
    a = np.array(values, dtype=float)
    if np.ptp(a):
        assert agreement.kendall_tau(a, np.exp(a)) == 1.0
        assert agreement.spearman(a, np.exp(a)) == 1.0


def test_rank_measures_on_hand_computed_vectors():
    a, b = np.array([5.0, 4.0, 3.0, 2.0]), np.array([5.0, 3.0, 4.0, 2.0])
    assert agreement.kendall_tau(a, b) == pytest.approx(4 / 6)
    assert agreement.spearman(a, b) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert agreement.top_k_overlap(a, b, 2) == pytest.approx(1 / 3)
    assert agreement.top_k_overlap(a, b, 3) == 1.0
    assert agreement.kendall_tau(a, np.zeros(4)) is None
    assert agreement.spearman(a, np.zeros(4)) is None
    assert agreement.spearman(np.zeros(4), np.zeros(4)) == 1.0


@given(st.permutations(range(6)), st.floats(0.1, 0.95))
def test_rank_biased_overlap_is_one_for_equal_rankings_and_follows_its_sum(order, p):
    a, b = np.array(order, dtype=float), np.arange(6.0)
    assert agreement.rank_biased_overlap(a, a, p) == pytest.approx(1.0)
    first, second = np.argsort(-a).tolist(), np.argsort(-b).tolist()
    shared = [len(set(first[:k]) & set(second[:k])) / k for k in range(1, 7)]
    slow = shared[-1] * p**6 + (1 - p) / p * sum(share * p**k for k, share in enumerate(shared, start=1))
    assert agreement.rank_biased_overlap(a, b, p) == pytest.approx(slow)


def test_distances_of_rows_handle_equal_and_zero_rows():
    a = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    b = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    assert agreement.cosine_distance(a, b).tolist() == pytest.approx([0.0, 0.0, 1.0, 2.0, 1 - 0.5**0.5])
    assert agreement.relative_l2(a, b).tolist() == pytest.approx([0.0, 0.0, 1.0, 2.0, 0.5**0.5])


def table(**columns):
    return Table({name: np.array(values, dtype=float if name.startswith("n") else object) for name, values in columns.items()})


def slow_mean_design(rows, background):
    found = np.zeros((rows.rows, len(rows.names)))
    for i, j in itertools.product(range(rows.rows), range(len(rows.names))):
        x, total = rows.columns[rows.names[j]][i], 0.0
        for z in background.columns[rows.names[j]]:
            lost = [value is None or value != value for value in (x, z)]
            if any(lost) or isinstance(x, str):
                total += 0.0 if all(lost) or (not any(lost) and x == z) else 1.0
            else:
                total += z - x
        found[i, j] = total / background.rows
    return found


def test_mean_design_is_its_rule_for_numbers_text_and_missing_values():
    nan = float("nan")
    rows = table(n=[1.0, nan, -2.5, 4.0], t=["a", "b", None, "unseen"])
    background = table(n=[0.0, nan, 3.0, 5.0, nan], t=["a", None, "b", "b", "c"])
    np.testing.assert_allclose(agreement.mean_design(rows, background), slow_mean_design(rows, background), rtol=1e-15)


def test_contributions_of_numbers_are_the_coefficient_times_the_distance_from_the_mean():
    rows, background = table(n=[3.0, 1.0]), table(n=[1.0, 2.0])
    models = LocalModels(np.array([[2.0], [2.0]]), np.zeros(2), np.zeros((2, 1, 1)), np.zeros((2, 1)), np.ones((2, 1)))
    design = agreement.mean_design(rows, background)
    assert contributions(models, design).tolist() == [[3.0], [-1.0]]
    given_values = Attributions(np.array([[7.0], [8.0]]), np.zeros(2))
    assert contributions(given_values, design).tolist() == [[7.0], [8.0]]


def test_reasons_look_toward_the_decision_and_regression_at_size():
    contributed = np.array([[1.0, -3.0], [1.0, -3.0]])
    assert agreement.reason_scores(contributed, np.array([1.0, -1.0])).tolist() == [[1.0, -3.0], [-1.0, 3.0]]
    assert agreement.reason_scores(contributed, None).tolist() == [[1.0, 3.0], [1.0, 3.0]]


def test_a_reason_changes_only_where_the_tied_sets_are_disjoint():
    a = np.array([[1.0, 1.0 - 5e-10, 0.0], [1.0, 0.5, 0.0], [1.0, 0.5, 0.0]])
    b = np.array([[0.0, 1.0, 0.0], [0.5, 1.0, 0.0], [1.0, 1.0 + 5e-10, 0.0]])
    assert agreement.top_sets(a)[0].tolist() == [True, True, False]
    assert agreement.reasons_changed(a, b).tolist() == [False, True, False]


def slow_r2(models, row):
    weights, answers = models.weights[row], models.answers[row]
    fitted = [
        models.intercept[row] + sum(c * z for c, z in zip(models.coef[row], sample, strict=True)) for sample in models.design[row]
    ]
    mean = sum(w * y for w, y in zip(weights, answers, strict=True)) / sum(weights)
    left = sum(w * (y - f) ** 2 for w, y, f in zip(weights, answers, fitted, strict=True))
    return 1 - left / sum(w * (y - mean) ** 2 for w, y in zip(weights, answers, strict=True))


def test_weighted_r2_is_its_sum_and_constant_answers_are_met_or_not():
    rng = np.random.default_rng(1)
    models = LocalModels(
        rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=(3, 9, 2)), rng.normal(size=(3, 9)), rng.random((3, 9)) + 0.1
    )
    assert agreement.weighted_r2(models).tolist() == pytest.approx([slow_r2(models, row) for row in range(3)])
    flat = LocalModels(np.zeros((2, 1)), np.array([4.0, 5.0]), np.ones((2, 3, 1)), np.full((2, 3), 4.0), np.ones((2, 3)))
    assert agreement.weighted_r2(flat).tolist() == [1.0, 0.0]


def test_interval_of_repeats_is_students():
    found = agreement.mean_interval(np.array([1.0, 2.0, 3.0]))
    assert found is not None
    reach = 4.302652729911275 / 3**0.5
    assert (found.low, found.high) == pytest.approx((2 - reach, 2 + reach))
    assert agreement.mean_interval(np.array([1.0])) is None
