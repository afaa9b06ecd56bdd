"""One candidate: a quantizer called for every parameter it takes, each answer checked for its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qaudit.core.json_values import Json
from qaudit.core.program import Parameter, Program
from qaudit.core.records import Decline, Quantizer, Value
from qaudit.core.tensor import Calibration, Floats, Grid, QType, QuantizedTensor
from qaudit.engine.dense import INPUT_CODES, integer_coded
from qaudit.engine.formula import evaluate, recorded
from qaudit.sandbox.calibration_context import CalibrationContext, frozen, frozen_program

BIAS_CODES = "minimum(maximum(round(bias / (weight_scale * input_scale)), low), high)"
OWN_CODE = "codes made by the plugin's own code"


class Broken(Exception):
    """A quantizer gave something that is no answer to what it was asked."""


@dataclass(frozen=True, slots=True, eq=False)
class BuiltCandidate:
    """One candidate: tensors, grids, the formulas behind them, contributions, and whether a second run gave the same."""

    tensors: dict[str, QuantizedTensor]
    grids: dict[int, Grid]
    formulas: dict[str, str]
    noted: list[Json]
    reproducible: bool


def build_candidate(
    record: Quantizer, bench: CalibrationContext, calibrations: Mapping[str, Calibration], settings: Mapping[str, Value]
) -> BuiltCandidate:
    """One candidate. Whatever the plugin raises passes through."""
    bench.noted = []
    parameters = {name: p for name, p in bench.program.parameters().items() if p.role != "bias"}
    texts: dict[str, list[str]] = {}
    tensors: dict[str, QuantizedTensor] = {}
    if record.model is not None:
        with recorded() as formulas:
            given = record.model(frozen_program(bench.program), dict(calibrations), **settings)
        tensors = checked_model_answer(given, bench.program, formulas)
        texts.update(dict.fromkeys(tensors, formulas))
    if record.quantize is not None:
        for name, parameter in parameters.items():
            if name in tensors:
                continue
            with recorded() as formulas:
                tensor = record.quantize(frozen(parameter.values), calibrations[name], **settings)
            if tensor is not None:
                tensors[name], texts[name] = checked_tensor(parameter, tensor, formulas), formulas
    noted = bench.noted
    grids, biases = integer_layers(record, bench.program, calibrations, settings, tensors, texts)
    if not tensors and not grids:
        raise Decline("leaves every parameter of this model in float64")
    again = same_again(record, bench, calibrations, settings, tensors)
    return BuiltCandidate({**tensors, **biases}, grids, formulas_by_role(bench.program, texts), noted, again)


def checked_tensor(parameter: Parameter, tensor: Any, formulas: list[str]) -> QuantizedTensor:
    """The tensor, once it keeps the law; a formula that was not evaluated is not believed."""
    if not isinstance(tensor, QuantizedTensor):
        raise Broken(f"{parameter.name}: gave a {type(tensor).__name__}, expected a QuantizedTensor")
    if problems := tensor.problems(parameter.values.shape):
        raise Broken(f"{parameter.name}: {'; '.join(problems)}")
    spaced = " ".join(str(tensor.formula).split())
    return replace(tensor, formula=spaced if spaced in formulas else None)


def checked_model_answer(given: Any, program: Program, formulas: list[str]) -> dict[str, QuantizedTensor]:
    """What `model` gave, in the order of the program's parameters."""
    if not isinstance(given, Mapping):
        raise Broken(f"gave a {type(given).__name__}, expected a mapping of parameter to QuantizedTensor")
    known = {name: parameter for name, parameter in program.parameters().items() if parameter.role != "bias"}
    if strange := [name for name in given if name not in known]:
        raise Broken(f"{strange[0]!r} is no parameter that may be replaced")
    return {name: checked_tensor(known[name], given[name], formulas) for name in known if name in given}


def integer_layers(
    record: Quantizer,
    program: Program,
    calibrations: Mapping[str, Calibration],
    settings: Mapping[str, Value],
    tensors: Mapping[str, QuantizedTensor],
    texts: dict[str, list[str]],
) -> tuple[dict[int, Grid], dict[str, QuantizedTensor]]:
    """The grids of layer inputs, and the int32 biases at s_w s_x that go with them."""
    grids: dict[int, Grid] = {}
    biases: dict[str, QuantizedTensor] = {}
    if record.inputs is None:
        return grids, biases
    for name, parameter in program.parameters().items():
        if parameter.role != "weight":
            continue
        with recorded() as formulas:
            grid = record.inputs(calibrations[name], **settings)
        if grid is None:
            continue
        grids[parameter.layer] = checked_grid(name, grid)
        texts[f"inputs of layer{parameter.layer}"] = [*formulas, INPUT_CODES]
        weight = tensors.get(name)
        if weight is not None and integer_coded(weight):
            bias = f"layer{parameter.layer}.bias"
            biases[bias] = integer_bias(bias, program.parameters()[bias].values, weight, grid)
            texts[bias] = [BIAS_CODES]
    return grids, biases


def checked_grid(name: str, grid: Any) -> Grid:
    """The grid, once it is one."""
    if not isinstance(grid, Grid) or not isinstance(grid.qtype, QType):
        raise Broken(f"inputs of {name}: gave a {type(grid).__name__}, expected a Grid")
    if not (np.isfinite(grid.scale) and grid.scale > 0):
        raise Broken(f"inputs of {name}: scale {grid.scale}, expected a positive number")
    if not grid.qtype.low <= grid.zero_point <= grid.qtype.high:
        raise Broken(f"inputs of {name}: zero point {grid.zero_point}, expected {grid.qtype.low} to {grid.qtype.high}")
    return grid


def integer_bias(name: str, values: Floats, weight: QuantizedTensor, grid: Grid) -> QuantizedTensor:
    """int32 codes (out,) of a bias at s_w s_x; Decline where a bias does not fit."""
    scale = np.broadcast_to(np.asarray(weight.scale, dtype=np.float64) * grid.scale, values.shape).copy()
    qtype = QType(32)
    top = float(qtype.high)
    if np.any(np.abs(values) > scale * top) or np.any(scale == 0):
        raise Decline(f"{name}: does not fit 32 bits at the scale of weights x inputs")
    parts = {"weight_scale": weight.scale, "input_scale": grid.scale, "low": float(qtype.low), "high": top}
    codes = evaluate(BIAS_CODES, bias=values, **parts).astype(np.int32)
    return QuantizedTensor(codes, scale=scale, qtype=qtype, axis=0, formula=BIAS_CODES)


def same_again(
    record: Quantizer,
    bench: CalibrationContext,
    calibrations: Mapping[str, Calibration],
    settings: Mapping[str, Value],
    tensors: Mapping[str, QuantizedTensor],
) -> bool:
    """Whether a second run gives the same codes: of the smallest parameter, or of all where the model is quantized as a whole."""
    if not tensors:
        return True
    bench.noted = []  # the second run's contributions are not evidence
    if record.model is not None:
        second = checked_model_answer(
            record.model(frozen_program(bench.program), dict(calibrations), **settings), bench.program, []
        )
        return set(second) <= set(tensors) and all(same(tensors[name], second[name]) for name in second)
    assert record.quantize is not None
    name = min(tensors, key=lambda name: (tensors[name].codes.size, name))
    values = bench.program.parameters()[name].values
    return same(tensors[name], record.quantize(frozen(values), calibrations[name], **settings))


def same(first: QuantizedTensor, second: Any) -> bool:
    """Equal codes and equal values."""
    if not isinstance(second, QuantizedTensor) or second.problems(first.codes.shape):
        return False
    return np.array_equal(first.codes, second.codes) and first.dequantize().tobytes() == second.dequantize().tobytes()


def formulas_by_role(program: Program, texts: Mapping[str, list[str]]) -> dict[str, str]:
    """The evaluated formulas by role; by parameter where a role has several."""
    known = program.parameters()
    roles: dict[str, dict[str, str]] = {}
    for name, lines in texts.items():
        role: str = known[name].role if name in known else "input"
        roles.setdefault(role, {})[name] = "; ".join(lines) or OWN_CODE
    found: dict[str, str] = {}
    for role, by_name in roles.items():
        found |= {role: next(iter(by_name.values()))} if len(set(by_name.values())) == 1 else by_name
    return found
