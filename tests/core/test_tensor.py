"""The law of a quantized tensor against an element-by-element twin; sizes; what breaks the contract."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qaudit.core.tensor import QType, QuantizedTensor, dither


def part(value: Any, index: tuple[int, ...], axis: int | None, block: int | None) -> float:
    """The entry of a scalar, per-axis or per-block value that belongs to one element."""
    value = np.asarray(value)
    if value.ndim == 0:
        return value.item()
    assert axis is not None
    if block is None:
        return value[index[axis]].item()
    return value[(*index[:axis], index[axis] // block, *index[axis + 1 :])].item()


def slowly(tensor: QuantizedTensor) -> list[float]:
    """The law, element by element, in Python floats."""
    scale = tensor.scale
    if isinstance(scale, QuantizedTensor):
        scale = np.array(slowly(scale)).reshape(scale.codes.shape)
    draw = dither(tensor.dither_seed, tensor.codes.shape) if tensor.dither_seed is not None else np.zeros(tensor.codes.shape)
    found = []
    for index in np.ndindex(tensor.codes.shape):
        code = int(tensor.codes[index])
        step = float(part(scale, index, tensor.axis, tensor.block))
        if tensor.table is not None:
            found.append(step * float(tensor.table[code]))
            continue
        zero = float(part(tensor.zero_point, index, tensor.axis, tensor.block))
        offset = float(part(tensor.offset, index, tensor.axis, tensor.block))
        value = ((float(code) - zero) - draw[index].item()) * step
        found.append(offset + (value if tensor.mask is None or tensor.mask[index] else 0.0))
    return found


@st.composite
def tensors(draw: st.DrawFn) -> QuantizedTensor:
    """Any tensor the law allows: scalars, per axis, per block with a short last block, mask, dither, table, nested scale."""
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    axis = draw(st.integers(0, len(shape) - 1))
    block = draw(st.one_of(st.none(), st.integers(1, 8)))
    wanted = (shape[axis],) if block is None else (*shape[:axis], math.ceil(shape[axis] / block), *shape[axis + 1 :])
    qtype = QType(draw(st.integers(2, 12)), draw(st.booleans()), draw(st.booleans()))

    def real() -> Any:
        return rng.uniform(0.01, 3.0) if draw(st.booleans()) else rng.uniform(0.01, 3.0, wanted)

    codes = rng.integers(qtype.low, qtype.high, shape, endpoint=True).astype(np.int32)
    scale: Any = real()
    if draw(st.booleans()):
        scale = QuantizedTensor(rng.integers(1, 255, wanted), float(rng.uniform(0.01, 1)), QType(8, signed=False))
    if draw(st.integers(0, 3)) == 0:
        table = rng.normal(size=5)
        return QuantizedTensor(rng.integers(0, 5, shape), scale, QType(3, signed=False), table=table, axis=axis, block=block)
    zero: Any = int(rng.integers(qtype.low, qtype.high + 1))
    if draw(st.booleans()):
        zero = rng.integers(qtype.low, qtype.high, wanted, endpoint=True)
    return QuantizedTensor(
        codes,
        scale,
        qtype,
        zero,
        offset=real() if draw(st.booleans()) else 0.0,
        mask=rng.random(shape) < 0.6 if draw(st.booleans()) else None,
        dither_seed=draw(st.one_of(st.none(), st.integers(0, 2**63))),
        axis=axis,
        block=block,
    )


@settings(max_examples=250, deadline=None)
@given(tensors())
def test_dequantize_equals_the_loop_bit_for_bit(tensor: QuantizedTensor) -> None:
    before = tensor.codes.copy()
    values = tensor.dequantize()
    assert values.dtype == np.float64
    assert values.shape == tensor.codes.shape
    assert values.ravel().tolist() == slowly(tensor)
    assert tensor.problems(tensor.codes.shape) == []
    tensor.check()
    assert np.array_equal(before, tensor.codes)


@settings(max_examples=100, deadline=None)
@given(tensors())
def test_the_step_is_the_distance_of_neighbouring_codes(tensor: QuantizedTensor) -> None:
    step = tensor.step()
    assert step.shape == tensor.codes.shape
    if tensor.table is None:
        up = replace(tensor, codes=tensor.codes.astype(np.int64) + 1, mask=None)
        moved = up.dequantize() - replace(tensor, mask=None).dequantize()
        assert np.allclose(moved, step, rtol=1e-9, atol=1e-9)


def test_by_hand() -> None:
    codes = np.array([[-3, 0, 3, 1, 2], [1, 2, 3, -1, 0]])
    per_tensor = QuantizedTensor(codes, 0.5, QType(3))
    assert per_tensor.dequantize().tolist() == [[-1.5, 0.0, 1.5, 0.5, 1.0], [0.5, 1.0, 1.5, -0.5, 0.0]]
    per_axis = QuantizedTensor(codes, np.array([1.0, 10.0]), QType(3), zero_point=np.array([1, 0]), axis=0)
    assert per_axis.dequantize().tolist() == [[-4.0, -1.0, 2.0, 0.0, 1.0], [10.0, 20.0, 30.0, -10.0, 0.0]]
    blocks = QuantizedTensor(codes, np.array([[1.0, 10.0, 100.0], [2.0, 4.0, 8.0]]), QType(3), axis=1, block=2)
    assert blocks.dequantize().tolist() == [[-3.0, 0.0, 30.0, 10.0, 200.0], [2.0, 4.0, 12.0, -4.0, 0.0]]
    pruned = QuantizedTensor(codes, 0.5, QType(3), offset=0.25, mask=codes > 1)
    assert pruned.dequantize().tolist() == [[0.25, 0.25, 1.75, 0.25, 1.25], [0.25, 1.25, 1.75, 0.25, 0.25]]
    book = QuantizedTensor(np.array([0, 2, 1]), 2.0, QType(2, signed=False), table=np.array([-1.0, 0.0, 0.7]))
    assert book.dequantize().tolist() == [-2.0, 1.4, 0.0]


def test_the_dither_is_subtracted_again() -> None:
    shape = (40, 50)
    draw = dither(7, shape)
    assert np.array_equal(draw, (np.random.Generator(np.random.Philox(7)).random(shape) * 2 - 1) / 2)
    values = np.random.default_rng(0).normal(size=shape)
    step = float(np.abs(values).max() / 7)
    codes = np.clip(np.rint(values / step + draw), -7, 7).astype(np.int32)
    error = QuantizedTensor(codes, step, QType(4), dither_seed=7).dequantize() - values
    assert np.abs(error).max() <= step / 2 * (1 + 1e-9)
    assert np.abs(QuantizedTensor(codes, step, QType(4)).dequantize() - values).max() > step / 2 * 1.5


CODES = np.zeros((4, 6), dtype=np.int8)
NESTED = QuantizedTensor(np.ones(4, dtype=np.uint8), 0.1, QType(8, signed=False))


@pytest.mark.parametrize(
    ("tensor", "bits"),
    [
        (QuantizedTensor(CODES, 1.0, QType(8)), 24 * 8 + 32),
        (QuantizedTensor(CODES, 1.0, QType(4), zero_point=3), 24 * 4 + 32 + 4),
        (QuantizedTensor(CODES, np.ones(4), QType(4), zero_point=np.zeros(4, dtype=int), axis=0), 24 * 4 + 4 * 32 + 4 * 4),
        (QuantizedTensor(CODES, np.ones((4, 2)), QType(4), axis=1, block=4), 24 * 4 + 8 * 32),
        (QuantizedTensor(CODES, NESTED, QType(4), axis=0), 24 * 4 + 4 * 8 + 32),
        (QuantizedTensor(CODES, 1.0, QType(4), offset=0.5, dither_seed=0), 24 * 4 + 32 + 32 + 64),
        (QuantizedTensor(CODES, 1.0, QType(4), mask=np.arange(24).reshape(4, 6) < 5), 5 * 4 + 24 + 32),
        (QuantizedTensor(CODES, 1.0, QType(2, signed=False), table=np.arange(4.0)), 24 * 2 + 32 + 4 * 32),
    ],
)
def test_sizes_count_everything_that_is_stored(tensor: QuantizedTensor, bits: int) -> None:
    assert tensor.problems() == []
    assert tensor.size_bits == bits
    assert tensor.effective_bits == bits / 24


GOOD = QuantizedTensor(np.array([[1, -2, 3], [0, 1, 2]]), 0.5, QType(3))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"codes": np.ones((2, 3))}, "codes: float64 array, expected an integer array"),
        ({"codes": np.array([[1, None]])}, "codes: object array"),
        ({"codes": [[1, 2, 3]]}, "codes: list"),
        ({"codes": np.ones((2, 3), dtype=bool)}, "codes: bool array"),
        ({"codes": np.ones((3, 2), dtype=int)}, "codes: shape (3, 2), expected (2, 3)"),
        ({"codes": np.full((2, 3), 4)}, "codes: from 4 to 4, expected -3 to 3"),
        ({"codes": np.full((2, 3), -4)}, "codes: from -4 to -4, expected -3 to 3"),
        ({"qtype": QType(3, signed=False)}, "codes: from -2 to 3, expected 0 to 7"),
        ({"qtype": QType(0)}, "qtype"),
        ({"qtype": QType(1)}, "qtype: a narrow signed format of 1 bit"),
        ({"qtype": 8}, "qtype: 8, expected a QType"),
        ({"scale": 0.0}, "scale: not finite and positive"),
        ({"scale": -1.0}, "scale: not finite and positive"),
        ({"scale": float("nan")}, "scale: not finite and positive"),
        ({"scale": float("inf")}, "scale: not finite and positive"),
        ({"scale": "1"}, "scale: str, expected real numbers"),
        ({"scale": None}, "scale: NoneType, expected real numbers"),
        ({"scale": [0.5, 0.5]}, "scale: list, expected real numbers"),
        ({"scale": np.array([0.5, 0.5])}, "scale: shape (2,) without an axis, expected a scalar"),
        ({"scale": np.ones(3), "axis": 0}, "scale: shape (3,), expected (2,) or a scalar"),
        ({"scale": np.ones((2, 3)), "axis": 1, "block": 2}, "scale: shape (2, 3), expected (2, 2) or a scalar"),
        ({"scale": np.ones(2), "axis": 2}, "axis 2 of a tensor of shape (2, 3)"),
        ({"scale": np.ones((2, 2)), "axis": 1, "block": 0}, "block 0, expected 1 or more"),
        ({"scale": replace(NESTED, scale=-1.0), "axis": 0}, "scale: scale: not finite and positive"),
        ({"scale": NESTED, "axis": 0}, "scale: shape (4,), expected (2,)"),
        ({"scale": replace(NESTED, codes=np.zeros(2, dtype=int)), "axis": 0}, "scale: not finite and positive"),
        ({"zero_point": 0.5}, "zero_point: float, expected integers"),
        ({"zero_point": np.zeros(3, dtype=int), "axis": 0}, "zero_point: shape (3,), expected (2,)"),
        ({"offset": float("nan")}, "offset: not finite"),
        ({"offset": np.zeros((1, 1)), "axis": 0}, "offset: shape (1, 1), expected (2,)"),
        ({"mask": np.ones((2, 2), dtype=bool)}, "mask: shape (2, 2), expected (2, 3)"),
        ({"mask": np.ones((2, 3))}, "mask: float64 array, expected booleans"),
        ({"table": np.array([1.0, np.nan, 0.0, 0.0])}, "table: not finite"),
        ({"table": np.ones(3)}, "codes: from -2 to 3, expected 0 to 2"),
        ({"table": np.ones(4), "offset": 1.0}, "table: goes with a scale alone"),
        ({"axis": 0.5}, "axis: float, expected an integer or None"),
        ({"dither_seed": -1}, "dither_seed: -1"),
        ({"formula": 3}, "formula: int, expected text or None"),
        ({"scale": 1e308}, "values: not finite"),
    ],
)
def test_every_breach_is_named_in_one_line(changes: dict[str, Any], says: str) -> None:
    problems = replace(GOOD, **changes).problems((2, 3))
    assert any(says in line for line in problems), problems
    assert not any("\n" in line for line in problems)
    with pytest.raises(ValueError, match=r"expected|not finite|goes with|format|axis"):
        replace(GOOD, **changes).check((2, 3))


def test_the_good_one_is_good_and_an_empty_tensor_has_no_bits() -> None:
    assert GOOD.problems((2, 3)) == []
    assert math.isnan(QuantizedTensor(np.zeros(0, dtype=int), 1.0, QType(4)).effective_bits)
    with pytest.raises(ValueError, match="without an axis"):
        replace(GOOD, scale=np.ones(2)).dequantize()


def test_formats() -> None:
    assert (QType(8).low, QType(8).high) == (-127, 127)
    assert (QType(8, narrow=False).low, QType(8, narrow=False).high) == (-128, 127)
    assert (QType(8, signed=False).low, QType(8, signed=False).high) == (0, 255)
