"""dithered: vectors by hand, error bounds, unbiasedness and variance, equivariance, degenerate tensors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from qaudit_quantizers.dithered import dithered
from quantizer_kit import EXTREME, calibration, tensors

from qaudit import Decline, Refused
from qaudit import dither as draw

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "quantizers.json").read_text())
BITS = st.integers(2, 16)
DITHERS = ["none", "stochastic", "subtractive"]


def made(values, bits=4, dither="none", *, range="maxabs", k=None, axis="tensor", seed=0, own=7):
    return dithered(values, calibration(values, seed=own), bits=bits, range=range, k=k, dither=dither, axis=axis, seed=seed)


@pytest.mark.parametrize("case", VECTORS["dithered"], ids=lambda case: case["why"])
def test_by_hand(case):
    tensor = made(np.array(case["values"]), case["bits"], range=case["range"], k=case["k"], axis=case["axis"])
    assert tensor.codes.tolist() == case["codes"]
    assert np.asarray(tensor.offset).tolist() == case["offset"]
    assert np.asarray(tensor.scale).tolist() == case["scale"]
    assert tensor.dequantize().tolist() == case["dequantized"]


@given(tensors(), BITS, st.sampled_from(DITHERS))
def test_codes_equal_the_plain_loop(values, bits, dither):
    assume(np.ptp(values) > 1e-3)
    tensor = made(values, bits, dither)
    top, mean = 2 ** (bits - 1) - 1, float(values.mean())
    step = max(abs(float(v) - mean) for v in values.ravel()) / top
    draws = draw(7, values.shape).ravel() if dither != "none" else [0.0] * values.size
    expected = [
        max(-top, min(top, round((float(v) - mean) / step + float(u)))) for v, u in zip(values.ravel(), draws, strict=True)
    ]
    assert tensor.codes.ravel().tolist() == expected
    assert tensor.scale == pytest.approx(step, rel=1e-15)


@given(tensors(), BITS, st.sampled_from(DITHERS), st.sampled_from(["tensor", "channel"]))
def test_error_bounds(values, bits, dither, axis):
    tensor = made(values, bits, dither, axis=axis)
    error, step = np.abs(tensor.dequantize() - values), tensor.step()
    slack = 1e-12 * np.abs(values).max(initial=0.0)
    if dither == "stochastic":
        assert np.all(error < step + slack)
    else:
        assert np.all(error <= step / 2 * (1 + 1e-9) + slack)
    assert tensor.problems(values.shape) == []
    assert len(np.unique(tensor.codes)) <= 2**bits


@given(tensors(), BITS)
def test_stochastic_takes_a_neighbour_only(values, bits):
    assume(np.ptp(values) > 1e-3)
    tensor = made(values, bits, "stochastic")
    exact = (values - tensor.offset) / tensor.scale
    assert np.all((tensor.codes >= np.floor(exact - 1e-9)) & (tensor.codes <= np.ceil(exact + 1e-9)))


def test_dither_is_unbiased_with_the_stated_variance():
    """20,000 draws of each weight: the mean within 4.5 standard errors, the variance as in the table of the methods."""
    one = np.array([-1.0, -0.77, -0.31, 0.013, 0.14, 0.52, 0.9, 1.0]) - 0.05375 + 0.2
    draws = 20_000
    values = np.tile(one, (draws, 1))
    step = np.abs(one - one.mean()).max() / 3
    for dither in ("stochastic", "subtractive"):
        tensor = made(values, 3, dither)
        assert tensor.scale == pytest.approx(step, rel=1e-9)
        error = tensor.dequantize() - values
        f = (one - tensor.offset) / tensor.scale % 1.0
        variance = tensor.scale**2 * (f * (1 - f) if dither == "stochastic" else np.full(len(one), 1 / 12))
        assert np.all(np.abs(error.mean(axis=0)) <= 4.5 * np.sqrt(variance / draws) + 1e-12)
        assert error.var(axis=0) == pytest.approx(variance, rel=0.03, abs=1e-12)


def test_subtractive_error_does_not_depend_on_the_weight():
    values = np.random.default_rng(1).normal(size=(200, 200))
    error = made(values, 4, "subtractive").dequantize() - values
    assert abs(np.corrcoef(values.ravel(), error.ravel())[0, 1]) < 4.5 / 200
    assert np.abs(np.corrcoef(np.abs(values).ravel(), (error**2).ravel())[0, 1]) < 4.5 / 200


def test_nearest_is_biased_where_the_dither_is_not():
    values = np.tile(np.array([-1.0, 0.2, 0.8]), (5_000, 1))  # 0.2 and 0.8 lie 0.4 steps from a level
    biased = np.abs((made(values, 2).dequantize() - values).mean(axis=0)).max()
    unbiased = np.abs((made(values, 2, "subtractive").dequantize() - values).mean(axis=0)).max()
    assert biased > 0.15
    assert unbiased < 0.03


@given(tensors(), BITS, st.sampled_from(DITHERS), st.integers(-10, 10))
def test_scaling_by_a_power_of_two_scales_the_result(values, bits, dither, power):
    assume(np.all((values == 0) | (np.abs(values) > 1e-200)))
    plain, scaled = made(values, bits, dither), made(values * 2.0**power, bits, dither)
    assert np.array_equal(plain.codes, scaled.codes)
    assert scaled.dequantize().tolist() == (plain.dequantize() * 2.0**power).tolist()


def test_shifting_shifts_the_result():
    values = np.array([[0.0, 1.0, 2.0, 5.0]])
    plain, moved = made(values, 5), made(values + 16.0, 5)
    assert np.array_equal(plain.codes, moved.codes)
    assert moved.dequantize() == pytest.approx(plain.dequantize() + 16.0, rel=1e-15)


@given(tensors(), BITS)
def test_frozen_grid_is_idempotent_without_dither(values, bits):
    tensor = made(values, bits)
    again = np.rint((tensor.dequantize() - tensor.offset) / tensor.scale)
    assume(np.ptp(values) > 1e-6 * np.abs(values).max(initial=0.0))
    assert np.array_equal(again, tensor.codes)


@pytest.mark.parametrize("dither", DITHERS)
def test_a_constant_is_exact(dither):
    values = np.full((3, 10), 0.1)  # its computed mean is not 0.1
    assert made(values, 4, dither).dequantize().tolist() == values.tolist()
    mixed = np.vstack([values, np.linspace(-1.0, 1.0, 10)[None]])
    tensor = made(mixed, 4, dither, axis="channel")
    assert tensor.dequantize()[:3].tolist() == values.tolist()
    assert not np.array_equal(tensor.dequantize()[3], mixed[3])


@pytest.mark.parametrize("name", [name for name in EXTREME if name != "huge both ways"])
@pytest.mark.parametrize("dither", DITHERS)
@pytest.mark.parametrize("range_k", [("maxabs", None), ("ksigma", 3.0)])
def test_scale_rule_is_total(name, dither, range_k):
    values = EXTREME[name]
    tensor = made(values, 4, dither, range=range_k[0], k=range_k[1])
    assert tensor.problems(values.shape) == []
    assert np.all(np.abs(tensor.dequantize() - values) <= tensor.step() * (1 + 1e-9))


def test_a_range_that_overflows_declines():
    with pytest.raises(Decline, match="too far apart"):
        made(EXTREME["huge both ways"])


def test_seeds_choose_the_draw():
    values = np.random.default_rng(2).normal(size=(4, 40))
    first = made(values, 3, "stochastic")
    assert made(values, 3, "stochastic").codes.tobytes() == first.codes.tobytes()
    assert made(values, 3, "stochastic", seed=1).codes.tobytes() != first.codes.tobytes()
    assert made(values, 3, "stochastic", seed=1).codes.tobytes() == made(values, 3, "stochastic", own=8).codes.tobytes()
    assert made(values, 3, "subtractive", seed=1).dither_seed == 8


def test_best_gaussian_range_gives_the_known_ratio():
    """Max 1960: 8 bits, k = 3.94, 40.57 dB; ours has one level less."""
    values = np.random.default_rng(4).normal(size=(500, 400))
    error = made(values, 8, range="ksigma", k=3.94).dequantize() - values
    assert 10 * np.log10((values**2).sum() / (error**2).sum()) == pytest.approx(40.57, abs=0.2)


def test_k_sigma_saturates_beyond_its_range():
    values = np.array([[0.0] * 30 + [100.0, -100.0]])
    tensor = made(values, 4, range="ksigma", k=1.0)
    assert tensor.codes[0, -2:].tolist() == [7, -7]
    assert tensor.dequantize()[0, -2] == pytest.approx(values.std(), rel=1e-12)


def test_contradictions_decline_and_nan_is_refused():
    values = np.array([[1.0, 2.0]])
    with pytest.raises(Decline, match="needs k"):
        made(values, range="ksigma")
    with pytest.raises(Decline, match="k belongs to"):
        made(values, k=3.0)
    with pytest.raises(Decline, match="output axis"):
        dithered(values, calibration(values, axis=None), bits=4, range="maxabs", k=None, dither="none", axis="channel", seed=0)
    with pytest.raises(Refused, match=r"layer0\.weight: 1 values"):
        dithered(
            np.array([[np.nan, 1.0]]), calibration(values), bits=4, range="maxabs", k=None, dither="none", axis="tensor", seed=0
        )
