"""Facts of one tensor at the ends of its grid, and the contract of a quantizer at its thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qaudit.core.contract import MAX_GROWTH, contract_problems
from qaudit.core.measures.tensors import formula_text, saturated, tensor_facts
from qaudit.core.program import Program, Quantized
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Grid, QType, QuantizedTensor

STUMP = Trees(
    left=np.array([1, -1, -1], np.int32),
    right=np.array([2, -1, -1], np.int32),
    feature=np.array([0, -2, -2], np.int32),
    threshold=np.zeros(3),
    value=np.zeros((3, 1)),
    roots=np.array([0], np.int32),
    base=np.zeros(1),
    missing_left=np.zeros(3, bool),
)
NOTHING = {"zero_exact": False, "max_kept": False, "deterministic": False}


def facts(values: list[float], codes: list[int], **parts: object) -> int:
    tensor = QuantizedTensor(np.array(codes), 1.0, QType(3))
    tensor = replace(tensor, **parts)  # type: ignore[arg-type]
    return saturated(np.array(values), tensor, tensor.dequantize())


def test_half_a_step_beyond_the_end_is_no_saturation() -> None:
    assert facts([3.5, -3.5], [3, -3]) == 0
    assert facts([3.5 + 4e-10, -3.5 - 4e-10], [3, -3]) == 0  # rounding of the step itself
    edge = 3 + 0.5 * (1 + 1e-9)
    assert facts([edge, -edge], [3, -3]) == 0
    assert facts([3.5 + 6e-10, -3.5], [3, -3]) == 1
    assert facts([3.5, -3.5 - 6e-10], [3, -3]) == 1
    assert facts([9.0, -9.0], [2, -2]) == 0  # not at the end: an error, no saturation
    assert facts([9.0, -9.0], [-3, 3]) == 0  # at the wrong end
    assert facts([9.0, 9.0], [3, 3], mask=np.array([True, False])) == 1


def test_half_a_step_is_half_a_scale() -> None:
    assert facts([14.0, -14.0], [3, -3], scale=4.0) == 0
    assert facts([14.1, -14.1], [3, -3], scale=4.0) == 2
    assert facts([1.76], [3], scale=0.5) == 1
    assert facts([1.74], [3], scale=0.5) == 0


def test_a_codebook_saturates_beyond_both_entries_and_not_on_them() -> None:
    table = QuantizedTensor(np.array([0, 1, 2, 0, 2]), 2.0, QType(2, signed=False), table=np.array([3.0, -1.0, 0.0]))
    values = np.array([6.0, -2.0, -2.1, 6.1, 0.0])
    assert saturated(values, table, table.dequantize()) == 2
    channels = QuantizedTensor(
        np.array([[0, 1], [0, 1]]), np.array([1.0, 10.0]), QType(1, signed=False), table=np.array([-1.0, 1.0]), axis=0
    )
    assert saturated(np.array([[-1.5, 1.0], [-1.5, 11.0]]), channels, channels.dequantize()) == 2


def test_zeros_and_distinct_codes_are_counted_where_they_are_kept() -> None:
    tensor = QuantizedTensor(np.array([1, 0, 2, 3]), 1.0, QType(3), mask=np.array([True, True, True, False]))
    found = tensor_facts(np.array([1.0, 0.0, 2.0, 0.0]), tensor)
    assert (found.zeros, found.distinct, found.saturated) == (2, 3, 0)


def test_errors_of_a_matrix_count_all_elements() -> None:
    tensor = QuantizedTensor(np.array([[1, 2], [0, -1]]), 1.0, QType(3))
    found = tensor_facts(np.array([[1.0, 2.5], [0.0, -1.0]]), tensor)
    assert (found.max_abs_error.value, found.max_abs_error.n) == (0.5, 4)
    assert found.sqnr_db.value == pytest.approx(10 * np.log10(8.25 / 0.25))


def test_the_ratio_of_numbers_whose_squares_overflow_or_vanish() -> None:
    for scale in (2.0**1000, 2.0**-1000, -(2.0**1000)):
        tensor = QuantizedTensor(np.array([3, 1]), abs(scale), QType(3))
        assert tensor_facts(np.array([2.0, 1.0]) * abs(scale), tensor).sqnr_db.value == pytest.approx(10 * np.log10(5))
    negative = QuantizedTensor(np.array([-3, 1]), 2.0**1000, QType(3))
    assert tensor_facts(np.array([-2.0, 1.0]) * 2.0**1000, negative).sqnr_db.value == pytest.approx(10 * np.log10(5))


def test_an_empty_tensor_has_no_ratio() -> None:
    found = tensor_facts(np.empty(0), QuantizedTensor(np.empty(0, int), 1.0, QType(3)))
    assert (found.sqnr_db.reason, found.max_abs_error.reason, found.zeros, found.distinct) == ("no rows", "no rows", 0, 0)


def test_the_law_names_what_is_there_for_any_element() -> None:
    tensor = QuantizedTensor(np.array([[1], [1]]), 1.0, QType(4), axis=0)
    assert formula_text(replace(tensor, zero_point=np.array([0, 3]))) == "values = (codes - zero_point) * scale"
    assert formula_text(replace(tensor, offset=np.array([0.0, 3.0]))) == "values = offset + codes * scale"
    both = replace(tensor, zero_point=1, dither_seed=0, mask=np.array([[True], [True]]))
    assert formula_text(both) == "values = where(mask, (codes - zero_point - dither) * scale, 0)"


def quantized(weight: list[float], tensor: QuantizedTensor, name: str = "layer0.weight") -> Quantized:
    dense = Dense(np.array([weight]), np.array([weight[0]]))
    return Quantized(Program(("a", "b"), (dense,), "identity", "regression"), {name: tensor})


def test_values_far_beyond_their_parameter_are_refused() -> None:
    ten = 1e100
    assert ten == MAX_GROWTH
    at_it = quantized([0.5, 0.25], QuantizedTensor(np.array([[1, 0]]), ten, QType(4)))
    assert contract_problems(at_it, NOTHING, True) == []
    above = quantized([0.5, 0.25], QuantizedTensor(np.array([[-1, 0]]), ten * 1.001, QType(4)))
    assert contract_problems(above, NOTHING, True) == ["layer0.weight: values: reach 1e+100 where the parameter reaches 0.5"]
    larger = quantized([-3.0, 0.25], QuantizedTensor(np.array([[1, 0]]), 2.9 * ten, QType(4)))
    assert contract_problems(larger, NOTHING, True) == []


def test_a_forest_has_no_layer_for_a_grid() -> None:
    forest = Program(("x",), (STUMP,), "identity", "regression")
    assert contract_problems(Quantized(forest, {}, {0: Grid(1.0, 0, QType(8))}), NOTHING, True) == [
        "a grid for layer 0, which is no dense layer"
    ]


def test_claims_are_not_asked_of_biases() -> None:
    claims = {"zero_exact": True, "max_kept": True, "deterministic": True}
    bias = quantized([2.0, 0.0], QuantizedTensor(np.array([1]), 1.0, QType(4)), "layer0.bias")
    assert contract_problems(bias, claims, True) == []


def test_the_largest_magnitude_is_kept_within_1e_minus_12() -> None:
    claims = NOTHING | {"max_kept": True}
    lost = ["layer0.weight: claims to keep the largest magnitude, lost it"]
    for scale, problems in ((1 + 5e-13, []), (1 + 3e-12, lost), (1 - 5e-13, []), (1 - 3e-12, lost), (1 + 1.5e-12, lost)):
        model = quantized([-2.0, 1.0], QuantizedTensor(np.array([[2, 1]]), scale, QType(4)))
        assert contract_problems(model, claims, True) == problems
    assert contract_problems(quantized([-2.0, 1.0], QuantizedTensor(np.array([[-2, 1]]), 1.0, QType(4))), claims, True) == []
    zero = quantized([0.0, 0.0], QuantizedTensor(np.array([[0, 0]]), 1.0, QType(4)))
    assert contract_problems(zero, claims, True) == []


def test_every_zero_that_moved_is_counted() -> None:
    claims = NOTHING | {"zero_exact": True}
    model = quantized([0.0, 0.0], QuantizedTensor(np.array([[1, -1]]), 1.0, QType(4)))
    assert contract_problems(model, claims, True) == ["layer0.weight: claims exact zeros, moved 2"]
    kept = quantized([0.0, 1.0], QuantizedTensor(np.array([[0, 2]]), 1.0, QType(4)))
    assert contract_problems(kept, claims, True) == []


def test_problems_of_several_tensors_come_together() -> None:
    model = quantized([2.0, 0.0], QuantizedTensor(np.array([[99, 0]]), 1.0, QType(4)))
    tensors = {"nowhere": model.tensors["layer0.weight"], **model.tensors}
    both = contract_problems(
        Quantized(model.program, tensors, {0: Grid(1.0, 0, QType(8)), 1: Grid(1.0, 0, QType(8))}), NOTHING, False
    )
    assert both == [
        "no parameter 'nowhere'",
        "layer0.weight: codes: from 0 to 99, expected -7 to 7",
        "a grid for layer 1, which is no dense layer",
    ]
