"""The law of tensors at its edges: what is just allowed, what just is not, and what one breach hides."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qaudit.core.tensor import REAL_BITS, SEED_BITS, QType, QuantizedTensor, dither, parts_shape

GOOD = QuantizedTensor(np.array([[1, -2, 3], [0, 1, 2]]), 0.5, QType(3))
UNSIGNED = replace(GOOD, codes=np.abs(GOOD.codes), qtype=QType(2, signed=False))
TABLE = replace(UNSIGNED, table=np.arange(4.0))


def problems(tensor: QuantizedTensor, **changes: Any) -> list[str]:
    return replace(tensor, **changes).problems((2, 3))


@pytest.mark.parametrize(
    ("tensor", "changes"),
    [
        (GOOD, {"codes": np.array([[-3, 3, 0], [0, 0, 0]])}),
        (GOOD, {"qtype": QType(3, narrow=False), "codes": np.array([[-4, 3, 0], [0, 0, 0]])}),
        (GOOD, {"qtype": QType(32)}),
        (GOOD, {"qtype": QType(np.int64(3))}),  # type: ignore[arg-type]
        (GOOD, {"qtype": QType(1, narrow=False), "codes": np.array([[-1, 0, 0], [0, 0, 0]])}),
        (GOOD, {"qtype": QType(2), "codes": np.array([[-1, 1, 0], [0, 0, 0]])}),
        (UNSIGNED, {"qtype": QType(1, signed=False), "codes": np.array([[0, 1, 0], [0, 0, 1]], np.uint8)}),
        (GOOD, {"dither_seed": 0}),
        (GOOD, {"dither_seed": 2**64 - 1}),
        (GOOD, {"dither_seed": np.uint64(5)}),
        (GOOD, {"scale": np.ones(3), "axis": -1}),
        (GOOD, {"scale": np.ones(2), "axis": -2}),
        (GOOD, {"scale": np.ones((2, 3)), "axis": 1, "block": 1}),
        (GOOD, {"scale": np.ones((2, 1)), "axis": 1, "block": 3}),
        (GOOD, {"scale": np.ones((2, 1)), "axis": -1, "block": 8}),
        (GOOD, {"scale": np.float32(0.5)}),
        (GOOD, {"scale": 1}),
        (GOOD, {"scale": 5e-324}),
        (GOOD, {"offset": -1}),
        (GOOD, {"offset": np.array([1.0, -2.0]), "axis": 0}),
        (GOOD, {"zero_point": np.array([1, 2], np.uint8), "axis": 0}),
        (GOOD, {"formula": "x"}),
        (GOOD, {"mask": np.zeros((2, 3), bool)}),
        (TABLE, {}),
        (TABLE, {"scale": np.ones(2), "axis": 0}),
        (TABLE, {"table": np.arange(4)}),
        (TABLE, {"table": np.array([2.0]), "codes": np.zeros((2, 3), int)}),
    ],
)
def test_what_is_just_allowed(tensor: QuantizedTensor, changes: dict[str, Any]) -> None:
    assert problems(tensor, **changes) == []


@pytest.mark.parametrize(
    ("tensor", "changes", "lines"),
    [
        (GOOD, {"qtype": QType(33)}, ["qtype: QType(bits=33, signed=True, narrow=True), expected a QType of 1 to 32 bits"]),
        (
            GOOD,
            {"qtype": QType(0, signed=False)},
            ["qtype: QType(bits=0, signed=False, narrow=True), expected a QType of 1 to 32 bits"],
        ),
        (
            GOOD,
            {"qtype": QType(True)},
            ["qtype: QType(bits=True, signed=True, narrow=True), expected a QType of 1 to 32 bits"],
        ),
        (GOOD, {"dither_seed": 2**64}, [f"dither_seed: {2**64}, expected 0 to 2**64 - 1"]),
        (GOOD, {"dither_seed": -1}, ["dither_seed: -1, expected 0 to 2**64 - 1"]),
        (GOOD, {"dither_seed": True}, ["dither_seed: bool, expected an integer or None"]),
        (GOOD, {"block": np.ones(1)}, ["block: float64 array, expected an integer or None"]),
        (GOOD, {"scale": np.ones(3), "axis": -3}, ["axis -3 of a tensor of shape (2, 3)"]),
        (GOOD, {"scale": np.empty(0), "axis": 0}, ["scale: empty"]),
        (GOOD, {"scale": np.array([1.0, 0.0]), "axis": 0}, ["scale: not finite and positive everywhere"]),
        (GOOD, {"scale": np.array([1.0, np.inf]), "axis": 0}, ["scale: not finite and positive everywhere"]),
        (GOOD, {"offset": np.array([0.0, np.nan]), "axis": 0}, ["offset: not finite"]),
        (GOOD, {"offset": None}, ["offset: NoneType, expected real numbers"]),
        (GOOD, {"offset": True}, ["offset: bool, expected real numbers"]),
        (GOOD, {"offset": GOOD}, ["offset: QuantizedTensor, expected real numbers"]),
        (GOOD, {"zero_point": (1, 2)}, ["zero_point: tuple, expected integers"]),
        (GOOD, {"zero_point": None}, ["zero_point: NoneType, expected integers"]),
        (GOOD, {"mask": [[True]]}, ["mask: list, expected booleans"]),
        (GOOD, {"table": (1.0, 2.0)}, ["table: tuple, expected real numbers"]),
        (TABLE, {"table": np.ones((2, 2))}, ["table: shape (2, 2), expected one entry or more in one dimension"]),
        (TABLE, {"table": np.float64(1.0)}, ["table: shape (), expected one entry or more in one dimension"]),
        (TABLE, {"table": np.empty(0)}, ["table: shape (0,), expected one entry or more in one dimension"]),
        (TABLE, {"table": np.arange(3.0)}, ["codes: from 0 to 3, expected 0 to 2"]),
        (TABLE, {"table": np.array([0.0, 1.0, 2.0, np.inf])}, ["table: not finite"]),
        *(
            (TABLE, extra, ["table: goes with a scale alone, without zero point, offset, mask or dither"])
            for extra in (
                {"mask": np.ones((2, 3), bool)},
                {"dither_seed": 3},
                {"zero_point": 1},
                {"offset": 0.5},
                {"zero_point": np.zeros(2, int), "axis": 0},
                {"offset": np.zeros(2), "axis": 0},
            )
        ),
        (GOOD, {"codes": np.array([[-4, 0, 0], [0, 0, 0]])}, ["codes: from -4 to 0, expected -3 to 3"]),
        (GOOD, {"codes": np.array([[0, 0, 0], [0, 0, 4]])}, ["codes: from 0 to 4, expected -3 to 3"]),
        (GOOD, {"scale": 1e308}, ["values: not finite after dequantizing"]),
        (
            GOOD,
            {"codes": np.full((2, 3), 9), "scale": -1.0, "offset": np.inf},
            ["codes: from 9 to 9, expected -3 to 3", "scale: not finite and positive everywhere", "offset: not finite"],
        ),
        (
            GOOD,
            {"scale": np.ones(9), "zero_point": np.ones(8, int), "offset": np.ones(7), "axis": 0, "mask": np.ones(1, bool)},
            [
                "scale: shape (9,), expected (2,) or a scalar",
                "zero_point: shape (8,), expected (2,) or a scalar",
                "offset: shape (7,), expected (2,) or a scalar",
                "mask: shape (1,), expected (2, 3)",
            ],
        ),
        (
            GOOD,
            {"axis": "0", "block": 1.0, "formula": 2, "codes": np.ones((1, 1), int)},
            [
                "codes: shape (1, 1), expected (2, 3)",
                "axis: str, expected an integer or None",
                "block: float, expected an integer or None",
                "formula: int, expected text or None",
            ],
        ),
    ],
)
def test_what_just_is_not(tensor: QuantizedTensor, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(tensor, **changes) == lines
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        replace(tensor, **changes).check((2, 3))
    assert str(refused.value) == "; ".join(lines)


def test_a_nested_scale_is_held_to_the_same_law() -> None:
    nested = QuantizedTensor(np.array([1, 200], np.uint8), 0.1, QType(8, signed=False))
    assert problems(GOOD, scale=nested, axis=0) == []
    assert problems(GOOD, scale=replace(nested, scale=0.0), axis=0) == ["scale: scale: not finite and positive everywhere"]
    assert problems(GOOD, scale=replace(nested, codes=np.array([1, 300])), axis=0) == [
        "scale: codes: from 1 to 300, expected 0 to 255"
    ]
    assert problems(GOOD, zero_point=nested, axis=0) == ["zero_point: QuantizedTensor, expected integers"]
    assert replace(GOOD, scale=nested, axis=0).step()[:, 0].tolist() == [0.1, 20.0]


def test_an_empty_tensor_may_have_an_empty_scale() -> None:
    empty = QuantizedTensor(np.zeros((0, 3), int), np.empty(0), QType(4), axis=0)
    assert empty.problems((0, 3)) == []
    assert math.isnan(empty.effective_bits)
    assert empty.size_bits == 0


def test_a_shape_is_asked_for_or_not() -> None:
    assert GOOD.problems() == []
    assert GOOD.problems([2, 3]) == []  # type: ignore[arg-type]
    assert GOOD.problems((3, 2)) == ["codes: shape (2, 3), expected (3, 2)"]
    GOOD.check()


@pytest.mark.parametrize(
    ("shape", "axis", "block", "expected"),
    [
        ((4, 6), 0, None, (4,)),
        ((4, 6), -1, None, (6,)),
        ((4, 6), 1, 4, (4, 2)),
        ((4, 6), 1, 6, (4, 1)),
        ((4, 6), 1, 7, (4, 1)),
        ((4, 6), 0, 1, (4, 6)),
        ((4, 6, 5), 1, 5, (4, 2, 5)),
        ((4, 6, 5), -2, 3, (4, 2, 5)),
        ((4, 0), 1, 3, (4, 0)),
    ],
)
def test_shapes_of_parts(shape: tuple[int, ...], axis: int, block: int | None, expected: tuple[int, ...]) -> None:
    assert parts_shape(shape, axis, block) == expected


def test_parts_along_a_negative_axis_and_of_three_dimensions() -> None:
    codes = np.ones((2, 3, 2), int)
    by_column = QuantizedTensor(codes, np.array([1.0, 2.0, 3.0]), QType(3), axis=-2)
    assert by_column.dequantize()[1, :, 0].tolist() == [1.0, 2.0, 3.0]
    blocks = QuantizedTensor(codes, np.arange(1.0, 9.0).reshape(2, 2, 2), QType(3), axis=1, block=2)
    assert blocks.dequantize()[0].tolist() == [[1.0, 2.0], [1.0, 2.0], [3.0, 4.0]]
    assert blocks.dequantize()[1].tolist() == [[5.0, 6.0], [5.0, 6.0], [7.0, 8.0]]
    single = QuantizedTensor(codes, np.float64(2.0), QType(3))
    assert single.step().tolist() == np.full((2, 3, 2), 2.0).tolist()


def test_the_draw_lies_within_half_a_step() -> None:
    draw = dither(3, (20_000,))
    assert -0.5 <= draw.min() < -0.499
    assert 0.499 < draw.max() < 0.5
    assert abs(draw.mean()) < 0.01


def test_what_is_stored_is_counted() -> None:
    assert (REAL_BITS, SEED_BITS) == (32, 64)
    base = 6 * 3 + 32
    assert GOOD.size_bits == base
    assert replace(GOOD, zero_point=np.int64(0), offset=np.float64(0)).size_bits == base
    assert replace(GOOD, zero_point=np.zeros(2, int), axis=0).size_bits == base + 2 * 3
    assert replace(GOOD, offset=np.zeros(2), axis=0).size_bits == base + 2 * 32
    assert replace(GOOD, mask=np.zeros((2, 3), bool)).size_bits == 6 + 32
    assert replace(GOOD, mask=np.zeros((2, 3), bool)).effective_bits == 38 / 6
    assert type(GOOD.size_bits) is int


@pytest.mark.parametrize(
    ("qtype", "low", "high"),
    [
        (QType(1, narrow=False), -1, 0),
        (QType(2), -1, 1),
        (QType(3), -3, 3),
        (QType(3, narrow=False), -4, 3),
        (QType(1, signed=False), 0, 1),
        (QType(3, signed=False, narrow=False), 0, 7),
    ],
)
def test_ends_of_formats(qtype: QType, low: int, high: int) -> None:
    assert (qtype.low, qtype.high) == (low, high)
    assert (type(qtype.low), type(qtype.high)) == (int, int)


def test_numbers_of_bits_may_be_numpys() -> None:
    qtype = QType(np.int8(4))  # type: ignore[arg-type]
    assert (qtype.low, qtype.high) == (-7, 7)
