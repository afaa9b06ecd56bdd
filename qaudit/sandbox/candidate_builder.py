"""Builds one candidate: calls a quantizer for every parameter that it takes, and checks each of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qaudit.core.json_values import Json
from qaudit.core.program import Program
from qaudit.core.records import Decline, Quantizer, Value
from qaudit.core.steps import Parameter
from qaudit.core.tensor import Calibration, Floats, Grid, QType, QuantizedTensor
from qaudit.engine.dense import INPUT_CODES, accumulator_bound, integer_coded, whole_weight
from qaudit.engine.formula import evaluate, recorded
from qaudit.sandbox.calibration_context import CalibrationContext, frozen, frozen_program

BIAS_CODES = "minimum(maximum(round(bias / (weight_scale * input_scale)), low), high)"
OWN_CODE = "codes made by the plugin's own code"


class Broken(Exception):
    """A quantizer returned something that the contract does not allow; the message says what."""


@dataclass(frozen=True, slots=True, eq=False)
class BuiltCandidate:
    """One candidate as the quantizer made it.

    `tensors` by parameter; `grids` of integer layer inputs by layer number; `formulas` that numexpr evaluated, by role (by
    parameter where a role has several); `noted`, the changes that the quantizer recorded with `effect`; `recorded`, the values
    of its own measures; `reproducible`, whether a second call returned the same codes and values.
    """

    tensors: dict[str, QuantizedTensor]
    grids: dict[int, Grid]
    formulas: dict[str, str]
    noted: list[Json]
    recorded: list[Json]
    reproducible: bool


def build_candidate(
    record: Quantizer, context: CalibrationContext, calibrations: Mapping[str, Calibration], settings: Mapping[str, Value]
) -> BuiltCandidate:
    """Build one candidate. An exception of the plugin is not caught here: the caller makes it a row of the report."""
    context.forget()
    parameters = {name: p for name, p in context.program.parameters().items() if p.role != "bias"}
    used_formulas: dict[str, list[str]] = {}
    tensors: dict[str, QuantizedTensor] = {}
    if record.model is not None:
        with recorded() as formulas:
            answer = record.model(frozen_program(context.program), dict(calibrations), **settings)
        tensors = checked_model_answer(answer, context.program, formulas)
        used_formulas.update(dict.fromkeys(tensors, formulas))
    if record.quantize is not None:
        for name, parameter in parameters.items():
            if name in tensors:
                continue
            with recorded() as formulas:
                tensor = record.quantize(frozen(parameter.values), calibrations[name], **settings)
            if tensor is not None:
                tensors[name], used_formulas[name] = checked_tensor(parameter, tensor, formulas), formulas
    grids, layers = integer_layers(record, context.program, calibrations, settings, tensors, used_formulas)
    noted, recorded_values = context.noted, context.recorder.packed()
    if not tensors and not grids:
        raise Decline("leaves every parameter of this model in float64")
    reproducible = same_again(record, context, calibrations, settings, tensors)
    formulas_used = formulas_by_role(context.program, used_formulas)
    return BuiltCandidate({**tensors, **layers}, grids, formulas_used, noted, recorded_values, reproducible)


def checked_tensor(parameter: Parameter, tensor: Any, formulas: list[str]) -> QuantizedTensor:
    """The tensor, after a check that it is well formed for its parameter. Raises Broken.

    A formula that the tensor names is kept only if it was really evaluated: the report must not print a formula that the plugin
    merely claims.
    """
    if not isinstance(tensor, QuantizedTensor):
        raise Broken(f"{parameter.name}: gave a {type(tensor).__name__}, expected a QuantizedTensor")
    if problems := tensor.problems(parameter.values.shape):
        raise Broken(f"{parameter.name}: {'; '.join(problems)}")
    stated = " ".join(str(tensor.formula).split())
    return replace(tensor, formula=stated if stated in formulas else None)


def checked_model_answer(answer: Any, program: Program, formulas: list[str]) -> dict[str, QuantizedTensor]:
    """The tensors that the hook `model` returned, checked and in the order of the program's parameters. Raises Broken."""
    if not isinstance(answer, Mapping):
        raise Broken(f"gave a {type(answer).__name__}, expected a mapping of parameter to QuantizedTensor")
    known = {name: parameter for name, parameter in program.parameters().items() if parameter.role != "bias"}
    if unknown := [name for name in answer if name not in known]:
        raise Broken(f"{unknown[0]!r} is no parameter that may be replaced")
    return {name: checked_tensor(known[name], answer[name], formulas) for name in known if name in answer}


def integer_layers(
    record: Quantizer,
    program: Program,
    calibrations: Mapping[str, Calibration],
    settings: Mapping[str, Value],
    tensors: Mapping[str, QuantizedTensor],
    formulas_by_parameter: dict[str, list[str]],
) -> tuple[dict[int, Grid], dict[str, QuantizedTensor]]:
    """The grids of the layer inputs, and the weights and int32 biases (scale s_w s_x) of the layers that have one.

    With integer inputs and weights a layer sums products of codes; its bias must have the scale of these products to be added.
    """
    grids: dict[int, Grid] = {}
    layers: dict[str, QuantizedTensor] = {}
    if record.inputs is None:
        return grids, layers
    for name, parameter in program.parameters().items():
        if parameter.role != "weight":
            continue
        with recorded() as formulas:
            grid = record.inputs(calibrations[name], **settings)
        if grid is None:
            continue
        grids[parameter.layer] = checked_grid(name, grid)
        formulas_by_parameter[f"inputs of layer{parameter.layer}"] = [*formulas, INPUT_CODES]
        weight = tensors.get(name)
        if weight is not None and integer_coded(weight):
            bias = f"layer{parameter.layer}.bias"
            values = program.parameters()[bias].values
            layers[name] = with_scales_for_the_bias(weight, values, grid)
            layers[bias] = integer_bias(bias, values, layers[name], grid)
            formulas_by_parameter[bias] = [BIAS_CODES]
    return grids, layers


def with_scales_for_the_bias(weight: QuantizedTensor, bias: Floats, grid: Grid) -> QuantizedTensor:
    """The weight (out, in), with another scale for each row of it that is zero throughout.

    Such a row stands for zeros at any scale, but its bias is rounded to whole multiples of scale x input scale, and a scale that
    was chosen without the bias may be far too large for it. The new scale gives the bias 30 bits. With a single scale for all
    rows it changes only where all of them are zero.
    """
    if isinstance(weight.scale, QuantizedTensor):
        return weight
    scale, zero = np.array(weight.scale, dtype=np.float64), ~whole_weight(weight).any(axis=1)
    if scale.ndim == 0:
        largest, zero = np.asarray(np.abs(bias).max(initial=0.0)), np.asarray(zero.all())
    else:
        largest = np.abs(bias)
    with np.errstate(under="ignore"):
        fitting = largest / 2.0**30 / grid.scale
    wanted = zero & (fitting >= np.finfo(np.float64).tiny) & np.isfinite(fitting)
    scale = np.where(wanted, fitting, scale)
    return replace(weight, scale=float(scale) if scale.ndim == 0 else scale)


def checked_grid(name: str, grid: Any) -> Grid:
    """The grid, after a check of its type, its scale and its zero point. Raises Broken."""
    if not isinstance(grid, Grid) or not isinstance(grid.qtype, QType):
        raise Broken(f"inputs of {name}: gave a {type(grid).__name__}, expected a Grid")
    if not (np.isfinite(grid.scale) and grid.scale > 0):
        raise Broken(f"inputs of {name}: scale {grid.scale}, expected a positive number")
    if not grid.qtype.low <= grid.zero_point <= grid.qtype.high:
        raise Broken(f"inputs of {name}: zero point {grid.zero_point}, expected {grid.qtype.low} to {grid.qtype.high}")
    return grid


def integer_bias(name: str, values: Floats, weight: QuantizedTensor, grid: Grid) -> QuantizedTensor:
    """The bias as int32 codes (out,) with scale s_w s_x.

    Raises Decline where a value does not fit 32 bits at that scale, and where the sums of products fit a 32-bit accumulator but
    not with the bias added: hardware wraps there.
    """
    scale = np.broadcast_to(np.asarray(weight.scale, dtype=np.float64) * grid.scale, values.shape).copy()
    qtype = QType(32)
    highest = float(qtype.high)
    if np.any(np.abs(values) > scale * highest) or np.any(scale == 0):
        raise Decline(f"{name}: does not fit 32 bits at the scale of weights x inputs")
    constants = {"weight_scale": weight.scale, "input_scale": grid.scale, "low": float(qtype.low), "high": highest}
    codes = evaluate(BIAS_CODES, bias=values, **constants).astype(np.int32)
    whole = whole_weight(weight)
    products, total = accumulator_bound(whole, grid), accumulator_bound(whole, grid, codes)
    if products <= qtype.high < total:
        raise Decline(
            f"{name}: sums up to {total} with the bias do not fit a 32-bit accumulator; the products alone reach {products}"
        )
    return QuantizedTensor(codes, scale=scale, qtype=qtype, axis=0, formula=BIAS_CODES)


def same_again(
    record: Quantizer,
    context: CalibrationContext,
    calibrations: Mapping[str, Calibration],
    settings: Mapping[str, Value],
    tensors: Mapping[str, QuantizedTensor],
) -> bool:
    """Whether a second call returns the same codes and values.

    Only the smallest parameter is quantized again, to save time; all of them where the hook `model` quantizes the whole model.
    """
    if not tensors:
        return True
    context.forget()  # what the second call records must not appear twice in the report
    if record.model is not None:
        second = checked_model_answer(
            record.model(frozen_program(context.program), dict(calibrations), **settings), context.program, []
        )
        return set(second) <= set(tensors) and all(same(tensors[name], second[name]) for name in second)
    assert record.quantize is not None
    name = min(tensors, key=lambda name: (tensors[name].codes.size, name))
    values = context.program.parameters()[name].values
    return same(tensors[name], record.quantize(frozen(values), calibrations[name], **settings))


def same(first: QuantizedTensor, second: Any) -> bool:
    """Whether two tensors have equal codes and bit-identical values."""
    if not isinstance(second, QuantizedTensor) or second.problems(first.codes.shape):
        return False
    return np.array_equal(first.codes, second.codes) and first.dequantize().tobytes() == second.dequantize().tobytes()


def formulas_by_role(program: Program, formulas_by_parameter: Mapping[str, list[str]]) -> dict[str, str]:
    """The evaluated formulas by role of the parameter; by parameter where the tensors of one role have different formulas."""
    parameters = program.parameters()
    roles: dict[str, dict[str, str]] = {}
    for name, lines in formulas_by_parameter.items():
        role: str = parameters[name].role if name in parameters else "input"
        roles.setdefault(role, {})[name] = "; ".join(lines) or OWN_CODE
    merged: dict[str, str] = {}
    for role, by_name in roles.items():
        merged |= {role: next(iter(by_name.values()))} if len(set(by_name.values())) == 1 else by_name
    return merged
