"""How far two correct evaluations may lie apart: the rule against a loop, and float64 against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.program import Program
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Floats
from qaudit.engine import rounding, sweep
from qaudit.engine.rounding import gamma, prediction_bound

ULP = 2.0**-52


def test_units_of_rounding() -> None:
    assert np.finfo(float).eps / 2 == rounding.ROUNDOFF
    assert 4 * np.finfo(float).eps == rounding.ULPS


def test_gamma_is_n_u_over_1_minus_n_u() -> None:
    assert gamma(2**51) == pytest.approx(1 / 3, rel=1e-15)
    assert gamma(1) == pytest.approx(2.0**-53, rel=1e-15)


def activated(value: float, activation: str) -> float:
    return {"relu": max(value, 0.0), "tanh": math.tanh(value), "logistic": 1 / (1 + math.exp(-value))}.get(activation, value)


def slow_bound(program: Program, row: Floats, u: float, ulps: float) -> float:
    """The same rule, element by element."""
    values, error = row.tolist(), [0.0] * len(row)
    for step in program.steps:
        assert isinstance(step, Dense)
        terms = (len(values) + 2) * u
        g = terms / (1 - terms)
        found = []
        for weights, bias in zip(step.weight.tolist(), step.bias.tolist(), strict=True):
            size = sum(abs(w) * abs(x) for w, x in zip(weights, values, strict=True)) + abs(bias)
            passed_on = sum(abs(w) * e for w, e in zip(weights, error, strict=True))
            inexact = ulps if step.activation in ("tanh", "logistic") else 0.0
            value = activated(sum(w * x for w, x in zip(weights, values, strict=True)) + bias, step.activation)
            found.append((value, 2 * g * size + passed_on * (1 + g) + inexact))
        values, error = [v for v, _ in found], [e for _, e in found]
    scaled = [e * program.link_scale for e in error]
    if program.link == "logistic":
        return max(scaled) / 4 + ulps
    if program.link == "softmax":
        return max(scaled) / 2 + ulps * (2 + max(map(abs, values)))
    if program.link == "ovr":
        return (sum(scaled) / 4 + ulps * (2 + len(values))) * 2 / sum(activated(v, "logistic") for v in values)
    return max(scaled)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units so coarse that terms of second order count."""
    monkeypatch.setattr(rounding, "ROUNDOFF", 2.0**-6)
    monkeypatch.setattr(rounding, "ULPS", 2.0**-7)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("link", ["identity", "margin", "logistic", "softmax", "ovr"])
@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "logistic"])
def test_the_bound_is_its_rule(link: Any, activation: Any) -> None:
    rng = np.random.default_rng(4)
    outputs = 1 if link in ("margin", "logistic") else 3
    steps = (
        Dense(rng.normal(size=(5, 4)), rng.normal(size=5), activation),
        Dense(rng.normal(size=(2, 5)), rng.normal(size=2), activation),
        Dense(rng.normal(size=(outputs, 2)), rng.normal(size=outputs)),
    )
    program = Program(("a", "b", "c", "d"), steps, link, "multiclass", ("p", "q", "r"), link_scale=1.5)
    rows = rng.normal(size=(6, 4)) * 3
    expected = [slow_bound(program, row, 2.0**-6, 2.0**-7) for row in rows]
    assert prediction_bound(program, rows).tolist() == pytest.approx(expected, rel=1e-12)


def test_a_hopeless_row_of_one_against_the_rest_has_a_finite_bound() -> None:
    program = Program(("a",), (Dense(np.full((2, 1), -1e4), np.zeros(2)),), "ovr", "multiclass", ("p", "q"))
    bound = prediction_bound(program, np.array([[1.0]]))
    assert np.isfinite(bound).all()
    assert bound[0] > 1e3  # expit(-700) a class is all that is left to divide by


def test_a_sum_of_nothing_is_divided_by_1e_minus_300() -> None:
    program = Program(("a",), (Dense(np.full((2, 1), -1e4), np.zeros(2)),), "ovr", "multiclass", ("p", "q"))
    scaled = 2 * gamma(3) * 1e4
    total = max(2 * activated(-700.0, "logistic"), 1e-300)
    expected = (2 * scaled / 4 + 4 * ULP * 4) * 2 / total
    assert prediction_bound(program, np.array([[1.0]]))[0] == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1))
def test_float64_stays_within_the_bound_of_exact_arithmetic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = (Dense(rng.normal(size=(4, 6)), rng.normal(size=4), "relu"), Dense(rng.normal(size=(1, 4)), rng.normal(size=1)))
    program = Program(tuple("abcdef"), steps, "identity", "regression")
    row = rng.normal(size=6) * 10.0 ** rng.integers(-3, 4)
    exact = [Fraction(x) for x in row.tolist()]
    for step in steps:
        sums = [
            sum((Fraction(w) * x for w, x in zip(weights, exact, strict=True)), Fraction(bias))
            for weights, bias in zip(step.weight.tolist(), step.bias.tolist(), strict=True)
        ]
        exact = [max(s, Fraction(0)) for s in sums] if step.activation == "relu" else sums
    apart = abs(Fraction(float(sweep.predict(program, row[None, :])[0, 0])) - exact[0])
    assert apart <= prediction_bound(program, row[None, :])[0]


def test_logistic_activations_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        found = rounding._activated(np.array([-1e4, -700.0, 0.0, 700.0, 1e4]), "logistic")
    assert found.tolist() == pytest.approx([math.exp(-700), math.exp(-700), 0.5, 1.0, 1.0], rel=1e-12)


STUMP = Trees(
    left=np.array([1, -1, -1], np.int32),
    right=np.array([2, -1, -1], np.int32),
    feature=np.array([0, -2, -2], np.int32),
    threshold=np.zeros(3),
    value=np.array([[0.0, 0.0], [3.0, -4.0], [8.0, 5.0]]),
    roots=np.array([0], np.int32),
    base=np.zeros(2),
    missing_left=np.zeros(3, bool),
)


def test_exact_steps_leave_the_last_digits_of_the_link() -> None:
    rows = np.array([[-1.0], [1.0], [2.0]])
    classes = Program(("x",), (STUMP,), "softmax", "binary", ("p", "q"))
    assert prediction_bound(classes, rows).tolist() == [4 * ULP] * 3
    numbers = Program(("x",), (STUMP,), "identity", "regression")
    assert prediction_bound(numbers, rows).tolist() == [0.0] * 3
    assert rounding.is_exact(STUMP)
    assert not rounding.is_exact(Dense(np.ones((1, 1)), np.zeros(1)))


@pytest.mark.usefixtures("coarse")
def test_a_layer_behind_trees_starts_from_exact_values() -> None:
    layer = Dense(np.array([[1.0, -2.0]]), np.array([0.5]))
    program = Program(("x",), (STUMP, layer), "margin", "binary", ("p", "q"), link_scale=2.0)
    u = 4 * 2.0**-6
    expected = [2 * 2 * u / (1 - u) * size for size in (3 + 8 + 0.5, 8 + 10 + 0.5)]
    assert prediction_bound(program, np.array([[-1.0], [1.0]])).tolist() == pytest.approx(expected)
