"""Formulas: what is allowed, what is refused, and that numexpr and the numpy twin agree bit for bit."""

from __future__ import annotations

import math

import numexpr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import qaudit
from qaudit.engine import formula

ROUND_TRIP = "scale * (minimum(maximum(round(x / scale) + zero, low), high) - zero)"
SPECIAL = [
    0.0,
    -0.0,
    0.5,
    1.5,
    2.5,
    -0.5,
    -1.5,
    0.49999999999999994,
    5e-324,
    -5e-324,
    2.2e-308,
    1e308,
    math.inf,
    -math.inf,
    math.nan,
]
FORMULAS = [
    "x + y",
    "x - y * z",
    "x / y",
    "-x",
    "abs(x) - sqrt(abs(y))",
    "round(x)",
    "round(x * y + z)",
    "minimum(x, y)",
    "maximum(x, y)",
    "min(max(x, y), z)",
    "where(x < y, x, z)",
    "where(abs(x) >= 0.5, round(x / y), -z)",
    "where(x == y, 1, 0) + where(x != z, 0.25, -3)",
    "(x - y) ** 2",
    "x / 3 + 0.1 * y",
    "round((x - y) / z + 0.5) * z + y",
]


def bits(values: np.ndarray) -> np.ndarray:
    """The bits of each value; all NaN count as one (their payload is free)."""
    values = np.where(np.isnan(values), np.nan, values)
    return values.view(np.int64)


floats = st.one_of(st.sampled_from(SPECIAL), st.floats(width=64, allow_subnormal=True), st.integers(-9, 9).map(lambda k: k / 2))


@settings(max_examples=100, deadline=None)
@given(values=hnp.arrays(np.float64, (3, 40), elements=floats))
def test_numexpr_and_numpy_are_bit_equal(values: np.ndarray) -> None:
    """All formulas on each draw: to draw the numbers takes far longer than to evaluate a formula."""
    for text in FORMULAS:
        parsed = formula.parse(text)
        arrays = {name: values["xyz".index(name)].copy() for name in parsed.names}
        assert np.array_equal(bits(formula.by_numexpr(parsed, arrays)), bits(formula.by_numpy(parsed, arrays))), text


@pytest.mark.parametrize("size", [1, 7, formula.SMALL - 1, formula.SMALL, 3 * formula.SMALL + 5])
def test_a_formula_gives_the_same_bytes_on_both_sides_of_the_threshold(size: int) -> None:
    x = np.random.default_rng(size).normal(size=size) * 3
    x[: min(size, len(SPECIAL))] = SPECIAL[: min(size, len(SPECIAL))]
    given_ = {"x": x, "scale": 0.1, "zero": 3, "low": 0, "high": 15}
    parsed = formula.parse(ROUND_TRIP)
    values = {name: np.asarray(value, dtype=np.float64) for name, value in given_.items()}
    result = qaudit.evaluate(ROUND_TRIP, **given_)
    assert np.array_equal(bits(result), bits(formula.by_numpy(parsed, values)))
    assert np.array_equal(bits(result), bits(formula.by_numexpr(parsed, values)))


def test_quantizing_equals_a_plain_python_loop() -> None:
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=300), np.arange(-20, 20) / 8])
    result = qaudit.evaluate(ROUND_TRIP, x=x, scale=0.25, zero=2, low=0, high=7)
    twin = [0.25 * (min(max(round(value / 0.25) + 2, 0), 7) - 2) for value in x.tolist()]  # Python rounds ties to even
    assert result.tolist() == twin


def test_large_arrays_go_to_numexpr_and_small_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = numexpr.evaluate
    monkeypatch.setattr(numexpr, "evaluate", lambda text, **rest: (seen.append(text), real(text, **rest))[1])
    qaudit.evaluate("x * 2", x=np.ones(formula.SMALL - 1))
    assert seen == []
    qaudit.evaluate("x * 2", x=np.ones(formula.SMALL))
    assert seen == ["(v0 * c0)"]


def test_division_by_a_number_is_no_product_with_its_reciprocal() -> None:
    x = np.arange(1, 2 * formula.SMALL, dtype=np.float64)
    assert np.array_equal(qaudit.evaluate("x / 49", x=x), x / 49)
    assert not np.array_equal(x / 49, x * (1 / 49))  # the two do differ, so the line above can fail


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x / 2.0", "divisor"),
        ("x / (1.0 + 1.0)", "divisor"),
        ("x ** 3", "power"),
        ("x ** 0.5", "power"),
        ("x ** y", "power"),
        ("exp(x)", "no function exp"),
        ("tanh(x)", "no function tanh"),
        ("__import__('os')", "no function __import__"),
        ("x.real", "Attribute"),
        ("x[0]", "Subscript"),
        ("(lambda: x)()", "no function"),
        ("x if y else z", "IfExp"),
        ("x < y", "Compare"),
        ("where(x, y, z)", "comparison"),
        ("where(x < y < z, y, z)", "comparison"),
        ("x & y", "BinOp"),
        ("x // y", "BinOp"),
        ("x % y", "BinOp"),
        ("~x", "UnaryOp"),
        ("'x'", "no number"),
        ("True * x", "no number"),
        ("1j * x", "no number"),
        ("x +", "SyntaxError"),
        ("minimum(x)", "takes 2"),
        ("round(x, decimals=2)", "takes 1"),
        ("abs + x", "is a function"),
        ("x" + " + x" * 800, "characters"),
        ("(" * 400 + "x" + ")" * 400, "Error"),
    ],
)
def test_what_is_not_allowed_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="formula") as refused:
        qaudit.evaluate(text, x=np.ones(3), y=np.ones(3), z=np.ones(3))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_must_match_the_arrays() -> None:
    with pytest.raises(ValueError, match="no value for y"):
        qaudit.evaluate("x + y", x=1.0)
    with pytest.raises(ValueError, match="does not name z"):
        qaudit.evaluate("x", x=1.0, z=2.0)
    with pytest.raises(ValueError, match="x: object values"):
        qaudit.evaluate("x", x=np.array([None]))


def test_everything_is_float64_and_inputs_stay_untouched() -> None:
    x = np.array([[1, 2], [3, 4]], dtype=np.float32)
    result = qaudit.evaluate("x * scale", x=x, scale=np.array([0.1, 0.3]))
    assert result.dtype == np.float64
    assert np.array_equal(result, x.astype(np.float64) * np.array([0.1, 0.3]))
    same = np.ones(3)
    qaudit.evaluate("x", x=same)[0] = 9.0
    assert same[0] == 1.0


def test_recorded_texts_once_each_and_in_order() -> None:
    with formula.recorded() as texts:
        qaudit.evaluate("x  +\n 1", x=1.0)
        qaudit.evaluate("abs(x)", x=1.0)
        qaudit.evaluate("x + 1", x=2.0)
        with formula.recorded() as inner:
            qaudit.evaluate("x * 3", x=2.0)
    qaudit.evaluate("x - 7", x=2.0)
    assert texts == ["x + 1", "abs(x)"]
    assert inner == ["x * 3"]
