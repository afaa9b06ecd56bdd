"""The checks of a quantized program before it is used: every tensor is well formed, and the quantizer's claims hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qaudit.core.program import Quantized
from qaudit.core.tensor import Floats, QuantizedTensor

MAX_GROWTH = 1e100
"""How many times larger than the largest value of its parameter a quantized value may be. Beyond it squared errors overflow."""


def contract_problems(quantized: Quantized, claims: Mapping[str, Any], reproducible: bool) -> list[str]:
    """The tensors that are not well formed and the claims that do not hold, one line each; [] where there are none."""
    parameters, problems = quantized.program.parameters(), []
    for name, tensor in quantized.tensors.items():
        if name not in parameters:
            problems.append(f"no parameter {name!r}")
            continue
        values = parameters[name].values
        of_tensor = tensor.problems(values.shape)
        if not of_tensor and (too_large := _too_large(values, tensor)):
            of_tensor = [too_large]
        problems += [f"{name}: {problem}" for problem in of_tensor]
        if not of_tensor and parameters[name].role != "bias":
            problems += [f"{name}: {problem}" for problem in _claims_broken(values, tensor, claims)]
    layers = {p.layer for p in parameters.values() if p.role == "weight"}
    problems += [f"a grid for layer {layer}, which is no dense layer" for layer in quantized.grids if layer not in layers]
    if claims["deterministic"] and not reproducible:
        problems.append("claims to be deterministic, gave other codes the second time")
    return problems


def _too_large(values: Floats, tensor: QuantizedTensor) -> str:
    """The problem where finite values are so large that sums of their squares are infinite; empty where none are."""
    peak, largest = (float(np.abs(array).max(initial=0.0)) for array in (values, tensor.dequantize()))
    return f"values: reach {largest:.3g} where the parameter reaches {peak:.3g}" if largest > MAX_GROWTH * max(peak, 1.0) else ""


def _claims_broken(values: Floats, tensor: QuantizedTensor, claims: Mapping[str, Any]) -> list[str]:
    after, problems = tensor.dequantize(), []
    if claims["zero_exact"] and (moved := int(np.count_nonzero(after[values == 0]))):
        problems.append(f"claims exact zeros, moved {moved}")
    peak = float(np.abs(values).max(initial=0.0))
    if claims["max_kept"] and not np.isclose(np.abs(after).max(initial=0.0), peak, rtol=1e-12, atol=float(np.finfo(float).tiny)):
        problems.append("claims to keep the largest magnitude, lost it")
    return problems
