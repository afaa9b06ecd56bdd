"""Counts and errors of one tensor, by hand; the law in words; contract checks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qaudit.core.contract import contract_problems
from qaudit.core.measures.tensors import formula_text, tensor_facts
from qaudit.core.program import Program, Quantized
from qaudit.core.steps import Dense
from qaudit.core.tensor import Grid, QType, QuantizedTensor

HONEST = {"zero_exact": True, "max_kept": True, "deterministic": True}


def test_facts_by_hand():
    values = np.array([3.0, -3.4, 9.0, -4.0, 0.2, 0.0, 5.0])
    mask = np.array([True, True, True, True, True, True, False])
    tensor = QuantizedTensor(np.array([3, -3, 3, -3, 0, 0, 3]), 1.0, QType(3), mask=mask)
    facts = tensor_facts(values, tensor)
    assert facts.saturated == 2  # 9 and -4; -3.4 lies within half a step, 5 is discarded
    assert facts.zeros == 3
    assert facts.distinct == 3
    assert facts.max_abs_error.value == 6.0
    noise = 0.4**2 + 6.0**2 + 1.0 + 0.2**2 + 5.0**2
    assert facts.sqnr_db.value == pytest.approx(10 * np.log10((values**2).sum() / noise), rel=1e-12)


def test_exact_tensors_have_no_finite_ratio():
    facts = tensor_facts(np.array([1.0, -1.0]), QuantizedTensor(np.array([1, -1]), 1.0, QType(2)))
    assert facts.sqnr_db.value is None
    assert facts.sqnr_db.reason
    assert facts.max_abs_error.value == 0.0


@given(hnp.arrays(np.float64, 6, elements=st.floats(-1e3, 1e3, allow_subnormal=False)), st.sampled_from([-300, 0, 300]))
def test_the_ratio_does_not_depend_on_the_unit(values, power):
    values = np.where(np.abs(values) < 1e-3, 0.0, values)
    codes = np.clip(np.rint(values), -100, 100).astype(np.int32)
    plain = tensor_facts(values, QuantizedTensor(codes, 1.0, QType(8))).sqnr_db.value
    scaled = tensor_facts(np.ldexp(values, power), QuantizedTensor(codes, 2.0**power, QType(8))).sqnr_db.value
    assert scaled == plain


def test_a_codebook_saturates_outside_its_table():
    tensor = QuantizedTensor(np.array([0, 1, 1]), 2.0, QType(1, signed=False), table=np.array([-1.0, 1.0]))
    facts = tensor_facts(np.array([-2.0, 2.0, 2.5]), tensor)
    assert facts.saturated == 1
    assert facts.distinct == 2


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "values = codes * scale"),
        ({"zero_point": 3}, "values = (codes - zero_point) * scale"),
        ({"offset": 0.5, "dither_seed": 1}, "values = offset + (codes - dither) * scale"),
        ({"mask": np.array([True])}, "values = where(mask, codes * scale, 0)"),
        ({"offset": 0.5, "mask": np.array([True])}, "values = offset + where(mask, codes * scale, 0)"),
        ({"table": np.array([0.0, 1.0])}, "values = scale * table[codes]"),
    ],
)
def test_law_in_words(changed, text):
    assert formula_text(QuantizedTensor(np.array([1]), 1.0, QType(4), **changed)) == text


def quantized(codes=((2, -1),), scale=1.0, grids=None, name="layer0.weight"):
    program = Program(("a", "b"), (Dense(np.array([[2.0, 0.0]]), np.zeros(1)),), "identity", "regression")
    tensor = QuantizedTensor(np.array(codes, np.int32), scale, QType(4))
    return Quantized(program, {name: tensor}, grids or {})


@pytest.mark.parametrize(
    ("model", "claims", "reproducible", "words"),
    [
        (quantized(), HONEST, True, "layer0.weight: claims exact zeros, moved 1"),
        (quantized(((1, 0),)), HONEST, True, "layer0.weight: claims to keep the largest magnitude, lost it"),
        (quantized(((2, 0),)), HONEST, False, "claims to be deterministic, gave other codes the second time"),
        (quantized(((2,),)), HONEST, True, "layer0.weight: codes: shape (1, 1), expected (1, 2)"),
        (quantized(((99, 0),)), HONEST, True, "layer0.weight: codes: from 0 to 99, expected -7 to 7"),
        (quantized(((2, 0),), scale=-1.0), HONEST, True, "layer0.weight: scale: not finite and positive everywhere"),
        (quantized(name="layer1.weight"), HONEST, True, "no parameter 'layer1.weight'"),
        (quantized(((2, 0),), grids={4: Grid(1.0, 0, QType(8))}), HONEST, True, "a grid for layer 4, which is no dense layer"),
    ],
)
def test_contract_breaches_are_named(model, claims, reproducible, words):
    assert contract_problems(model, claims, reproducible) == [words]


def test_a_check_runs_only_on_what_is_claimed():
    nothing = dict.fromkeys(HONEST, False)
    assert contract_problems(quantized(((1, -1),)), nothing, False) == []
    assert contract_problems(quantized(((2, 0),)), HONEST, True) == []
