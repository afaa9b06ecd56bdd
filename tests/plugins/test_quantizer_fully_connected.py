"""fully_connected: vectors by hand, the stated bound, the overflow check, integer accumulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from qaudit_quantizers.fully_connected import inputs, stated_bound, weights
from quantizer_kit import EXTREME, affine_twin, calibration, finite, symmetric_twin, tensors

from qaudit import Decline, Refused

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "quantizers.json").read_text())
FULL = {"bits": 8, "input_bits": 8, "mode": "full"}


@pytest.mark.parametrize("case", VECTORS["fully_connected"], ids=lambda case: case["why"])
def test_by_hand(case):
    weight, x = np.array(case["weight"]), np.array(case["inputs"])
    chosen = {"bits": case["bits"], "input_bits": case["input_bits"], "mode": "full"}
    known = calibration(weight, inputs=x)
    tensor, grid = weights(weight, known, **chosen), inputs(known, **chosen)
    assert tensor.codes.tolist() == case["codes"]
    assert tensor.scale.tolist() == case["weight_scale"]
    assert (grid.scale, grid.zero_point) == (case["input_scale"], case["zero_point"])
    codes = np.clip(np.rint(x / grid.scale) + grid.zero_point, 0, 2 ** case["input_bits"] - 1)
    bias = np.rint(np.array(case["bias"]) / (tensor.scale * grid.scale))
    sums = (codes - grid.zero_point) @ tensor.codes.T + bias
    assert sums.tolist() == case["accumulator"]
    assert (sums * tensor.scale * grid.scale).tolist() == case["output"]


@given(tensors(), st.integers(2, 12))
def test_weights_are_symmetric_a_row(values, bits):
    made = weights(values, calibration(values), bits=bits, input_bits=8, mode="full")
    for row, codes, scale in zip(values, made.codes, made.scale, strict=True):
        assert (codes.tolist(), scale) == symmetric_twin(row, bits)


@given(tensors(), st.integers(2, 16))
def test_the_input_grid_is_affine_over_the_calibration_rows(x, bits):
    grid = inputs(calibration(x, inputs=x), bits=8, input_bits=bits, mode="full")
    _, scale, zero = affine_twin(x, bits)
    assert (grid.scale, grid.zero_point, grid.qtype.bits) == (scale, zero, bits)


@settings(max_examples=200)
@given(st.data(), st.integers(2, 8), st.integers(2, 8))
def test_the_stated_bound_holds(data, bits, input_bits):
    n_in, n_out = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    weight = data.draw(hnp.arrays(np.float64, (n_out, n_in), elements=finite(10.0)))
    bias = data.draw(hnp.arrays(np.float64, (n_out,), elements=finite(10.0)))
    x = data.draw(hnp.arrays(np.float64, (5, n_in), elements=finite(10.0)))
    chosen = {"bits": bits, "input_bits": input_bits, "mode": "full"}
    known = calibration(weight, inputs=x)
    tensor, grid = weights(weight, known, **chosen), inputs(known, **chosen)
    codes = np.clip(np.rint(x / grid.scale) + grid.zero_point, 0, grid.qtype.high) - grid.zero_point
    step = tensor.scale * grid.scale
    assume(np.all(step > 1e-200))
    whole = np.rint(bias / step)
    measured = np.abs((codes @ tensor.codes.T + whole) * step - (x @ weight.T + bias))
    assert np.all(measured <= stated_bound(x, weight, tensor.scale, grid.scale) * (1 + 1e-9) + 1e-12)


def test_the_stated_bound_by_hand_and_nearly_reached():
    # |x|.s_w/2 = 1.5, |W|_1 s_x/2 = 1, n_in s_w s_x/4 = 0.5, s_w s_x/2 = 0.5
    bound = stated_bound(np.array([[1.0, 2.0]]), np.array([[1.0, -1.0]]), np.array([1.0]), 1.0)
    assert bound.tolist() == [[3.5]]
    random = np.random.default_rng(5)
    weight, x = random.uniform(-1, 1, (200, 2)), random.uniform(-1, 1, (500, 2))
    known = calibration(weight, inputs=x)
    tensor, grid = weights(weight, known, bits=3, input_bits=3, mode="full"), inputs(known, bits=3, input_bits=3, mode="full")
    codes = np.clip(np.rint(x / grid.scale) + grid.zero_point, 0, grid.qtype.high) - grid.zero_point
    error = np.abs((codes @ tensor.codes.T) * tensor.scale * grid.scale - x @ weight.T)
    share = (error / stated_bound(x, weight, tensor.scale, grid.scale)).max()
    assert 0.5 < share <= 1.0


def test_weight_only_leaves_inputs_alone():
    values = np.array([[1.0, 2.0]])
    assert inputs(calibration(values, inputs=values), bits=8, input_bits=8, mode="weight_only") is None
    assert weights(values, calibration(values), bits=16, input_bits=16, mode="weight_only").qtype.bits == 16


def test_an_accumulator_that_may_overflow_declines():
    values = np.ones((1, 2))
    assert weights(values, calibration(values), bits=16, input_bits=15, mode="full").codes.max() == 32767
    with pytest.raises(Decline, match=r"2 inputs x 32767 x 65535 = 4294770690 may overflow"):
        weights(values, calibration(values), bits=16, input_bits=16, mode="full")
    wide = np.ones((1, 67_000))
    with pytest.raises(Decline, match="may overflow"):
        weights(wide, calibration(wide), **FULL)


@pytest.mark.parametrize("name", EXTREME)
def test_scale_rule_is_total(name):
    values = EXTREME[name]
    made = weights(values, calibration(values), **FULL)
    assert made.problems(values.shape) == []
    assert np.all(made.dequantize()[values == 0] == 0)


def test_input_grids_are_total():
    zero = inputs(calibration(np.zeros(2), inputs=np.zeros((2, 2))), **FULL)
    assert (zero.scale, zero.zero_point) == (1.0, 0)
    assert inputs(calibration(np.ones(1), inputs=np.full((1, 1), 5e-324)), **FULL).scale > 0
    with pytest.raises(Decline, match="too far apart"):
        inputs(calibration(np.ones(1), inputs=np.array([[1.5e308, -1.5e308]])), **FULL)


def test_other_parameters_decline_and_nan_is_refused():
    with pytest.raises(Decline, match=r"quantizes dense layers; threshold\[x\] is a threshold of a tree"):
        weights(np.ones(3), calibration(np.ones(3), axis=None, role="threshold", name="threshold[x]"), **FULL)
    with pytest.raises(Refused, match=r"layer0\.weight: 1 values"):
        weights(np.array([[np.nan]]), calibration(np.ones(1)), **FULL)
    with pytest.raises(Refused, match=r"inputs of layer0\.weight: NaN"):
        inputs(calibration(np.ones(1), inputs=np.array([[np.nan]])), **FULL)
    with pytest.raises(Decline, match="needs calibration rows"):
        inputs(calibration(np.ones(1)), **FULL)
