"""Class measures against scikit-learn and slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from qaudit.core.measures import classification
from qaudit.core.measures.changes import count_flips

SCORES = st.lists(st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 8)), min_size=4, max_size=60)


def slow_variance(values: NDArray[np.float64]) -> float:
    return float(sum((v - values.mean()) ** 2 for v in values) / (len(values) - 1))


@given(SCORES)
def test_auc_is_sklearns_with_ties(rows: list[tuple[bool, int, int]]) -> None:
    positive, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)
    found = classification.roc_auc(positive, score)
    if positive.all() or not positive.any():
        assert found.value is None
        assert found.reason == "one class only among these rows"
        return
    assert found.value == pytest.approx(metrics.roc_auc_score(positive, score), abs=1e-12)
    if found.interval is not None:
        assert 0.0 <= found.interval.low <= found.value <= found.interval.high <= 1.0


@settings(max_examples=50)
@given(SCORES)
def test_auc_change_is_the_slow_delong(rows: list[tuple[bool, int, int]]) -> None:
    positive = np.array([r[0] for r in rows])
    a, b = np.array([r[1] for r in rows], float), np.array([r[2] for r in rows], float)
    if min(positive.sum(), (~positive).sum()) < 2:
        return
    found = classification.auc_change(positive, a, b)
    ups = [np.array([[(x > y) + 0.5 * (x == y) for y in s[~positive]] for x in s[positive]]) for s in (a, b)]
    d10, d01 = (ups[1] - ups[0]).mean(axis=1), (ups[1] - ups[0]).mean(axis=0)
    half = 1.959963984540054 * np.sqrt(slow_variance(d10) / len(d10) + slow_variance(d01) / len(d01))
    change = (ups[1] - ups[0]).mean()
    assert found.value == pytest.approx(change, abs=1e-12)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(max(change - half, -1), abs=1e-7)
    assert found.interval.high == pytest.approx(min(change + half, 1), abs=1e-7)


def test_equal_scores_change_nothing() -> None:
    positive, score = np.arange(40) % 2 == 0, np.linspace(0, 1, 40)
    found = classification.auc_change(positive, score, score)
    assert (found.value, found.interval.low, found.interval.high) == (0.0, 0.0, 0.0)  # type: ignore[union-attr]


def test_few_rows_of_one_class_are_said() -> None:
    positive = np.array([True] * 3 + [False] * 30)
    assert classification.roc_auc(positive, np.arange(33.0)).reason == "rough interval: one class has 3 rows"


@pytest.mark.parametrize("k", [2, 3, 26])
def test_probability_measures_are_sklearns(k: int) -> None:
    rng = np.random.default_rng(k)
    probability = rng.dirichlet(np.ones(k), 200)
    probability[0] = np.eye(k)[0]
    truth = rng.integers(0, k, 200)
    truth[0] = 1  # a true class of probability zero: the clip decides
    labels = list(range(k))
    expected = metrics.log_loss(truth, probability, labels=labels)
    assert classification.log_loss(truth, probability).value == pytest.approx(expected, rel=1e-9)
    if k == 2:
        ours = classification.brier(truth, probability, 1).value
        assert ours == pytest.approx(metrics.brier_score_loss(truth, probability[:, 1]), rel=1e-12)
        assert classification.brier(truth, probability, None).value == pytest.approx(2 * ours, rel=1e-12)  # type: ignore[operator]


def slow_ece(hit: list[bool], confidence: list[float], bins: int) -> float:
    total = 0.0
    for b in range(bins):
        lowest, highest = b == 0, b == bins - 1
        inside = [i for i, c in enumerate(confidence) if (c > b / bins or lowest) and (c <= (b + 1) / bins or highest)]
        if inside:
            gap = sum(confidence[i] for i in inside) / len(inside) - sum(hit[i] for i in inside) / len(inside)
            total += len(inside) / len(hit) * abs(gap)
    return total


@given(st.lists(st.tuples(st.booleans(), st.integers(-2, 66)), min_size=1, max_size=50))
def test_ece_against_its_slow_twin(rows: list[tuple[bool, int]]) -> None:
    # 16 bins and multiples of 1/64: every edge is a binary fraction, so both ways agree on the edge
    hit, confidence = [r[0] for r in rows], [r[1] / 64 for r in rows]
    found = classification.ece(np.array(hit), np.array(confidence), bins=16).value
    assert found == pytest.approx(slow_ece(hit, confidence, 16), abs=1e-12)


def test_accuracy_and_its_change() -> None:
    truth, before, after = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 1, 1, 1]), np.array([0, 0, 0, 0, 1])
    assert classification.accuracy(truth, before).value == pytest.approx(metrics.accuracy_score(truth, before))
    change = classification.accuracy_change(count_flips(truth, before, after))
    assert change.value == 0.0
    assert change.interval is not None
    assert change.interval.low < 0 < change.interval.high


def test_no_rows_is_not_assessed() -> None:
    none, empty = np.empty(0, np.int64), np.empty((0, 2))
    for found in (
        classification.accuracy(none, none),
        classification.log_loss(none, empty),
        classification.brier(none, empty, 1),
        classification.ece(none == 1, empty[:, 0]),
        classification.roc_auc(none == 1, empty[:, 0]),
        classification.auc_change(none == 1, empty[:, 0], empty[:, 0]),
        classification.accuracy_change(count_flips(none, none, none)),
    ):
        assert (found.value, found.reason) == (None, "no rows")
