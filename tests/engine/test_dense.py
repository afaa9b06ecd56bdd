"""Dense layers against plain loops, int64 and scikit-learn; links against their definitions."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import lowered
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor

from qaudit.core.program import Program, Quantized
from qaudit.core.steps import Dense
from qaudit.core.tensor import Grid, QType, QuantizedTensor
from qaudit.engine import dense, links, sweep
from qaudit.engine.formula import evaluate

ACTIVATE: dict[str, Any] = {
    "identity": lambda v: v,
    "relu": lambda v: max(v, 0.0),
    "tanh": math.tanh,
    "logistic": lambda v: 1 / (1 + math.exp(-v)) if v > -700 else 0.0,
}


def layer_slowly(step: Dense, weight: QuantizedTensor, bias: QuantizedTensor | None, grid: Grid, row: list[float]) -> list[float]:
    """The law of an integer layer for one row: codes, Python integers, one multiplication."""
    codes = [min(max(round(x / grid.scale) + grid.zero_point, grid.qtype.low), grid.qtype.high) for x in row]
    found = []
    for output in range(len(step.bias)):
        zero = np.broadcast_to(weight.zero_point, len(step.bias))[output].item()
        scale = np.broadcast_to(weight.scale, len(step.bias))[output].item() * grid.scale
        total = 0
        for index, code in enumerate(codes):
            if weight.mask is None or weight.mask[output, index]:
                total += (int(weight.codes[output, index]) - zero) * (code - grid.zero_point)
        extra = float(step.bias[output])
        if bias is not None and np.array_equal(bias.step()[output], scale):
            total, extra = total + int(bias.codes[output]), 0.0
        elif bias is not None:
            extra = bias.dequantize()[output].item()
        found.append(ACTIVATE[step.activation](float(total) * scale + extra))
    return found


@st.composite
def layers(draw: st.DrawFn) -> tuple[Dense, QuantizedTensor, QuantizedTensor | None, Grid, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    inputs, outputs, n = draw(st.integers(1, 12)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    qtype = QType(draw(st.sampled_from([2, 4, 8, 16])), draw(st.booleans()), draw(st.booleans()))
    codes = rng.integers(qtype.low, qtype.high, (outputs, inputs), endpoint=True)
    by_output = draw(st.booleans())
    scale: Any = rng.uniform(0.001, 0.1, outputs) if by_output else float(rng.uniform(0.001, 0.1))
    zero: Any = rng.integers(qtype.low, qtype.high, outputs, endpoint=True) if draw(st.booleans()) else int(rng.integers(0, 3))
    mask = rng.random((outputs, inputs)) < 0.7 if draw(st.booleans()) else None
    weight = QuantizedTensor(codes, scale, qtype, zero, mask=mask, axis=0)
    inputs_type = QType(draw(st.sampled_from([2, 8, 12])), signed=draw(st.booleans()))
    grid = Grid(float(rng.uniform(0.01, 0.5)), int(rng.integers(inputs_type.low, inputs_type.high + 1)), inputs_type)
    activation = draw(st.sampled_from(sorted(ACTIVATE)))
    step = Dense(rng.normal(size=(outputs, inputs)), rng.normal(size=outputs), activation)
    bias = None
    kind = draw(st.sampled_from(["float", "int32", "own scale"]))
    if kind != "float":
        exact = np.broadcast_to(scale, (outputs,)) * grid.scale
        bias_codes = rng.integers(-(2**20), 2**20, outputs)
        bias = QuantizedTensor(bias_codes, exact if kind == "int32" else 1e-5, QType(32), axis=0)
    return step, weight, bias, grid, rng.normal(size=(n, inputs)) * 2


@settings(max_examples=200, deadline=None)
@given(layers())
def test_an_integer_layer_equals_python_integers(case: Any) -> None:
    step, weight, bias, grid, rows = case
    layer = dense.layer_of(step, weight, bias, grid)
    assert isinstance(layer, dense.IntegerLayer)
    expected = np.array([layer_slowly(step, weight, bias, grid, row) for row in rows.tolist()])
    if step.activation in ("identity", "relu"):
        assert np.array_equal(layer(rows), expected)
    else:  # exp and tanh of numpy and of the C library differ in the last bits
        assert np.allclose(layer(rows), expected, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize(
    ("bits", "inputs_bits", "width", "precision"),
    [(8, 8, 300, "float32"), (8, 8, 1200, "float64"), (16, 16, 2000, "float64"), (30, 26, 40, "int64")],
)
def test_accumulators_equal_int64_at_full_range(bits: int, inputs_bits: int, width: int, precision: str) -> None:
    rng = np.random.default_rng(width)
    qtype, inputs_type = QType(bits), QType(inputs_bits)
    weight = rng.choice([qtype.low, qtype.high, qtype.high - 1], (6, width)).astype(np.int64)
    rows = rng.choice([inputs_type.low, inputs_type.high, inputs_type.high - 1], (50, width)).astype(np.float64)
    tensor = QuantizedTensor(weight, 0.5, qtype)
    layer = dense.layer_of(Dense(np.zeros((6, width)), np.zeros(6)), tensor, None, Grid(1.0, 0, inputs_type))
    assert isinstance(layer, dense.IntegerLayer)
    assert layer.precision == precision
    exact = rows.astype(np.int64) @ weight.T
    assert np.array_equal(layer.accumulate(rows), exact.astype(np.float64))
    assert np.array_equal(layer(rows), exact.astype(np.float64) * 0.5)


def test_the_borders_of_precision() -> None:
    assert int(np.float32(2**24 - 1)) == 2**24 - 1
    assert int(np.float32(2**24 + 1)) != 2**24 + 1  # one whole number further float32 would lose it
    assert [dense.precision_for(2**k - 1) for k in (24, 53, 63)] == ["float32", "float64", "int64"]
    assert [dense.precision_for(2**k) for k in (24, 53)] == ["float64", "int64"]
    with pytest.raises(ValueError, match="accumulator of 64 bits"):
        dense.precision_for(2**63)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 4))
def test_the_accumulator_bound_is_reached_and_never_passed(seed: int, inputs: int, outputs: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.integers(-7, 8, (outputs, inputs))
    bias = rng.integers(-50, 50, outputs)
    qtype = QType(4, signed=bool(seed % 2))
    grid = Grid(1.0, int(rng.integers(qtype.low, qtype.high + 1)), qtype)
    bound = dense.accumulator_bound(weight, grid, bias)
    low, high = qtype.low - grid.zero_point, qtype.high - grid.zero_point
    reach = max(abs(low), abs(high))
    assert bound == max(sum(abs(int(w)) * reach for w in row) + abs(int(b)) for row, b in zip(weight, bias, strict=True))
    centred = rng.integers(low, high, (200, inputs), endpoint=True)
    assert np.abs(centred @ weight.T + bias).max() <= bound


def test_what_is_not_integer_coded_is_a_product_of_dequantized_values() -> None:
    rng = np.random.default_rng(2)
    step = Dense(rng.normal(size=(3, 5)), rng.normal(size=3), "relu")
    codes = rng.integers(-7, 8, (3, 5))
    base = QuantizedTensor(codes, 0.1, QType(4))
    grid = Grid(0.1, 2, QType(6))
    rows = rng.normal(size=(20, 5))
    others = [
        replace(base, offset=0.3),
        replace(base, dither_seed=4),
        replace(base, scale=np.full((3, 2), 0.1), axis=1, block=3),
        replace(base, scale=np.full(5, 0.1), axis=1),
        QuantizedTensor(codes + 7, 0.1, QType(4, signed=False), table=np.linspace(-1, 1, 16)),
    ]
    inputs = np.clip(np.rint(rows / 0.1) + 2, -31, 31) - 2
    for tensor in others:
        layer = dense.layer_of(step, tensor, None, grid)
        assert isinstance(layer, dense.FloatLayer)
        expected = np.maximum((inputs * 0.1) @ tensor.dequantize().T + step.bias, 0)
        assert np.allclose(layer(rows), expected, rtol=1e-13, atol=1e-13)
    assert isinstance(dense.layer_of(step, base, None, grid), dense.IntegerLayer)
    assert isinstance(dense.layer_of(step, base, None, None), dense.FloatLayer)
    assert isinstance(dense.layer_of(step, None, None, grid), dense.FloatLayer)
    nested = replace(base, scale=QuantizedTensor(np.array([1, 2, 3]), 0.1, QType(4)), axis=0)
    layer = dense.layer_of(step, nested, None, grid)
    assert isinstance(layer, dense.IntegerLayer)
    assert np.allclose(layer(rows), np.maximum((inputs * 0.1) @ nested.dequantize().T + step.bias, 0))


def test_a_missing_input_makes_its_row_missing_and_no_other() -> None:
    rows = np.array([[1.0, 2.0], [np.nan, 1.0], [3.0, -1.0]])
    for bits in (8, 30):
        weight = QuantizedTensor(np.array([[1, 2], [-1, 1]]), 0.5, QType(bits))
        grid = Grid(0.5, 0, QType(32 if bits == 30 else 8))
        values = dense.layer_of(Dense(np.zeros((2, 2)), np.zeros(2)), weight, None, grid)(rows)
        assert np.isnan(values[1]).all()
        assert values[[0, 2]].tolist() == [[2.5, 0.5], [0.5, -2.0]]


X, y2 = make_classification(400, 7, n_informative=5, random_state=0)
y4 = make_classification(400, 7, n_informative=5, n_classes=4, random_state=0)[1]
XR, yr = make_regression(400, 7, random_state=0)


@pytest.mark.parametrize("activation", sorted(ACTIVATE))
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_networks_equal_sklearn(activation: str, kind: str) -> None:
    estimator = MLPRegressor if kind == "regression" else MLPClassifier
    rows, target = (XR, yr) if kind == "regression" else (X, y2 if kind == "binary" else y4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # an unfinished fit is a model like any other here
        model = estimator(hidden_layer_sizes=(9, 6), activation=activation, max_iter=25, random_state=1).fit(rows, target)
    native = model.predict(rows)[:, np.newaxis] if kind == "regression" else model.predict_proba(rows)
    program = lowered.network(model)
    assert program.problems() == []
    assert np.allclose(sweep.predict(program, rows), native, rtol=1e-12, atol=1e-14)


def test_linear_models_equal_sklearn() -> None:
    binary = LogisticRegression().fit(X, y2)
    program = lowered.linear(binary, "logistic", "binary")
    assert np.allclose(sweep.predict(program, X), binary.predict_proba(X), rtol=1e-13, atol=1e-15)
    margin = lowered.linear(binary, "margin", "binary")
    assert np.allclose(sweep.predict(margin, X)[:, 0], binary.decision_function(X), rtol=1e-12, atol=1e-13)
    several = LogisticRegression().fit(X, y4)
    assert np.allclose(
        sweep.predict(lowered.linear(several, "softmax", "multiclass"), X), several.predict_proba(X), rtol=1e-12, atol=1e-15
    )
    for regression in (LinearRegression().fit(XR, yr), Ridge().fit(XR, yr)):
        program = lowered.linear(regression, "identity", "regression")
        assert np.allclose(sweep.predict(program, XR)[:, 0], regression.predict(XR), rtol=1e-12, atol=1e-11)


def test_links_by_definition() -> None:
    raw = np.array([[0.3, -1.0, 2.0], [800.0, -800.0, 0.0], [-800.0, -800.0, -800.0]])
    shares = links.predictions("softmax", 1.0, raw)
    assert np.allclose(shares[0], np.exp(raw[0]) / np.exp(raw[0]).sum())
    assert shares[1].tolist() == [1.0, 0.0, 0.0]
    against = links.predictions("ovr", 1.0, raw)
    single = 1 / (1 + np.exp(-raw[0]))
    assert np.allclose(against[0], single / single.sum())
    assert against[2].tolist() == [1 / 3, 1 / 3, 1 / 3]
    assert np.allclose(links.predictions("logistic", 2.0, raw[:, :1])[0], [1 - 1 / (1 + np.exp(-0.6)), 1 / (1 + np.exp(-0.6))])
    assert links.predictions("margin", 3.0, raw[:, :1]).tolist() == (raw[:, :1] * 3).tolist()
    assert links.predictions("identity", 1.0, raw) is raw
    assert links.predictions("ovr", 1.0, raw[:1, :1]).tolist() == links.predictions("logistic", 1.0, raw[:1, :1]).tolist()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([3, 40_000]), st.booleans())
def test_input_codes_are_the_printed_formula(seed: int, size: int, signed: bool) -> None:
    """Whichever of numexpr and its twin evaluates the formula: one law, ties and all."""
    rng = np.random.default_rng(seed)
    qtype = QType(int(rng.integers(2, 9)), signed=signed)
    grid = Grid(float(rng.choice([0.25, 0.07])), int(rng.integers(qtype.low, qtype.high + 1)), qtype)
    rows = np.where(rng.random((size, 1)) < 0.5, rng.normal(size=(size, 1)) * 5, rng.integers(-30, 30, (size, 1)) / 8)
    rows[0] = np.nan
    law = evaluate(dense.INPUT_CODES, x=rows, scale=grid.scale, zero=grid.zero_point, low=qtype.low, high=qtype.high)
    assert np.array_equal(dense.centred_codes(grid, rows) + grid.zero_point, law, equal_nan=True)
    slow = [min(max(round(x / grid.scale) + grid.zero_point, qtype.low), qtype.high) for x in rows[1:50, 0].tolist()]
    assert law[1:50, 0].tolist() == slow


def test_a_quantized_network_follows_the_layers_one_by_one() -> None:
    rng = np.random.default_rng(9)
    steps = (Dense(rng.normal(size=(4, 3)), rng.normal(size=4), "relu"), Dense(rng.normal(size=(1, 4)), rng.normal(size=1)))
    program = Program(("a", "b", "c"), steps, "logistic", "binary", ("no", "yes"))
    tensors = {
        f"layer{i}.weight": QuantizedTensor(np.clip(np.rint(s.weight / 0.3), -7, 7).astype(int), 0.3, QType(4))
        for i, s in enumerate(steps)
    }
    grids = {0: Grid(0.05, 0, QType(8)), 1: Grid(0.05, 0, QType(8, signed=False))}
    rows = rng.normal(size=(40, 3))
    first = [layer_slowly(steps[0], tensors["layer0.weight"], None, grids[0], row) for row in rows.tolist()]
    second = np.array([layer_slowly(steps[1], tensors["layer1.weight"], None, grids[1], row) for row in first])
    assert np.array_equal(sweep.predict(Quantized(program, tensors, grids), rows), links.logistic(second))
