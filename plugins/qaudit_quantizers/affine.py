"""Affine (asymmetric) uniform quantization with a zero point.

    lo = min(w, 0), hi = max(w, 0)      s = (hi - lo) / (2**b - 1)      z = clip(rint(-lo / s), 0, 2**b - 1)
    q = clip(rint(w / s) + z, 0, 2**b - 1)                              w ~ s * (q - z)

Rounds to nearest, ties to even; divides by the scale. The range always includes 0, so that zero is exact; the zero point is an
integer inside the range. An all-zero tensor has scale 1, zero point 0 and codes 0; a scale below the smallest normal number is
raised to it; where hi - lo overflows, hi / (2**b - 1) - lo / (2**b - 1) is taken. One scale a tensor or an output channel.
For weights, thresholds and leaves. No calibration rows.
Jacob et al. 2018 (CVPR), Krishnamoorthi 2018 (arXiv:1806.08342).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit import Calibration, Claims, Decline, QType, QuantizedTensor, Quantizer, Refused, Setting, Subject, evaluate, hookimpl

CODES = "minimum(maximum(round(w / scale) + zero_point, low), high)"
ZERO_POINT = "minimum(maximum(round(-lo / scale), low), high)"
SCALE = "maximum((hi - lo) / high, tiny)"
WIDE_SCALE = "maximum(hi / high - lo / high, tiny)"


def affine(values: NDArray[np.float64], calibration: Calibration, *, bits: int, axis: str) -> QuantizedTensor:
    """Quantize one parameter.

    Raises Refused where a value is not finite, and Decline where `axis` is "channel" and the parameter has no output axis.
    """
    if not np.isfinite(values).all():
        raise Refused(
            f"{calibration.name}: {int((~np.isfinite(values)).sum())} values are NaN or infinite; expected finite numbers"
        )
    channel_axis = calibration.axis if axis == "channel" else None
    if axis == "channel" and channel_axis is None:
        raise Decline("axis='channel' needs a parameter with an output axis")
    qtype = QType(bits, signed=False)
    ends = {"low": float(qtype.low), "high": float(qtype.high)}
    scale, zero_point = grid(values, channel_axis, ends)
    codes = evaluate(CODES, w=values, scale=scale, zero_point=zero_point, **ends).astype(np.int32)
    if channel_axis is None:
        return QuantizedTensor(codes, scale=float(scale), qtype=qtype, zero_point=int(zero_point), formula=CODES)
    zeros = np.asarray(zero_point).reshape(-1).astype(np.int32)
    return QuantizedTensor(
        codes, scale=np.asarray(scale).reshape(-1), qtype=qtype, zero_point=zeros, axis=channel_axis, formula=CODES
    )


def grid(values: NDArray[np.float64], channel_axis: int | None, ends: dict[str, float]) -> tuple[Any, Any]:
    """Scale and zero point (floats without a fraction) of the tensor (0-d), or per index of the axis, shaped to broadcast."""
    others = None if channel_axis is None else tuple(index for index in range(values.ndim) if index != channel_axis)
    lo = np.asarray(values.min(axis=others, keepdims=channel_axis is not None, initial=0.0))
    hi = np.asarray(values.max(axis=others, keepdims=channel_axis is not None, initial=0.0))
    hi = np.where(hi == lo, ends["high"], hi)  # an all-zero tensor then has the scale 1
    with np.errstate(over="ignore"):
        overflows = not np.isfinite(hi - lo).all()
    scale = evaluate(WIDE_SCALE if overflows else SCALE, hi=hi, lo=lo, high=ends["high"], tiny=np.finfo(float).tiny)
    return scale, evaluate(ZERO_POINT, lo=lo, scale=scale, **ends)


@hookimpl
def qaudit_offer_quantizers(subject: Subject) -> Iterator[Quantizer]:
    """Offer one quantizer: uniform, with a zero point."""
    yield Quantizer(
        "affine",
        "uniform steps over the observed range, with a zero point",
        affine,
        settings={
            "bits": Setting((2, 4, 6, 8), allowed=range(2, 17), help="bits of a code"),
            "axis": Setting(("tensor", "channel"), allowed=("tensor", "channel"), help="one scale a tensor or an output channel"),
        },
        claims=Claims(idempotent=True),
    )
