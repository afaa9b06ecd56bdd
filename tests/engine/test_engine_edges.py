"""The engine where one row, one column, a missing value or the last bit decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qaudit.core.program import Program, Quantized
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Grid, QType, QuantizedTensor
from qaudit.engine import dense, formula, links, sweep, trees

ONE = Dense(np.ones((1, 1)), np.zeros(1))
STEP = Trees(
    left=np.array([1, -1, -1], np.int32),
    right=np.array([2, -1, -1], np.int32),
    feature=np.array([0, -2, -2], np.int32),
    threshold=np.zeros(3),
    value=np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]),
    roots=np.array([0], np.int32),
    base=np.zeros(2),
    missing_left=np.zeros(3, bool),
)
FOREST = Program(("x",), (STEP,), "identity", "binary", ("p", "q"))


def test_one_row_of_one_against_the_rest() -> None:
    assert links.ovr(np.array([[0.0, 0.0, 0.0]])).tolist() == [pytest.approx([1 / 3] * 3)]
    assert links.ovr(np.array([[-800.0, -800.0, -800.0]])).tolist() == [[1 / 3] * 3]


def test_predictions_of_two_blocks_are_all_there() -> None:
    program = Program(("x",), (ONE,), "identity", "regression")
    assert sweep.predict(program, np.arange(3.0)[:, None], block=2).ravel().tolist() == [0.0, 1.0, 2.0]
    assert sweep.predict(program, [[1], [2]]).ravel().tolist() == [1.0, 2.0]


def test_blocks_end_with_the_rows() -> None:
    assert list(sweep._blocks(1, 1)) == [slice(0, 1)]
    assert list(sweep._blocks(0, 1)) == [slice(0, 0)]
    assert list(sweep._blocks(4, 2)) == [slice(0, 2), slice(2, 4)]


def test_inputs_are_coded_once_for_all_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(("x",), (ONE,), "identity", "regression")
    grid = Grid(0.5, 0, QType(8))
    models = {name: Quantized(program, {}, {0: Grid(0.5, 0, QType(8))}) for name in "abc"}
    seen: list[Grid] = []
    real = sweep.centred_codes
    monkeypatch.setattr(sweep, "centred_codes", lambda grid, x: (seen.append(grid), real(grid, x))[1])
    monkeypatch.setattr(dense, "centred_codes", lambda grid, x: pytest.fail("the layer codes its inputs again"))
    sweep.sweep(program, models, np.array([[0.3]]), lambda at, values: None)
    assert seen == [grid]


def test_trees_of_strided_arrays_are_laid_out() -> None:
    strided = Trees(
        **{name: np.repeat(getattr(STEP, name), 2, axis=0)[::2] for name in STEP.__slots__ if name not in ("aggregate", "column")}
    )
    assert not strided.threshold.flags.c_contiguous
    rows = np.array([[-1.0], [1.0]])
    program = Program(("x",), (strided,), "identity", "binary", ("p", "q"))
    assert sweep.predict(program, rows).tolist() == sweep.predict(FOREST, rows).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_memory_layouts_are_fixed() -> None:
    """Products round by the layout of their operands: it must not depend on how arrays came to be."""
    leaves = trees.by_tree(np.array([[1, 4], [2, 5], [1, 5]], np.int32))
    assert leaves.flags.c_contiguous
    assert (leaves.dtype, leaves.shape) == (np.intp, (2, 3))
    assert trees.gather(STEP, np.array([[1, 2, 1]])).flags.c_contiguous
    step = Dense(np.arange(6.0).reshape(2, 3), np.zeros(2))
    floating = dense.layer_of(step, None, None, None)
    whole = dense.layer_of(step, QuantizedTensor(np.arange(6).reshape(2, 3), 1.0, QType(4)), None, Grid(1.0, 0, QType(4)))
    for layer in (floating, whole):
        assert layer.weight.shape == (3, 2)
        assert layer.weight.flags.c_contiguous


def test_sums_in_int64_are_rounded_once_and_a_missing_input_counts() -> None:
    weight = QuantizedTensor(np.array([[2**30, 1]]), 1.0, QType(32))
    bias = QuantizedTensor(np.array([1]), 1.0, QType(32))
    layer = dense.layer_of(Dense(np.zeros((1, 2)), np.zeros(1)), weight, bias, Grid(1.0, 0, QType(32)))
    assert isinstance(layer, dense.IntegerLayer)
    assert layer.precision == "int64"
    rows = np.array([[2.0**23, 1.0], [0.0, 2.0], [np.nan, 1.0], [np.nan, np.nan]])
    found = layer(rows).ravel()
    assert found[:2].tolist() == [2.0**53 + 2, 3.0]  # 2**53 + 1 alone would be rounded down
    assert np.isnan(found[2:]).all()


def test_a_bias_that_reaches_2_to_the_53_calls_for_int64() -> None:
    reach = 2**22 - 1
    total, left = divmod(2**53, reach)
    codes = np.array([[2**31 - 1, total - (2**31 - 1)]])
    weight, grid = QuantizedTensor(codes, 1.0, QType(32)), Grid(1.0, 0, QType(22, signed=False))
    for bias, precision in ((left, "int64"), (left - 1, "float64"), (left + 1, "int64")):
        given = QuantizedTensor(np.array([bias]), 1.0, QType(32))
        layer = dense.layer_of(Dense(np.zeros((1, 2)), np.zeros(1)), weight, given, grid)
        assert isinstance(layer, dense.IntegerLayer)
        assert layer.precision == precision


NESTED = QuantizedTensor(np.array([1, 2]), 0.5, QType(4))


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ({}, True),
        ({"axis": 1}, True),
        ({"scale": np.ones(2), "axis": 0}, True),
        ({"scale": np.ones(2), "axis": -2}, True),
        ({"scale": np.ones(2), "axis": 1}, False),
        ({"scale": np.ones(2), "axis": -1}, False),
        ({"scale": NESTED, "axis": 0}, True),
        ({"scale": NESTED, "axis": 1}, False),
        ({"zero_point": np.ones(2, int), "axis": 1}, False),
        ({"zero_point": np.ones(2, int), "scale": np.ones(2), "axis": 1}, False),
        ({"zero_point": np.ones(2, int), "scale": NESTED, "axis": 1}, False),
        ({"scale": np.ones((1, 2)), "axis": 0, "block": 2}, False),
        ({"axis": 0, "block": 2}, False),
        ({"offset": np.array([0.0, 0.5]), "axis": 0}, False),
        ({"offset": np.zeros(2), "axis": 0}, True),
        ({"dither_seed": 0}, False),
        ({"mask": np.eye(2, dtype=bool)}, True),
    ],
)
def test_which_weights_are_whole_numbers(parts: dict[str, Any], whole: bool) -> None:
    tensor = QuantizedTensor(np.array([[1, 2], [3, -1]]), **{"scale": 0.5, "qtype": QType(4)} | parts)
    assert dense.integer_coded(tensor) is whole


def test_a_bias_with_any_zero_point_is_not_whole() -> None:
    step = Dense(np.zeros((2, 1)), np.zeros(2))
    weight = QuantizedTensor(np.ones((2, 1), int), 1.0, QType(4))
    bias = QuantizedTensor(np.array([3, 3]), 1.0, QType(4), zero_point=np.array([0, 1]), axis=0)
    layer = dense.layer_of(step, weight, bias, Grid(1.0, 0, QType(4)))
    assert isinstance(layer, dense.IntegerLayer)
    assert (layer.bias_codes.tolist(), layer.bias.tolist()) == ([0, 0], [3.0, 2.0])


def test_names_of_formulas_are_sorted() -> None:
    names = list("hgfedcba")
    parsed = formula.parse(" + ".join(names))
    assert parsed.names == tuple("abcdefgh")
    with pytest.raises(ValueError, match=r"no value for a, b, c, d, e, f, g$"):
        formula.evaluate(parsed.text, h=1.0)
    with pytest.raises(ValueError, match=r"does not name i, j, k, l, m, n, o, p$"):
        formula.evaluate(parsed.text, **dict.fromkeys("ponmlkjihgfedcba", 1.0))
