"""Fixed sizes of the engine: where numexpr takes over, how long a formula may be, how many rows are worked on at once."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numexpr
import numpy as np
import pytest

from qaudit.core.program import Program, Quantized
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Grid, QType, QuantizedTensor
from qaudit.engine import dense, formula, links, sweep, trees

IDENTITY = Program(("x",), (Dense(np.ones((1, 1)), np.zeros(1)),), "identity", "regression")


def stumps(count: int) -> Trees:
    """`count` equal trees of one split at 0: -1 on the left, 1 on the right."""
    one = np.arange(count) * 3
    left, right = np.full(3 * count, -1), np.full(3 * count, -1)
    left[one], right[one] = one + 1, one + 2
    return Trees(
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        feature=np.where(left < 0, -2, 0).astype(np.int32),
        threshold=np.zeros(3 * count),
        value=np.tile([[0.0], [-1.0], [1.0]], (count, 1)),
        roots=one.astype(np.int32),
        base=np.zeros(1),
        missing_left=np.zeros(3 * count, bool),
    )


def test_numexpr_takes_over_at_32768_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = formula.by_numexpr
    monkeypatch.setattr(formula, "by_numexpr", lambda parsed, values: (seen.append(1), real(parsed, values))[1])
    formula.evaluate("x + y", x=np.ones((32_767, 1)), y=1.0)
    formula.evaluate("x + y", x=np.ones((181, 181)), y=1.0)
    assert seen == []
    formula.evaluate("x + y", x=np.ones((32_768, 1)), y=1.0)
    formula.evaluate("x + y", x=np.ones((256, 1)), y=np.ones(128))
    assert len(seen) == 2


def test_numexpr_has_two_threads() -> None:
    numexpr.set_num_threads(1)
    formula.by_numexpr(formula.parse("x + 1"), {"x": np.ones(3)})
    assert numexpr.get_num_threads() == 2


def test_a_formula_has_at_most_2000_characters_after_blanks_are_joined() -> None:
    text = "x" * 1990 + " + " + "y" * 7
    assert len(text) == 2000
    assert formula.parse(text).text == text
    assert formula.parse(text.replace(" ", "   ")).text == text
    with pytest.raises(ValueError, match="formula of 2001 characters, at most 2000"):
        formula.parse(text + "y")


@pytest.mark.parametrize(
    ("text", "machine", "names", "numbers"),
    [
        ("x * 2 + y", "((v0 * c0) + v1)", ("x", "y"), (2.0,)),
        ("b - a", "(v1 - v0)", ("a", "b"), ()),
        ("-(x) ** 2", "(-(v0 * v0))", ("x",), ()),
        ("max(x, 1.5) / 3", "(maximum(v0, c0) / c1)", ("x",), (1.5, 3.0)),
        ("where(x >= 0, x, y)", "where((v0 >= c0), v0, v1)", ("x", "y"), (0.0,)),
        ("round(abs(sqrt(x)))", "round(abs(sqrt(v0)))", ("x",), ()),
    ],
)
def test_what_numexpr_is_given(text: str, machine: str, names: tuple[str, ...], numbers: tuple[float, ...]) -> None:
    parsed = formula.parse(text)
    assert (parsed.text, parsed.machine, parsed.names, parsed.numbers) == (text, machine, names, numbers)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("size", [3, formula.SMALL])
def test_every_comparison_on_its_edge(operator: str, size: int) -> None:
    x, y = np.resize([1.0, 2.0, 3.0], size), np.full(size, 2.0)
    expected = [{"<": a < 2, "<=": a <= 2, ">": a > 2, ">=": a >= 2, "==": a == 2, "!=": a != 2}[operator] for a in (1, 2, 3)]
    found = formula.evaluate(f"where(x {operator} y, 1, 0)", x=x, y=y)
    assert found[:3].tolist() == [float(each) for each in expected]


@pytest.mark.parametrize("size", [2, formula.SMALL])
def test_the_second_zero_is_taken_and_a_missing_first_value_stays(size: int) -> None:
    zeros, signed = np.resize([0.0, -0.0], size), np.resize([-0.0, 0.0], size)
    for name in ("minimum", "maximum", "min", "max"):
        found = formula.evaluate(f"{name}(x, y)", x=zeros, y=signed)
        assert np.signbit(found[:2]).tolist() == [True, False]
        assert np.isnan(formula.evaluate(f"{name}(x, y)", x=np.full(size, np.nan), y=zeros)).all()


def test_a_sweep_takes_2048_rows_at_a_time() -> None:
    seen: list[slice] = []
    sweep.sweep(IDENTITY, {}, np.zeros((4097, 1)), lambda at, values: seen.append(at))
    assert seen == [slice(0, 2048), slice(2048, 4096), slice(4096, 4097)]


def test_predictions_take_2048_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = sweep.predictions
    monkeypatch.setattr(sweep, "predictions", lambda link, scale, raw: (seen.append(len(raw)), real(link, scale, raw))[1])
    sweep.predict(IDENTITY, np.zeros((2048, 1)))
    sweep.predict(IDENTITY, np.zeros((2049, 1)))
    assert seen == [2048, 2048, 1]


def test_products_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Blas:
        @contextlib.contextmanager
        def limit(self, **given: Any) -> Iterator[None]:
            asked.append(given)
            yield

    monkeypatch.setattr(sweep, "_blas", Blas)
    sweep.predict(IDENTITY, np.zeros((1, 1)))
    sweep.sweep(IDENTITY, {}, np.zeros((1, 1)), lambda at, values: None)
    assert asked == [{"limits": 1}, {"limits": 1}]


def test_rows_must_be_a_matrix() -> None:
    with pytest.raises(ValueError, match=r"encoded rows of shape \(1,\), expected \(n, 1\)"):
        sweep.predict(IDENTITY, np.zeros(1))
    with pytest.raises(ValueError, match=r"encoded rows of shape \(1, 1, 1\), expected \(n, 1\)"):
        sweep.predict(IDENTITY, np.zeros((1, 1, 1)))


def test_trees_after_a_layer_walk_what_the_layer_gives() -> None:
    program = Program(("x",), (Dense(-np.ones((1, 1)), np.zeros(1)), stumps(1)), "identity", "regression")
    assert sweep.predict(program, np.array([[1.0], [-1.0]])).ravel().tolist() == [-1.0, 1.0]


def test_a_second_layer_codes_its_own_inputs() -> None:
    """One grid on both layers: the first layer's codes must not be taken for the second's."""
    grid = Grid(0.5, 0, QType(8))
    step = Dense(np.full((1, 1), 3.0), np.zeros(1))
    program = Program(("x",), (step, step), "identity", "regression")
    tensors = {f"layer{i}.weight": QuantizedTensor(np.array([[3]]), 1.0, QType(8)) for i in (0, 1)}
    model = Quantized(program, tensors, {0: grid, 1: grid})
    assert sweep.predict(model, np.array([[1.0], [2.0]])).ravel().tolist() == [9.0, 18.0]


@pytest.mark.parametrize(
    ("cells", "count", "rows", "heights"),
    [
        (None, 1, 65_537, [65_536, 1]),
        (None, 2, 32_769, [32_768, 1]),
        (6, 2, 7, [3, 3, 1]),
        (4, 5, 3, [1, 1, 1]),
        (5, 2, 4, [2, 2]),
    ],
)
def test_so_many_rows_and_trees_are_walked_at_once(
    monkeypatch: pytest.MonkeyPatch, cells: int | None, count: int, rows: int, heights: list[int]
) -> None:
    if cells is not None:
        monkeypatch.setattr(trees, "CELLS", cells)
    seen: list[tuple[int, int]] = []
    real = trees._descend
    monkeypatch.setattr(trees, "_descend", lambda walk, x, found: (seen.append((len(x), len(found))), real(walk, x, found))[1])
    x = np.where(np.arange(rows) % 2, 1.0, -1.0)[:, None]
    found = trees.leaves_of(trees.walk_of(stumps(count)), x)
    assert seen == [(height, height) for height in heights]
    assert np.array_equal(found, np.where(x > 0, 2, 1) + 3 * np.arange(count))


def test_the_walk_of_a_leaf_stays_in_it() -> None:
    walk = trees.walk_of(stumps(1))
    assert walk.leaf.tolist() == [False, True, True]
    assert walk.children.reshape(-1, 2).tolist() == [[2, 1], [1, 1], [2, 2]]
    assert walk.feature.tolist() == [0, 0, 0]


def test_one_against_the_rest_by_hand() -> None:
    raw = np.array([[0.0, math.log(3)], [-800.0, -800.0]])
    assert links.ovr(raw).tolist() == [pytest.approx([0.4, 0.6]), [0.5, 0.5]]
    assert links.predictions("ovr", 2.0, raw)[0].tolist() == pytest.approx([0.5 / 1.4, 0.9 / 1.4])


def test_bounds_of_accumulators_by_hand() -> None:
    weight = np.array([[1, -2], [3, 0]])
    unsigned = Grid(1.0, 5, QType(4, signed=False))  # centred codes from -5 to 10
    assert dense.accumulator_bound(weight, unsigned) == 30
    assert dense.accumulator_bound(weight, Grid(1.0, 12, QType(4, signed=False))) == 36  # -12 to 3
    assert dense.accumulator_bound(weight, unsigned, np.array([-9, 1])) == 39
    assert dense.accumulator_bound(np.empty((0, 2), int), unsigned) == 0


def layer(weight: int, bias: int | None, outputs: int = 1, **parts: Any) -> dense.Layer:
    step = Dense(np.zeros((outputs, 1)), np.full(outputs, 0.25))
    tensor = QuantizedTensor(np.full((outputs, 1), weight), 0.5, QType(32))
    given = None if bias is None else QuantizedTensor(np.full(outputs, bias), **{"scale": 0.5, "qtype": QType(32)} | parts)
    return dense.layer_of(step, tensor, given, Grid(1.0, 0, QType(2)))


def test_a_large_bias_alone_does_not_call_for_wider_products() -> None:
    for weight, bias, precision in (
        (2**24 - 1, 2**30, "float32"),
        (2**24, None, "float64"),
        (2**24 - 1, None, "float32"),
        (1, 2**30, "float32"),
    ):
        found = layer(weight, bias)
        assert isinstance(found, dense.IntegerLayer)
        assert found.precision == precision
    assert layer(2**24 - 1, 2**30)(np.array([[1.0]])).tolist() == [[(2**24 - 1 + 2**30) * 0.5]]


def test_a_bias_is_whole_only_at_the_scale_of_the_accumulator_and_in_full() -> None:
    whole = layer(1, 3)
    assert isinstance(whole, dense.IntegerLayer)
    assert (whole.bias_codes.tolist(), whole.bias.tolist()) == ([3], [0.0])
    for parts in ({"scale": 0.25}, {"zero_point": 1}, {"mask": np.array([True])}, {"offset": 0.5}, {"dither_seed": 1}):
        other = layer(1, 3, **parts)
        assert isinstance(other, dense.IntegerLayer)
        assert other.bias_codes.tolist() == [0]
        assert other.bias[0] != 0.0
    plain = layer(1, None)
    assert isinstance(plain, dense.IntegerLayer)
    assert (plain.bias_codes.tolist(), plain.bias.tolist()) == ([0], [0.25])
