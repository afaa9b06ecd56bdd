"""What the host asks of a quantized program before it believes it: the law of every tensor, and the quantizer's own claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qaudit.core.program import Quantized
from qaudit.core.tensor import Floats, QuantizedTensor

FARTHEST = 1e100
"""A quantized value may be this many times larger than the largest of its parameter: beyond it errors overflow."""


def contract_problems(quantized: Quantized, claims: Mapping[str, Any], reproducible: bool) -> list[str]:
    """What breaks the law of tensors, or what the quantizer claims; [] where nothing does."""
    known, found = quantized.program.parameters(), []
    for name, tensor in quantized.tensors.items():
        if name not in known:
            found.append(f"no parameter {name!r}")
            continue
        values = known[name].values
        problems = tensor.problems(values.shape)
        if not problems and (wild := _wild(values, tensor)):
            problems = [wild]
        found += [f"{name}: {problem}" for problem in problems]
        if not problems and known[name].role != "bias":
            found += [f"{name}: {problem}" for problem in _claims_broken(values, tensor, claims)]
    layers = {p.layer for p in known.values() if p.role == "weight"}
    found += [f"a grid for layer {layer}, which is no dense layer" for layer in quantized.grids if layer not in layers]
    if claims["deterministic"] and not reproducible:
        found.append("claims to be deterministic, gave other codes the second time")
    return found


def _wild(values: Floats, tensor: QuantizedTensor) -> str:
    """Finite values so large that sums of their squares are not; empty where there are none."""
    peak, reached = (float(np.abs(each).max(initial=0.0)) for each in (values, tensor.dequantize()))
    return f"values: reach {reached:.3g} where the parameter reaches {peak:.3g}" if reached > FARTHEST * max(peak, 1.0) else ""


def _claims_broken(values: Floats, tensor: QuantizedTensor, claims: Mapping[str, Any]) -> list[str]:
    after, found = tensor.dequantize(), []
    if claims["zero_exact"] and (moved := int(np.count_nonzero(after[values == 0]))):
        found.append(f"claims exact zeros, moved {moved}")
    peak = float(np.abs(values).max(initial=0.0))
    if claims["max_kept"] and not np.isclose(np.abs(after).max(initial=0.0), peak, rtol=1e-12, atol=float(np.finfo(float).tiny)):
        found.append("claims to keep the largest magnitude, lost it")
    return found
