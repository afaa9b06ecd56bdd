"""What a formula may divide by: anything with a name in it, and whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from qaudit.engine.formula import evaluate


@pytest.mark.parametrize(("text", "expected"), [("x / (y + 1.5)", 2.8), ("x / (1.5 * y)", 14 / 3), ("x / (3 + 4)", 1.0)])
def test_a_divisor_with_a_name_may_hold_floats(text: str, expected: float) -> None:
    values = {name: np.array([value]) for name, value in (("x", 7.0), ("y", 1.0)) if name in text}
    assert evaluate(text, **values).tolist() == pytest.approx([expected], rel=1e-15)
