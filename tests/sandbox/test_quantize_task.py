"""The quantize task in this process: what a calibration knows, what `effect` measures, what a second run shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qaudit.core.plugin_settings import derived_seed
from qaudit.core.program import Program
from qaudit.core.records import Claims, Decline, Quantizer, Setting
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Grid, QType, QuantizedTensor
from qaudit.engine.sweep import predict
from qaudit.errors import Refused
from qaudit.sandbox.calibration_context import NEEDS_ROWS, CalibrationContext
from qaudit.sandbox.candidate_builder import integer_bias, with_scales_for_the_bias
from qaudit.sandbox.job import Job
from qaudit.sandbox.pack_program import pack_program, unpack_grids, unpack_tensors
from qaudit.sandbox.tasks.quantize import work

ROWS = np.random.default_rng(1).normal(size=(25, 2))


def dense() -> Program:
    rng = np.random.default_rng(2)
    steps = (Dense(rng.normal(size=(3, 2)), rng.normal(size=3), "tanh"), Dense(rng.normal(size=(1, 3)), rng.normal(size=1)))
    return Program(("a", "b"), steps, "identity", "regression")


def stump() -> Program:
    trees = Trees(
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        feature=np.array([1, -2, -2], np.int32),
        threshold=np.array([0.25, 0, 0]),
        value=np.array([[0.0], [1.0], [3.0]]),
        roots=np.array([0], np.int32),
        base=np.zeros(1),
        missing_left=np.zeros(3, bool),
    )
    return Program(("a", "b"), (trees,), "identity", "regression")


def rounds(values: Any, calibration: Any, *, bits: int = 8) -> QuantizedTensor:
    """The smallest quantizer."""
    scale = float(np.abs(values).max()) / (2 ** (bits - 1) - 1) or 1.0
    return QuantizedTensor(np.rint(values / scale).astype(np.int32), scale, QType(bits))


def job(record: Quantizer, program: Program | None = None, rows: Any = ROWS, **request: Any) -> Job:
    packed, arrays = pack_program(program if program is not None else dense())
    given = {"quantizer": record.name, "settings": {}, "bits": None, "seed": 5, "program": packed, **request}
    return Job(given, {**arrays, **({} if rows is None else {"calibration": rows})}, {"quantizer": [record]})


def seen(program: Program, rows: Any = ROWS) -> dict[str, Any]:
    return CalibrationContext(program, rows, 5, "q").calibrations()


def test_a_weights_calibration_is_its_layers_inputs():
    known = seen(dense())
    first = dense().steps[0]
    hidden = np.tanh(ROWS @ first.weight.T + first.bias)
    assert known["layer0.weight"].inputs.tolist() == ROWS.tolist()
    assert known["layer1.weight"].inputs == pytest.approx(hidden, rel=1e-12)
    assert known["layer1.weight"].low == known["layer1.weight"].inputs.min()
    assert known["layer0.weight"].high == ROWS.max()
    assert (known["layer1.weight"].role, known["layer1.weight"].layer, known["layer1.weight"].axis) == ("weight", 1, 0)
    assert known["layer0.weight"].seed == derived_seed(5, "q", "layer0.weight") != known["layer1.weight"].seed


def test_a_thresholds_calibration_is_its_feature_without_missing_values():
    rows = ROWS.copy()
    rows[0] = np.nan
    known = seen(stump(), rows)
    assert (known["threshold[b]"].low, known["threshold[b]"].high) == (ROWS[1:, 1].min(), ROWS[1:, 1].max())
    assert (known["leaf[0]"].low, known["leaf[0]"].high) == (1.0, 3.0)
    assert known["threshold[b]"].inputs is None


def test_without_rows_a_calibration_knows_the_values_alone():
    known = seen(dense(), None)["layer0.weight"]
    assert known.inputs is None
    assert (known.low, known.high) == (dense().steps[0].weight.min(), dense().steps[0].weight.max())
    with pytest.raises(Decline, match="calibration rows"):
        known.effect(np.zeros((3, 2)))


def test_effect_is_the_mean_change_on_calibration_rows():
    bench = CalibrationContext(dense(), ROWS, 5, "q")
    known, zero = bench.calibrations(), np.zeros((3, 2))
    other = np.full((1, 3), 0.5)
    one = np.abs(predict(dense().with_parameters({"layer0.weight": zero}), ROWS) - predict(dense(), ROWS)).mean()
    both = np.abs(
        predict(dense().with_parameters({"layer0.weight": zero, "layer1.weight": other}), ROWS) - predict(dense(), ROWS)
    ).mean()
    assert known["layer0.weight"].effect(zero) == one
    assert known["layer1.weight"].effect({"layer0.weight": zero}) == one
    assert bench.noted == []
    assert known["layer1.weight"].effect({"layer0.weight": zero, "layer1.weight": other}, label="two") == both
    assert known["layer0.weight"].effect(zero, label="one") == one
    assert bench.noted == [
        {"parameter": "all parameters", "range": "two", "value": both},
        {"parameter": "layer0.weight", "range": "one", "value": one},
    ]
    with pytest.raises(ValueError, match="shape"):
        known["layer0.weight"].effect(np.zeros(2))


@pytest.mark.parametrize("link", ["identity", "logistic"])
def test_effect_of_leaves_equals_a_whole_prediction(link):
    program = replace(stump(), link=link, output="binary" if link == "logistic" else "regression")
    bench = CalibrationContext(program, ROWS, 5, "q")
    base = predict(program, ROWS)
    for values in (np.array([0.5, 3.0]), np.array([0.0, 0.0])):
        expected = np.abs(predict(program.with_parameters({"leaf[0]": values}), ROWS) - base).mean()
        assert bench.calibrations()["leaf[0]"].effect(values) == expected > 0
    both = {"leaf[0]": np.array([0.5, 3.0]), "threshold[b]": np.array([-0.5])}
    expected = np.abs(predict(program.with_parameters(both), ROWS) - base).mean()
    assert bench.calibrations()["leaf[0]"].effect(both) == expected
    with pytest.raises(ValueError, match="shape"):
        bench.calibrations()["leaf[0]"].effect(np.zeros(3))


def test_an_answer_unpacks_to_what_was_made():
    record = Quantizer("q", "rounds", rounds, settings={"bits": Setting((3, 8), allowed=range(2, 9))})
    answer, arrays = work(job(record))
    assert answer["summary"] == "rounds"
    assert answer["settings"] == {"bits": [3, 8]}
    assert [c["settings"] for c in answer["candidates"]] == [{"bits": 3}, {"bits": 8}]
    for told in answer["candidates"]:
        tensors = unpack_tensors(told["tensors"], arrays)
        assert set(tensors) == {"layer0.weight", "layer1.weight"}
        expected = rounds(dense().steps[0].weight, None, bits=told["settings"]["bits"])
        assert tensors["layer0.weight"].codes.tolist() == expected.codes.tolist()
        assert told["reproducible"] is True


def test_integer_biases_come_with_grids():
    record = Quantizer("q", "s", rounds, inputs=lambda calibration: Grid(0.01, 3, QType(8, signed=False)))
    answer, arrays = work(job(record))
    told = answer["candidates"][0]
    tensors, grids = unpack_tensors(told["tensors"], arrays), unpack_grids(told["grids"])
    assert set(grids) == {0, 1}
    for layer, step in enumerate(dense().steps):
        unit = tensors[f"layer{layer}.weight"].scale * 0.01
        assert tensors[f"layer{layer}.bias"].codes.tolist() == [round(b / unit) for b in step.bias.tolist()]
        assert tensors[f"layer{layer}.bias"].scale.tolist() == [unit] * len(step.bias)


def test_a_bias_that_does_not_fit_32_bits_declines():
    record = Quantizer("q", "s", rounds, inputs=lambda calibration: Grid(1e-12, 0, QType(8, signed=False)))
    answer, _ = work(job(record))
    assert answer["candidates"] == []
    assert answer["refused"] == [
        {"kind": "declined", "reason": "layer0.bias: does not fit 32 bits at the scale of weights x inputs", "settings": [{}]}
    ]


ZERO_ROW = np.array([[0.5, -0.25], [0.0, 0.0], [0.125, 0.0]])


def rows_of_their_own(values, calibration):
    """int8, one scale a row; a row of zeros takes scale 1."""
    peak = np.abs(values).max(axis=1)
    scale = np.where(peak > 0, peak / 127, 1.0)
    codes = np.rint(values / scale[:, None]).astype(np.int32)
    return QuantizedTensor(codes, scale=scale, qtype=QType(8), axis=0)


def test_a_bias_beside_a_row_of_zeros_keeps_its_value():
    """With scale 1 for that row, its bias of 1.3 was rounded to a whole unit, or to nothing."""
    program = Program(("a", "b"), (Dense(ZERO_ROW, np.array([0.4, 1.3, -2.0])),), "softmax", "multiclass", ("x", "y", "z"))
    record = Quantizer("q", "s", rows_of_their_own, inputs=lambda calibration: Grid(4.0, 3, QType(8, signed=False)))
    answer, arrays = work(job(record, program=program))
    tensors = unpack_tensors(answer["candidates"][0]["tensors"], arrays)
    weight, bias = tensors["layer0.weight"], tensors["layer0.bias"]
    assert weight.scale[[0, 2]].tolist() == [0.5 / 127, 0.125 / 127], "a row with weights keeps its scale"
    assert not weight.dequantize()[1].any()
    assert bias.scale.tolist() == (weight.scale * 4.0).tolist()
    assert abs(bias.dequantize()[1] - 1.3) <= 1.3 * 2.0**-30
    assert answer["candidates"][0]["reproducible"] is True


@pytest.mark.parametrize(
    ("weight", "bias", "scale"),
    [
        (np.zeros((2, 3)), np.array([0.5, -1.5]), 1.5 / 2**30 / 0.25),  # one scale for all: the largest bias
        (np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([0.5, -1.5]), 1.0),  # a row with weights needs it
        (np.zeros((1, 1)), np.zeros(1), 1.0),  # nothing to fit
        (np.zeros((1, 1)), np.array([1e-305]), 1.0),  # would vanish
    ],
)
def test_one_scale_for_all_rows_fits_the_bias_only_where_all_rows_are_zero(weight, bias, scale):
    tensor = QuantizedTensor(weight.astype(np.int32), scale=1.0, qtype=QType(8))
    assert with_scales_for_the_bias(tensor, bias, Grid(0.25, 0, QType(8))).scale == scale


def test_a_bias_that_makes_a_32_bit_accumulator_wrap_declines():
    """8 inputs x 127 x 255 = 259,080 fit; with a bias code of 2,147,483,432 the sum does not."""
    weight = QuantizedTensor(np.full((1, 8), 127, dtype=np.int32), scale=1.0, qtype=QType(8))
    grid = Grid(1.0, 0, QType(8, signed=False))
    with pytest.raises(Decline, match="sums up to 2147742512 with the bias do not fit a 32-bit accumulator"):
        integer_bias("layer0.bias", np.array([2147483432.0]), weight, grid)
    fits = 2.0**31 - 1 - 8 * 127 * 255
    assert integer_bias("layer0.bias", np.array([fits]), weight, grid).codes.tolist() == [int(fits)]
    with pytest.raises(Decline):
        integer_bias("layer0.bias", np.array([fits + 1]), weight, grid)


def test_products_that_need_a_wider_accumulator_take_any_bias():
    weight = QuantizedTensor(np.full((1, 70_000), 127, dtype=np.int32), scale=1.0, qtype=QType(8))
    assert integer_bias("b", np.array([2147483432.0]), weight, Grid(1.0, 0, QType(8, signed=False))).codes.size == 1


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ((1.0, 0), "gave a tuple, expected a Grid"),
        (Grid(0.0, 0, QType(8, signed=False)), "scale 0.0, expected a positive number"),
        (Grid(float("nan"), 0, QType(8, signed=False)), "scale nan"),
        (Grid(1.0, 256, QType(8, signed=False)), "zero point 256, expected 0 to 255"),
    ],
)
def test_a_broken_grid_is_named(grid, words):
    answer, _ = work(job(Quantizer("q", "s", rounds, inputs=lambda calibration: grid)))
    assert answer["refused"][0]["kind"] == "failed"
    assert words in answer["refused"][0]["reason"]


def stateful(change: Callable[[int], int]) -> Callable[..., QuantizedTensor]:
    """A quantizer whose codes depend on how often it was called."""
    calls = iter(range(1000))

    def quantize(values: Any, calibration: Any) -> QuantizedTensor:
        return QuantizedTensor(np.full(values.shape, change(next(calls)), np.int32), 1.0, QType(8))

    return quantize


@pytest.mark.parametrize(("change", "same"), [(lambda n: 1, True), (lambda n: n, False)])
def test_a_second_run_shows_hidden_state(change, same):
    answer, _ = work(job(Quantizer("q", "s", stateful(change), claims=Claims(zero_exact=False))))
    assert answer["candidates"][0]["reproducible"] is same


def test_contributions_are_noted_once_a_candidate():
    def model(program, calibrations, *, bits):
        known = calibrations["layer0.weight"]
        known.effect(np.zeros((3, 2)), label="range 1 of 1")
        return {"layer0.weight": rounds(program.parameters()["layer0.weight"].values, known, bits=bits)}

    answer, _ = work(job(Quantizer("q", "s", model=model, settings={"bits": Setting((4, 8))})))
    assert [[line["range"] for line in told["noted"]] for told in answer["candidates"]] == [["range 1 of 1"]] * 2
    assert answer["candidates"][0]["noted"] == answer["candidates"][1]["noted"]


def test_a_model_quantizer_cannot_write_to_the_program():
    def model(program, calibrations):
        program.steps[0].weight[0, 0] = 9.0
        return {}

    answer, _ = work(job(Quantizer("q", "s", model=model)))
    assert "read-only" in answer["refused"][0]["reason"]


def test_needs_and_black_boxes_decline_with_a_summary():
    record = Quantizer("q", "what it does", rounds, needs=("calibration",))
    answer, arrays = work(job(record, rows=None))
    assert (answer["summary"], answer["candidates"], arrays) == ("what it does", [], {})
    assert answer["refused"] == [{"kind": "declined", "reason": NEEDS_ROWS, "settings": []}]
    answer, _ = work(Job({**job(record).request, "program": None, "why_not": "x"}, {}, {"quantizer": [record]}))
    assert answer["refused"][0]["reason"] == "the model cannot be lowered to named parameters: x"
    answer, _ = work(Job({**job(record).request, "quantizer": "other"}, {}, {"quantizer": [record]}))
    assert answer["refused"][0]["reason"] == "offers no quantizer for this model"


def test_the_authors_mistakes_are_refused_in_the_settings_phase():
    phases: list[str] = []
    record = Quantizer("q", "s", rounds, settings={"bits": Setting((8,))})
    given = job(record, settings={"bits": 4})
    with pytest.raises(Refused, match="q: setting 'bits' is 4; allowed: 8"):
        work(Job(given.request, given.arrays, given.offers, phases.append))
    assert phases == ["settings"]


def test_phases_are_announced_in_order():
    phases: list[str] = []
    given = job(Quantizer("q", "s", rounds))
    work(Job(given.request, given.arrays, given.offers, phases.append))
    assert phases == ["settings", "load", "quantize"]
