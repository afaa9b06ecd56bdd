"""Shares that do not add up to one, and what a calibration shows of itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qaudit.core.measures import changes
from qaudit.core.tensor import Calibration


def test_shares_above_one_are_cut_before_they_are_divided_by_their_sum() -> None:
    found = changes.kl_rows(np.array([[0.5, 2.0]]), np.array([[0.5, 0.5]]))
    assert found[0] == pytest.approx(math.log(2 / 3) / 3 + 2 * math.log(4 / 3) / 3)


def test_a_calibration_does_not_print_its_function() -> None:
    lone = Calibration("w", "weight", 0, None, 0.0, 1.0, None, 1, effect=lambda replaced, label=None: 0.0)
    assert "name='w'" in repr(lone)
    assert "effect" not in repr(lone)
