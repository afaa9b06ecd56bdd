"""symmetric and affine: hand-computed vectors, slow twins, the invariants of a uniform quantizer."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from qaudit_quantizers.affine import affine
from qaudit_quantizers.symmetric import symmetric
from quantizer_kit import EXTREME, affine_twin, calibration, symmetric_twin, tensors

from qaudit import Decline, Refused

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "quantizers.json").read_text())
BITS = st.integers(2, 16)
BOTH = [symmetric, affine]


def parts(tensor):
    return tensor.codes.tolist(), np.asarray(tensor.scale).tolist(), np.asarray(tensor.zero_point).tolist()


@pytest.mark.parametrize("case", VECTORS["symmetric"], ids=lambda case: case["why"])
def test_symmetric_by_hand(case):
    values = np.array(case["values"])
    made = symmetric(values, calibration(values), bits=case["bits"], axis=case["axis"])
    assert made.codes.tolist() == case["codes"]
    assert np.asarray(made.scale).tolist() == case["scale"]
    assert made.dequantize().tolist() == case["dequantized"]


@pytest.mark.parametrize("case", VECTORS["affine"], ids=lambda case: case["why"])
def test_affine_by_hand(case):
    values = np.array(case["values"])
    made = affine(values, calibration(values), bits=case["bits"], axis=case["axis"])
    assert made.codes.tolist() == case["codes"]
    assert np.asarray(made.zero_point).tolist() == case["zero_point"]
    assert np.asarray(made.scale).tolist() == case["scale"]
    assert made.dequantize().tolist() == case["dequantized"]


@given(tensors(), BITS)
def test_tensor_codes_equal_the_plain_loop(values, bits):
    made = symmetric(values, calibration(values), bits=bits, axis="tensor")
    codes, scale = symmetric_twin(values, bits)
    assert made.codes.ravel().tolist() == codes
    assert made.scale == scale
    made = affine(values, calibration(values), bits=bits, axis="tensor")
    codes, scale, zero = affine_twin(values, bits)
    assert (made.codes.ravel().tolist(), made.scale, made.zero_point) == (codes, scale, zero)


@given(tensors(), BITS, st.sampled_from([0, 1]))
def test_a_channel_is_quantized_as_a_tensor_of_its_own(values, bits, axis):
    for quantizer in BOTH:
        whole = quantizer(values, calibration(values, axis=axis), bits=bits, axis="channel")
        for index in range(values.shape[axis]):
            part = np.take(values, index, axis=axis)
            alone = quantizer(part, calibration(part), bits=bits, axis="tensor")
            assert np.take(whole.codes, index, axis=axis).tolist() == alone.codes.tolist()
            assert whole.scale[index] == alone.scale
        assert whole.problems(values.shape) == []


@given(tensors(), BITS, st.sampled_from(["tensor", "channel"]))
def test_error_zero_and_level_count(values, bits, axis):
    for quantizer in BOTH:
        before = values.copy()
        made = quantizer(values, calibration(values), bits=bits, axis=axis)
        after, step = made.dequantize(), made.step()
        assert np.all(np.abs(after - values) <= step / 2 * (1 + 1e-9))
        assert np.all(after[values == 0] == 0)
        assert values.tobytes() == before.tobytes()
        assert len(np.unique(made.codes)) <= 2**bits
        assert made.problems(values.shape) == []


@given(tensors(), BITS)
def test_symmetric_keeps_the_largest_magnitude_and_the_signs(values, bits):
    made = symmetric(values, calibration(values), bits=bits, axis="tensor")
    after = made.dequantize()
    assert np.abs(after).max() == pytest.approx(np.abs(values).max(), rel=1e-15)
    mirrored = symmetric(-values, calibration(values), bits=bits, axis="tensor")
    assert np.array_equal(mirrored.codes, -made.codes)


@given(tensors(), BITS, st.integers(-20, 20))
def test_scaling_by_a_power_of_two_scales_the_result(values, bits, power):
    assume(np.all((values == 0) | (np.abs(values) > 1e-200)))
    for quantizer in BOTH:
        plain = quantizer(values, calibration(values), bits=bits, axis="tensor")
        scaled = quantizer(values * 2.0**power, calibration(values), bits=bits, axis="tensor")
        assert np.array_equal(scaled.codes, plain.codes)
        assert scaled.dequantize().tolist() == (plain.dequantize() * 2.0**power).tolist()


@given(tensors(), BITS, st.randoms(use_true_random=False))
def test_permuting_weights_permutes_codes(values, bits, random):
    order = list(range(values.size))
    random.shuffle(order)
    for quantizer in BOTH:
        plain = quantizer(values.ravel(), calibration(values), bits=bits, axis="tensor")
        moved = quantizer(values.ravel()[order], calibration(values), bits=bits, axis="tensor")
        assert moved.codes.tolist() == plain.codes[order].tolist()


@given(tensors(), BITS)
def test_frozen_grid_is_idempotent(values, bits):
    for quantizer in BOTH:
        made = quantizer(values, calibration(values), bits=bits, axis="tensor")
        again = np.rint(made.dequantize() / made.scale) + made.zero_point
        assert np.array_equal(again, made.codes)


@given(tensors())
def test_bound_falls_with_bits(values):
    assume(np.abs(values).max() > 1e-3)
    for quantizer in BOTH:
        steps = [quantizer(values, calibration(values), bits=bits, axis="tensor").scale for bits in range(2, 17)]
        assert all(fine < coarse for coarse, fine in itertools.pairwise(steps))


@pytest.mark.parametrize("name", EXTREME)
@pytest.mark.parametrize("quantizer", BOTH)
@pytest.mark.parametrize("axis", ["tensor", "channel"])
def test_scale_rule_is_total(name, quantizer, axis):
    values = EXTREME[name]
    made = quantizer(values, calibration(values), bits=4, axis=axis)
    assert made.problems(values.shape) == []
    assert np.all(np.abs(made.dequantize() - values) <= made.step() / 2 * (1 + 1e-9))
    assert np.all(made.dequantize()[values == 0] == 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("quantizer", BOTH)
def test_not_finite_is_refused_by_name(bad, quantizer):
    values = np.array([[1.0, bad]])
    with pytest.raises(Refused, match=r"layer0\.weight: 1 values are NaN or infinite"):
        quantizer(values, calibration(np.ones(2)), bits=8, axis="tensor")


@pytest.mark.parametrize("quantizer", BOTH)
def test_channel_without_an_output_axis_declines(quantizer):
    with pytest.raises(Decline, match="needs a parameter with an output axis"):
        quantizer(np.ones(3), calibration(np.ones(3), axis=None, role="threshold"), bits=8, axis="channel")


def test_large_tensors_take_the_same_values_as_small_ones():
    values = np.random.default_rng(3).normal(size=(300, 200))  # above the size where numexpr takes over
    for quantizer in BOTH:
        whole = quantizer(values, calibration(values, axis=0), bits=5, axis="channel")
        rows = [quantizer(row, calibration(row), bits=5, axis="tensor").codes for row in values]
        assert np.array_equal(whole.codes, np.array(rows))
