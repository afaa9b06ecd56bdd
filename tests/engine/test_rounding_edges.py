"""The ends of what a proof allows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qaudit.core.steps import Dense
from qaudit.engine import rounding


def test_a_layer_is_not_exact() -> None:
    assert rounding.is_exact(Dense(np.ones((1, 1)), np.zeros(1))) is False


def test_logistic_activations_end_at_700() -> None:
    found = rounding._activated(np.array([-1e4, -701.0, -700.0, -699.5]), "logistic")
    assert found[:3].tolist() == pytest.approx([math.exp(-700)] * 3, rel=1e-12, abs=0)
    assert found[3] == pytest.approx(math.exp(-699.5), rel=1e-12, abs=0)
