"""Fully connected quantization: a whole dense layer in integers, weights, inputs and bias.

    weights, per output channel i   s_w[i] = max|W_i| / Q,  Q = 2**(b-1) - 1          qW = clip(rint(W / s_w), -Q, Q)
    inputs, affine per tensor       lo, hi over the calibration rows and 0;  s_x = (hi - lo) / (2**bx - 1),  z_x = rint(-lo / s_x)
                                    qx = clip(rint(x / s_x) + z_x, 0, 2**bx - 1)
    bias                            int32 at scale s_w[i] s_x
    layer                           y[i] ~ s_w[i] s_x (sum_j qW_ij (qx_j - z_x) + qb_i)

Stated bound, for inputs inside the calibrated range (`stated_bound`):

    |dy_i| <= sum_j |x_j| s_w[i]/2 + |W_i|_1 s_x/2 + n_in s_w[i] s_x/4 + s_w[i] s_x/2

The products' sum cannot overflow an int32 accumulator where n_in Q (2**bx - 1) < 2**31; a layer where it may is declined, and
so is one where it may with the bias added. A row of zeros takes its scale from its bias. Rounds to nearest, ties to even.
Simulated in part: the sums are exact integers; they are rescaled, and activations other than relu are computed, in float64, where
a device has a fixed-point multiplier and tables. Values outside the calibrated range are clipped, and counted on the holdout.
mode="weight_only" leaves inputs and bias in float64. For dense layers; needs calibration rows for the input range.
Jacob et al. 2018 (CVPR), Nagel et al. 2021 (arXiv:2106.08295).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qaudit import (
    Calibration,
    Claims,
    Decline,
    Grid,
    QType,
    QuantizedTensor,
    Quantizer,
    Refused,
    Setting,
    Subject,
    evaluate,
    hookimpl,
)

Floats = NDArray[np.float64]
CODES = "minimum(maximum(round(w / scale), low), high)"
SCALE = "maximum(peak / high, tiny)"
INPUT_SCALE = "maximum((hi - lo) / high, tiny)"
INPUT_ZERO = "minimum(maximum(round(-lo / scale), low), high)"
TINY = float(np.finfo(float).tiny)


def weights(values: Floats, calibration: Calibration, *, bits: int, input_bits: int, mode: str) -> QuantizedTensor:
    """Quantize the weights (out, in) of a dense layer with one scale per output.

    Raises Decline for other parameters and where the int32 accumulator may overflow, and Refused where a value is not finite.
    """
    if calibration.role != "weight":
        raise Decline(f"quantizes dense layers; {calibration.name} is a {calibration.role} of a tree")
    if not np.isfinite(values).all():
        raise Refused(
            f"{calibration.name}: {int((~np.isfinite(values)).sum())} values are NaN or infinite; expected finite numbers"
        )
    qtype = QType(bits)
    if mode == "full":
        _check_accumulator(values.shape[1], qtype, QType(input_bits, signed=False), calibration.name)
    peak = np.abs(values).max(axis=1, keepdims=True)
    scale = evaluate(SCALE, peak=np.where(peak > 0, peak, qtype.high), high=float(qtype.high), tiny=TINY)
    codes = evaluate(CODES, w=values, scale=scale, low=float(qtype.low), high=float(qtype.high)).astype(np.int32)
    return QuantizedTensor(codes, scale=np.asarray(scale).reshape(-1), qtype=qtype, axis=0, formula=CODES)


def inputs(calibration: Calibration, *, bits: int, input_bits: int, mode: str) -> Grid | None:
    """The grid of the layer's inputs over their range on the calibration rows, extended to zero; None for mode "weight_only".

    Raises Decline without calibration rows or for a range that overflows, and Refused where an input is not finite.
    """
    if mode == "weight_only":
        return None
    if calibration.inputs is None:
        raise Decline(f"the range of the inputs of {calibration.name} needs calibration rows")
    if not np.isfinite(calibration.inputs).all():
        raise Refused(f"inputs of {calibration.name}: NaN or infinite on the calibration rows; expected finite numbers")
    qtype = QType(input_bits, signed=False)
    low, high = float(qtype.low), float(qtype.high)
    lo, hi = float(calibration.inputs.min(initial=0.0)), float(calibration.inputs.max(initial=0.0))
    scale = float(evaluate(INPUT_SCALE, lo=lo, hi=hi if hi > lo else high, high=high, tiny=TINY))
    if not np.isfinite(scale):
        raise Decline(f"the inputs of {calibration.name} are too far apart for a grid")
    return Grid(scale, int(evaluate(INPUT_ZERO, lo=lo, scale=scale, low=low, high=high)), qtype)


def _check_accumulator(n_in: int, weight: QType, inputs: QType, name: str) -> None:
    if n_in * weight.high * inputs.high >= 2**31:
        raise Decline(
            f"{name}: {n_in} inputs x {weight.high} x {inputs.high} = {n_in * weight.high * inputs.high} may overflow the int32 "
            f"accumulator; fewer bits are needed"
        )


def stated_bound(x: Floats, weight: Floats, weight_scale: Floats, input_scale: float) -> Floats:
    """The bound on |dy| of one layer before its activation.

    x (n, in) inside the calibrated range, weight (out, in), weight_scale (out,) -> (n, out).
    """
    n_in = weight.shape[1]
    weight_error = np.abs(x).sum(axis=1)[:, None] * weight_scale / 2
    return np.asarray(
        weight_error
        + np.abs(weight).sum(axis=1) * input_scale / 2
        + n_in * weight_scale * input_scale / 4
        + weight_scale * input_scale / 2
    )


@hookimpl
def qaudit_offer_quantizers(subject: Subject) -> Iterator[Quantizer]:
    """Offer one quantizer: dense layers in integers."""
    yield Quantizer(
        "fully_connected",
        "whole dense layers in integers: weights per output, inputs, 32-bit biases",
        weights,
        settings={
            "bits": Setting((4, 8), allowed=range(2, 17), help="bits of a weight"),
            "input_bits": Setting((8,), allowed=range(2, 17), help="bits of an input; not used by mode='weight_only'"),
            "mode": Setting(("full",), allowed=("full", "weight_only"), help="inputs and biases too, or weights alone"),
        },
        inputs=inputs,
        needs=("calibration",),
        claims=Claims(max_kept=True, idempotent=True),
    )
