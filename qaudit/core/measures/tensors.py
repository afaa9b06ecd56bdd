"""Compares a quantized tensor with its original values: errors and counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qaudit.core.measures.changes import Number, max_abs_error, sqnr_db
from qaudit.core.tensor import Floats, QuantizedTensor


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """Errors of a quantized tensor, and counts.

    `saturated` elements lie outside the range of the codes, `zeros` elements are exactly 0, `distinct` different codes are used.
    """

    sqnr_db: Number
    max_abs_error: Number
    saturated: int
    zeros: int
    distinct: int


def tensor_facts(values: Floats, tensor: QuantizedTensor) -> TensorFacts:
    """Errors and counts of a tensor against the original `values` of the same shape."""
    after = tensor.dequantize()
    # masked codes are not stored, so they do not count as used
    used = tensor.codes if tensor.mask is None else tensor.codes[tensor.mask]
    return TensorFacts(
        sqnr_db=_scaled_sqnr(values.ravel(), after.ravel()),
        max_abs_error=max_abs_error(values.ravel(), after.ravel()),
        saturated=saturated(values, tensor, after),
        zeros=int(np.count_nonzero(after == 0)),
        distinct=len(np.unique(used)),
    )


def _scaled_sqnr(before: Floats, after: Floats) -> Number:
    """The SQNR of the values scaled to at most 1, so that no square overflows or vanishes. Scaling does not change the ratio."""
    peak = float(np.abs(before).max(initial=0.0))
    _, power = np.frexp(peak)
    return sqnr_db(np.ldexp(before, -int(power)), np.ldexp(after, -int(power)))


def saturated(values: Floats, tensor: QuantizedTensor, after: Floats) -> int:
    """The number of elements with the lowest or highest code that lie more than half a step beyond the value of that code."""
    # the factor allows for rounding errors of float64 at exactly half a step
    half = tensor.step() / 2 * (1 + 1e-9)
    if tensor.table is not None:
        ends = np.sort(np.asarray(tensor.table, dtype=np.float64))[[0, -1]] * tensor.step()[..., np.newaxis]
        return int(np.count_nonzero((values < ends[..., 0]) | (values > ends[..., 1])))
    above = (tensor.codes == tensor.qtype.high) & (values > after + half)
    below = (tensor.codes == tensor.qtype.low) & (values < after - half)
    beyond = (above | below) if tensor.mask is None else (above | below) & tensor.mask
    return int(np.count_nonzero(beyond))


def formula_text(tensor: QuantizedTensor) -> str:
    """The dequantization formula of this tensor as text, without the parts that it does not have."""
    if tensor.table is not None:
        return "values = scale * table[codes]"
    parts = ["codes"]
    if np.any(np.asarray(tensor.zero_point)):
        parts.append("zero_point")
    if tensor.dither_seed is not None:
        parts.append("dither")
    centred = f"({' - '.join(parts)})" if len(parts) > 1 else "codes"
    kept = f"{centred} * scale" if tensor.mask is None else f"where(mask, {centred} * scale, 0)"
    return f"values = offset + {kept}" if np.any(np.asarray(tensor.offset)) else f"values = {kept}"
