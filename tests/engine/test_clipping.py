"""Clipped inputs against a plain loop over rows, and which operations are integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qaudit.core.program import Program, Quantized
from qaudit.core.steps import Dense
from qaudit.core.tensor import Grid, QType, QuantizedTensor
from qaudit.engine.arithmetic import arithmetic
from qaudit.engine.clipping import clipping
from qaudit.engine.sweep import BLOCK, predict

UNSIGNED = QType(4, signed=False)


def network(seed: int, hidden: int = 3) -> tuple[Program, Quantized]:
    """Two dense layers; the inputs of both are rounded to 4 bits."""
    rng = np.random.default_rng(seed)
    first = Dense(rng.normal(size=(hidden, 2)), rng.normal(size=hidden), "tanh")
    last = Dense(rng.normal(size=(1, hidden)), np.zeros(1))
    program = Program(("a", "b"), (first, last), "logistic", "binary", ("no", "yes"))
    codes = {
        f"layer{index}.weight": QuantizedTensor(np.rint(step.weight * 4).astype(np.int32), scale=0.25, qtype=QType(8))
        for index, step in enumerate((first, last))
    }
    return program, Quantized(program, codes, {0: Grid(0.2, 5, UNSIGNED), 1: Grid(0.1, 8, UNSIGNED)})


def counted_slowly(model: Quantized, rows: np.ndarray) -> tuple[dict[int, list[int]], dict[int, int], int]:
    """Row by row: a value is clipped where its rounded code is beyond the last one."""
    values: dict[int, list[int]] = {0: [0, 0], 1: [0] * len(model.program.steps[0].bias)}  # type: ignore[union-attr]
    layer_rows, anywhere = {0: 0, 1: 0}, 0
    for row in rows:
        x, seen = [float(value) for value in row], False
        for index, step in enumerate(model.program.steps):
            assert isinstance(step, Dense)
            grid, tensor = model.grids[index], model.tensors[f"layer{index}.weight"]
            hit = False
            codes = []
            for column, value in enumerate(x):
                code = value if np.isnan(value) else round(value / grid.scale) + grid.zero_point
                if code < 0 or code > 15:
                    values[index][column] += 1
                    hit = True
                codes.append(min(max(code, 0), 15) - grid.zero_point)
            layer_rows[index] += hit
            seen = seen or hit
            sums = [sum(int(w) * code for w, code in zip(line, codes, strict=True)) for line in tensor.codes]
            out = [total * (0.25 * grid.scale) + float(bias) for total, bias in zip(sums, step.bias, strict=True)]
            x = [float(np.tanh(value)) for value in out] if step.activation == "tanh" else out
        anywhere += seen
    return values, layer_rows, anywhere


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 30), st.floats(0.1, 5.0))
def test_clipped_inputs_are_those_of_a_loop(seed: int, n: int, spread: float) -> None:
    _, model = network(seed)
    rows = np.random.default_rng(seed).normal(0, spread, size=(n, 2))
    found = clipping(model, rows)
    values, layer_rows, anywhere = counted_slowly(model, rows)
    assert {layer: counts.tolist() for layer, counts in found.values.items()} == values
    assert (found.rows, found.anywhere, found.n) == (layer_rows, anywhere, n)


def test_the_last_code_is_not_clipped_and_a_missing_value_neither() -> None:
    _, model = network(0)
    # codes 0 to 15 stand for -1.0 to 2.0; half a step further still rounds to the end
    rows = np.array([[-1.0, 2.0], [-1.09, 2.09], [-1.11, 0.0], [0.0, 2.11], [np.nan, 0.0]])
    assert clipping(model, rows).values[0].tolist() == [1, 1]
    assert clipping(model, rows).rows[0] == 2


def test_rows_are_counted_over_all_blocks() -> None:
    _, model = network(1)
    rows = np.zeros((2 * BLOCK + 3, 2))
    rows[[0, BLOCK, 2 * BLOCK + 2], 1] = 9.0
    assert clipping(model, rows).values[0].tolist() == [0, 3]
    assert clipping(model, rows).rows[0] == 3


def test_without_grids_nothing_is_counted() -> None:
    program, model = network(2)
    plain = Quantized(program, model.tensors)
    found = clipping(plain, np.zeros((4, 2)))
    assert (found.values, found.rows, found.anywhere) == ({}, {}, 0)
    assert arithmetic(plain).integer == ()


def test_arithmetic_follows_what_the_engine_evaluates() -> None:
    program, model = network(3)
    done = arithmetic(model)
    assert (done.integer, done.dense, done.activations, done.link) == ((0, 1), (0, 1), ("tanh",), "logistic")
    assert done.integer_bias == (1,)  # the first bias is in float64, the second one is zero
    only = Quantized(program, {"layer1.weight": model.tensors["layer1.weight"]}, {0: model.grids[0], 1: model.grids[1]})
    assert arithmetic(only).integer == (1,)
    # a bias at the scale of the accumulator is added there
    scale: Any = 0.25 * model.grids[0].scale
    bias = QuantizedTensor(np.array([1, 2, 3], dtype=np.int32), scale=scale, qtype=QType(32))
    full = Quantized(program, {**model.tensors, "layer0.bias": bias}, model.grids)
    assert arithmetic(full).integer_bias == (0, 1)
    exact = Program(("a", "b"), (Dense(np.ones((1, 2)), np.zeros(1), "relu"),), "identity", "regression")
    weight = QuantizedTensor(np.ones((1, 2), dtype=np.int32), scale=1.0, qtype=QType(8))
    done = arithmetic(Quantized(exact, {"layer0.weight": weight}, {0: Grid(1.0, 0, QType(8))}))
    assert (done.activations, done.link) == ((), "")
    # watching changes no prediction
    rows = np.random.default_rng(0).normal(size=(10, 2))
    before = predict(model, rows)
    clipping(model, rows)
    assert np.array_equal(before, predict(model, rows))
