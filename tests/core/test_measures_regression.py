"""Regression measures against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from qaudit.core.measures.regression import mae, r2, rmse


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=40))
def test_they_are_sklearns(rows: list[tuple[float, float]]) -> None:
    truth, predicted = (np.array(column) for column in zip(*rows, strict=True))
    assert mae(truth, predicted).value == pytest.approx(metrics.mean_absolute_error(truth, predicted), rel=1e-9, abs=1e-300)
    expected = float(np.sqrt(metrics.mean_squared_error(truth, predicted)))
    assert rmse(truth, predicted).value == pytest.approx(expected, rel=1e-9, abs=1e-300)
    if np.ptp(truth) > 1e-6:
        assert r2(truth, predicted).value == pytest.approx(metrics.r2_score(truth, predicted), rel=1e-6, abs=1e-9)


def test_what_cannot_be_assessed_says_why() -> None:
    assert r2(np.array([1.0]), np.array([1.0])).reason == "fewer than 2 rows"
    assert r2(np.full(7, 0.1), np.arange(7.0)).reason == "the target is the same in every row"
    assert mae(np.empty(0), np.empty(0)).value is None
    assert rmse(np.empty(0), np.empty(0)).reason == "no rows"
