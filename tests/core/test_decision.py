"""Decisions by hand: every flip depends on them, so each side of each edge is stated."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.decision import Decision


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


def test_two_classes_judged_as_many_take_the_largest() -> None:
    decision = Decision("multiclass", positive=1, cutoff=0.9)
    assert decision(two_classes(0.6, 0.4)).tolist() == [1, 0]  # type: ignore[union-attr]
    assert decision.score(two_classes(0.6, 0.25)).tolist() == [0.6, 0.75]


@pytest.mark.parametrize("width", [1, 2])
def test_numbers_are_not_decided_and_are_their_own_score(width: int) -> None:
    decision = Decision("regression")
    predictions = np.arange(3.0 * width).reshape(3, width) + 7.0
    assert decision(predictions) is None
    assert decision.score(predictions).tolist() == predictions[:, 0].tolist()


def test_usual_values() -> None:
    decision = Decision("binary")
    assert (decision.positive, decision.cutoff) == (1, 0.5)
    assert decision(two_classes(0.5, 0.499)).tolist() == [1, 0]  # type: ignore[union-attr]
    with pytest.raises(FrozenInstanceError):
        decision.cutoff = 0.1  # type: ignore[misc]


@given(st.lists(st.integers(0, 16), min_size=1, max_size=30), st.integers(0, 16), st.integers(0, 1))
def test_decided_rows_are_a_loop(sixteenths: list[int], cutoff: int, positive: int) -> None:
    predictions = np.array([[n / 16, 1 - n / 16] for n in sixteenths])
    expected = [positive if row[positive] >= cutoff / 16 else 1 - positive for row in predictions.tolist()]
    assert Decision("binary", positive, cutoff / 16)(predictions).tolist() == expected  # type: ignore[union-attr]
