"""Dense layers: in float64, or from integer codes whose sums are exact.

A layer accumulates in integers where its inputs have a grid and its weight tensor is `integer_coded`. With zero points taken
off first (q_w - z_w, q_x - z_x; a discarded weight is the integer 0), the accumulator is sum_j (q_w_ij - z_w_i)(q_x_j - z_x),
computed

    in float32  where its `accumulator_bound` is below 2**24,
    in float64  below 2**53,
    in int64    below 2**63:

every partial sum is then a whole number that the type holds, so that the result equals int64's in any order of summation and on
any machine. A bias tensor that is integer at the scale s_w * s_x is added to the accumulator; the sum is multiplied by s_w * s_x
once; any other bias is added after that, in float64 (Jacob et al. 2018, CVPR).

All other layers are float64 products of dequantized values: x_hat = (q_x - z_x) * s_x where there is a grid, else x. Their last
bits depend on the BLAS kernel; row blocks and one BLAS thread keep them the same from run to run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from qaudit.core.steps import Activation, Dense
from qaudit.core.tensor import Floats, Grid, QuantizedTensor

INPUT_CODES = "minimum(maximum(round(x / scale) + zero, low), high)"
"""The formula of the input codes of a layer, as the report prints it. `centred_codes` computes the same bits in place with numpy,
since numexpr is several times slower at round and min on blocks that fit into the cache (benchmarks/README.md)."""

ACTIVATIONS: Mapping[Activation, Callable[[Floats], Floats]] = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "logistic": lambda x: np.asarray(expit(x)),
}

Precision = Literal["float32", "float64", "int64"]


@dataclass(frozen=True, slots=True, eq=False)
class FloatLayer:
    """activation(x @ weight + bias); weight (in, out). Inputs go through `grid` first where there is one."""

    weight: Floats
    bias: Floats
    activation: Activation
    grid: Grid | None = None

    def __call__(self, x: Floats, centred: Floats | None = None) -> Floats:
        """(n, in) -> (n, out). `centred`: q_x - z_x where the caller has it already."""
        if self.grid is not None:
            x = (centred_codes(self.grid, x) if centred is None else centred) * self.grid.scale
        return ACTIVATIONS[self.activation](x @ self.weight + self.bias)


@dataclass(frozen=True, slots=True, eq=False)
class IntegerLayer:
    """activation(acc * scale + bias), acc = (q_x - z_x) @ weight + bias_codes summed exactly.

    weight (in, out) holds q_w - z_w in the type `precision`; bias_codes (out,) int64; scale and bias (out,) float64. One of the
    biases is zero.
    """

    weight: NDArray[Any]
    bias_codes: NDArray[np.int64]
    scale: Floats
    bias: Floats
    activation: Activation
    grid: Grid
    precision: Precision

    def accumulate(self, centred: Floats) -> Floats:
        """The accumulators (n, out) of whole inputs (n, in), each the float64 nearest to the exact sum; a row with NaN is NaN."""
        if self.precision != "int64":
            return np.asarray(centred.astype(self.precision, copy=False) @ self.weight, dtype=np.float64) + self.bias_codes
        missing = np.isnan(centred)
        exact = np.where(missing, 0.0, centred).astype(np.int64) @ self.weight + self.bias_codes
        return np.where(missing.any(axis=1, keepdims=True), np.nan, exact.astype(np.float64))

    def __call__(self, x: Floats, centred: Floats | None = None) -> Floats:
        """(n, in) -> (n, out). `centred`: q_x - z_x where the caller has it already."""
        sums = self.accumulate(centred_codes(self.grid, x) if centred is None else centred)
        return ACTIVATIONS[self.activation](np.asarray(sums * self.scale + self.bias))


Layer = FloatLayer | IntegerLayer


def centred_codes(grid: Grid, x: Floats) -> Floats:
    """q_x - z_x (n, in) as whole float64 numbers; NaN stays NaN."""
    codes = x / grid.scale
    np.rint(codes, out=codes)
    codes += grid.zero_point
    np.clip(codes, grid.qtype.low, grid.qtype.high, out=codes)
    codes -= grid.zero_point
    return codes


def integer_coded(tensor: QuantizedTensor) -> bool:
    """Whether a weight (out, in) is an integer matrix times one scale, or one scale an output.

    It is not where it has an offset, a dither, a table, blocks, or scales along another axis.
    """
    parts = np.ndim(tensor.zero_point) + (1 if isinstance(tensor.scale, QuantizedTensor) else np.ndim(tensor.scale))
    by_output = tensor.block is None and (parts == 0 or (tensor.axis is not None and tensor.axis % tensor.codes.ndim == 0))
    return by_output and tensor.table is None and tensor.dither_seed is None and not np.any(np.asarray(tensor.offset))


def whole_weight(tensor: QuantizedTensor) -> NDArray[np.int64]:
    """q_w - z_w, and 0 where a weight is discarded."""
    zero = np.asarray(tensor.zero_point, dtype=np.int64)
    centred = tensor.codes.astype(np.int64) - (zero[:, np.newaxis] if zero.ndim else zero)
    return centred if tensor.mask is None else np.where(tensor.mask, centred, 0)


def accumulator_bound(weight: NDArray[np.int64], grid: Grid, bias_codes: NDArray[Any] | None = None) -> int:
    """The largest magnitude that any sum of a layer (and any partial sum) can take: max_i sum_j |w_ij| * max|q_x - z_x| + |b_i|.

    weight (out, in) = q_w - z_w. Codes have at most 32 bits, so the row sums fit int64; the rest are Python integers.
    """
    reach = max(abs(grid.qtype.low - grid.zero_point), abs(grid.qtype.high - grid.zero_point))
    rows = np.abs(weight).sum(axis=1).tolist()
    biases = [0] * len(rows) if bias_codes is None else [abs(int(b)) for b in np.asarray(bias_codes).tolist()]
    return max((row * reach + bias for row, bias in zip(rows, biases, strict=True)), default=0)


def precision_for(bound: int) -> Precision:
    """The smallest type in which all whole numbers up to `bound` are exact. Raises ValueError from 2**63."""
    if bound < 2**24:
        return "float32"
    if bound < 2**53:
        return "float64"
    if bound < 2**63:
        return "int64"
    raise ValueError(f"accumulator of {bound.bit_length()} bits: larger than int64")


def layer_of(step: Dense, weight: QuantizedTensor | None, bias: QuantizedTensor | None, grid: Grid | None) -> Layer:
    """A dense step under quantization; None leaves a part in float. Raises ValueError where an accumulator overflows int64."""
    bias_values = step.bias if bias is None else bias.dequantize()
    if grid is None or weight is None or not integer_coded(weight):
        values = step.weight if weight is None else weight.dequantize()
        return FloatLayer(np.ascontiguousarray(values.T, dtype=np.float64), bias_values, step.activation, grid)
    whole = whole_weight(weight)
    scale = np.asarray(weight.scale.dequantize() if isinstance(weight.scale, QuantizedTensor) else weight.scale) * grid.scale
    outputs = len(step.bias)
    scale = np.broadcast_to(np.asarray(scale, dtype=np.float64), (outputs,))
    codes = _bias_codes(bias, scale)
    # the bias joins the products' sums in float64, so a large bias alone does not call for float64 products
    total = accumulator_bound(whole, grid, codes)
    precision = precision_for(total if total >= 2**53 else accumulator_bound(whole, grid))
    return IntegerLayer(
        np.ascontiguousarray(whole.T.astype(precision)),
        np.zeros(outputs, dtype=np.int64) if codes is None else codes.astype(np.int64),
        scale,
        bias_values if codes is None else np.zeros(outputs),
        step.activation,
        grid,
        precision,
    )


def _bias_codes(bias: QuantizedTensor | None, scale: Floats) -> NDArray[Any] | None:
    """The bias as whole numbers in units of the accumulator; None where it is not given at that very scale."""
    if bias is None or not integer_coded(bias) or bias.mask is not None or np.any(np.asarray(bias.zero_point)):
        return None
    return bias.codes if np.array_equal(bias.step(), scale) else None
