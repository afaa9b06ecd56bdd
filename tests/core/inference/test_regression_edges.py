"""R2 and RMSE at the ends: two rows, one exact prediction among others."""

from __future__ import annotations

import numpy as np
import pytest

from qaudit.core.inference import regression
from qaudit.core.inference.row_keys import row_keys

TRUTH = np.linspace(-1.0, 1.0, 40)
KEYS = row_keys({"truth": TRUTH})


def test_two_rows_have_an_r2() -> None:
    result = regression.r2(TRUTH[:2], TRUTH[:2] + 0.01, KEYS[:2], replicates=99)
    assert result.value == pytest.approx(1 - 2 * 0.01**2 / (2 * (1 / 39) ** 2))


def test_one_exact_prediction_among_others_is_an_error_with_an_interval() -> None:
    predicted = TRUTH + np.sin(np.arange(40.0))
    assert predicted[0] == TRUTH[0]
    result = regression.rmse(TRUTH, predicted, KEYS, replicates=99)
    assert result.value == pytest.approx(np.sqrt(np.mean(np.sin(np.arange(40.0)) ** 2)))
    assert result.interval is not None
