"""What the tests of the quantizers share: calibrations without a host, slow twins, strategies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qaudit.core.tensor import Calibration


def no_effect(replaced: Any, label: str | None = None) -> float:
    """For quantizers that never ask for it."""
    raise AssertionError("effect was not expected here")


def calibration(
    values: Any, *, axis: int | None = 0, role: str = "weight", seed: int = 7, inputs: Any = None, **more: Any
) -> Calibration:
    """The calibration of a lone tensor."""
    given = {"name": "layer0.weight", "layer": 0, "effect": no_effect, **more}
    return Calibration(
        role=role, axis=axis, low=float(np.min(values)), high=float(np.max(values)), inputs=inputs, seed=seed, **given
    )


def rounded(x: float) -> int:
    """Nearest, ties to even: Python's own round."""
    return round(x)


def symmetric_twin(values: Any, bits: int) -> tuple[list[int], float]:
    """Codes and scale of one tensor, element by element."""
    top = 2 ** (bits - 1) - 1
    flat = [float(v) for v in np.ravel(values)]
    peak = max(abs(v) for v in flat)
    scale = max(peak / top, float(np.finfo(float).tiny)) if peak else 1.0
    return [max(-top, min(top, rounded(v / scale))) for v in flat], scale


def affine_twin(values: Any, bits: int) -> tuple[list[int], float, int]:
    """Codes, scale and zero point of one tensor, element by element."""
    top = 2**bits - 1
    flat = [float(v) for v in np.ravel(values)]
    low, high = min(*flat, 0.0), max(*flat, 0.0)
    span = (high - low) / top if math.isfinite(high - low) else high / top - low / top
    scale = max(span, float(np.finfo(float).tiny)) if high > low else 1.0
    zero = max(0, min(top, rounded(-low / scale)))
    return [max(0, min(top, rounded(v / scale) + zero)) for v in flat], scale, zero


def finite(bound: float = 1e3) -> st.SearchStrategy[float]:
    """Ordinary numbers, zeros included, denormals left out."""
    return st.floats(-bound, bound, allow_nan=False, allow_subnormal=False)


def tensors(bound: float = 1e3) -> st.SearchStrategy[Any]:
    """Matrices (out, in) of ordinary numbers."""
    return hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=finite(bound))


EXTREME = {
    "all zero": np.zeros((2, 3)),
    "one element": np.array([[0.25]]),
    "constant": np.full((2, 5), 0.1),
    "denormal": np.array([[5e-324, -1e-310], [0.0, 2e-320]]),
    "huge": np.array([[1e308, 0.0], [5e307, 1e308]]),
    "huge both ways": np.array([[1e308, -1e308], [1.0, 0.0]]),
    "one row zero": np.array([[0.0, 0.0], [1.0, -3.0]]),
}
