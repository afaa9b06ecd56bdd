"""Decisions by hand: every flip depends on them, so each side of each edge is stated."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.decision import Decision, Ties


def two_classes(*positive: float) -> np.ndarray:
    """Probabilities of two classes; the second column is the given one."""
    return np.array([[1.0 - p, p] for p in positive])


def test_a_probability_at_the_cutoff_is_positive() -> None:
    below, above = np.nextafter(0.25, 0), np.nextafter(0.25, 1)
    decided = Decision("binary", positive=1, cutoff=0.25)(two_classes(below, 0.25, above))
    assert decided is not None
    assert decided.tolist() == [0, 1, 1]


def test_the_first_class_may_be_the_positive_one() -> None:
    decision = Decision("binary", positive=0, cutoff=0.25)
    predictions = np.array([[0.24, 0.76], [0.25, 0.75], [0.9, 0.1]])
    decided = decision(predictions)
    assert decided is not None
    assert decided.tolist() == [1, 0, 0]
    assert decision.score(predictions).tolist() == [0.24, 0.25, 0.9]


def test_a_margin_at_the_cutoff_is_the_first_class() -> None:
    decision = Decision("binary", cutoff=0.0)
    margins = np.array([[-1.0], [0.0], [np.nextafter(0.0, 1)], [2.0]])
    decided = decision(margins)
    assert decided is not None
    assert decided.tolist() == [0, 0, 1, 1]
    assert decided.dtype == np.int64
    assert decision.score(margins).tolist() == margins[:, 0].tolist()


def test_more_classes_take_the_largest_and_of_equal_ones_the_first() -> None:
    decision = Decision("multiclass")
    predictions = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    decided = decision(predictions)
    assert decided is not None
    assert decided.tolist() == [1, 0, 2, 2]
    assert decision.score(predictions).tolist() == [0.5, 0.4, 0.7, 0.4]


@pytest.mark.parametrize(
    ("ties", "expected"),
    [("first", [0, 0, 1, 2, 1]), ("last", [2, 2, 2, 2, 1])],
)
def test_of_several_largest_classes_the_declared_one_is_taken(ties: Ties, expected: list[int]) -> None:
    third = 1 / 3
    predictions = np.array([[third, third, third], [0.4, 0.2, 0.4], [0.2, 0.4, 0.4], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1]])
    assert Decision("multiclass", ties=ties)(predictions).tolist() == expected  # type: ignore[union-attr]


@pytest.mark.parametrize(("ties", "half"), [("first", 0), ("last", 1)])
@pytest.mark.parametrize("positive", [0, 1])
def test_equal_halves_are_a_tie_whichever_class_is_positive(ties: Ties, half: int, positive: int) -> None:
    below, above = np.nextafter(0.5, 0), np.nextafter(0.5, 1)
    decided = Decision("binary", positive, ties=ties)(two_classes(below, 0.5, above))
    assert decided.tolist() == [0, half, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize(("ties", "zero"), [("first", 0), ("last", 1)])
def test_a_margin_of_zero_is_a_tie(ties: Ties, zero: int) -> None:
    margins = np.array([[np.nextafter(0.0, -1)], [-0.0], [0.0], [np.nextafter(0.0, 1)]])
    assert Decision("binary", ties=ties)(margins).tolist() == [0, zero, zero, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize("positive", [0, 1])
def test_a_declared_cutoff_of_a_margin_is_exceeded_whatever_ties_say(positive: int) -> None:
    margins = np.array([[0.0], [0.25], [0.5]])
    decided = Decision("binary", positive, cutoff=0.25, ties="last")(margins)
    assert decided.tolist() == [0, 0, 1]  # type: ignore[union-attr]


def test_a_declared_half_is_not_the_models_own_decision() -> None:
    tied = two_classes(0.5)
    assert Decision("binary", positive=1, cutoff=0.5)(tied).tolist() == [1]  # type: ignore[union-attr]
    assert Decision("binary", positive=1)(tied).tolist() == [0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("decision", "predictions", "expected"),
    [
        (Decision("regression"), [[1.0], [2.0]], [np.inf, np.inf]),
        (Decision("multiclass"), [[1.0]], [np.inf]),
        (Decision("multiclass"), [[0.25, 0.25, 0.5], [0.5, 0.5, 0.0]], [0.125, 0.0]),
        (Decision("binary"), [[0.25, 0.75], [0.5, 0.5]], [0.25, 0.0]),
        (Decision("binary", positive=0), [[0.25, 0.75], [0.5, 0.5]], [0.25, 0.0]),
        (Decision("binary", cutoff=0.25), [[0.25, 0.75], [0.75, 0.25]], [0.5, 0.0]),
        (Decision("binary"), [[0.25], [-2.0], [0.0]], [0.25, 2.0, 0.0]),
        (Decision("binary", cutoff=1.0), [[0.25], [-2.0]], [0.75, 3.0]),
    ],
)
def test_distances_from_another_decision(decision: Decision, predictions: list[list[float]], expected: list[float]) -> None:
    assert decision.distance(np.array(predictions)).tolist() == expected


@pytest.mark.parametrize("width", [1, 2])
def test_numbers_are_not_decided_and_are_their_own_score(width: int) -> None:
    decision = Decision("regression")
    predictions = np.arange(3.0 * width).reshape(3, width) + 7.0
    assert decision(predictions) is None
    assert decision.score(predictions).tolist() == predictions[:, 0].tolist()


def test_usual_values() -> None:
    decision = Decision("binary")
    assert (decision.positive, decision.cutoff, decision.ties) == (1, None, "first")
    assert decision(two_classes(0.5, 0.499, 0.501)).tolist() == [0, 0, 1]  # type: ignore[union-attr]
    with pytest.raises(FrozenInstanceError):
        decision.cutoff = 0.1  # type: ignore[misc]


@given(st.lists(st.integers(0, 16), min_size=1, max_size=30), st.integers(0, 16), st.integers(0, 1))
def test_decided_rows_are_a_loop(sixteenths: list[int], cutoff: int, positive: int) -> None:
    predictions = np.array([[n / 16, 1 - n / 16] for n in sixteenths])
    expected = [positive if row[positive] >= cutoff / 16 else 1 - positive for row in predictions.tolist()]
    assert Decision("binary", positive, cutoff / 16)(predictions).tolist() == expected  # type: ignore[union-attr]


def loop(row: list[float], ties: str) -> int:
    """The class of one row: a later one replaces the best so far where it is larger, or as large and the last is taken."""
    best = 0
    for number, value in enumerate(row):
        if value > row[best] or (ties == "last" and value == row[best]):
            best = number
    return best


@given(
    st.integers(2, 5).flatmap(lambda k: st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=1, max_size=20)),
    st.sampled_from(["first", "last"]),
)
def test_the_models_own_decision_is_a_loop(rows: list[list[int]], ties: Ties) -> None:
    predictions = np.array(rows, dtype=np.float64)
    expected = [loop(row, ties) for row in predictions.tolist()]
    output = "binary" if len(rows[0]) == 2 else "multiclass"
    assert Decision(output, ties=ties)(predictions).tolist() == expected  # type: ignore[union-attr]
    if output == "binary":
        assert Decision(output, 0, ties=ties)(predictions).tolist() == expected  # type: ignore[union-attr]


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=20), st.sampled_from(["first", "last"]))
def test_the_own_decision_of_a_margin_is_that_of_the_pair_of_scores(margins: list[int], ties: Ties) -> None:
    margin = np.array(margins, dtype=np.float64)[:, None]
    decided = Decision("binary", ties=ties)(margin).tolist()  # type: ignore[union-attr]
    assert decided == [loop([0.0, value], ties) for value in margin[:, 0].tolist()]


def test_two_classes_called_several_have_a_distance_and_so_has_a_single_row() -> None:
    decision = Decision("multiclass")
    assert decision.distance(two_classes(0.75, 0.5)).tolist() == [0.25, 0.0]
    assert decision.distance(np.array([[0.25, 0.25, 0.5]])).tolist() == [0.125]
    assert decision.distance(np.array([[1.0]])).tolist() == [np.inf]
