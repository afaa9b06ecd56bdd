"""Symmetric uniform quantization.

    s = max|w| / Q,  Q = 2**(b-1) - 1          q = clip(rint(w / s), -Q, Q)          w ~ s * q

Rounds to nearest, ties to even; divides by the scale. The scale is max|w| / Q ("restricted": the largest magnitude is a code),
one a tensor or one an output channel. Zero is exact. An all-zero tensor has scale 1 and codes 0; a scale below the smallest
normal number is raised to it. For weights, thresholds and leaves. No calibration rows.
Krishnamoorthi 2018 (arXiv:1806.08342), Gholami et al. 2021 (arXiv:2103.13630).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit import Calibration, Claims, Decline, QType, QuantizedTensor, Quantizer, Refused, Setting, Subject, evaluate, hookimpl

CODES = "minimum(maximum(round(w / scale), low), high)"
SCALE = "maximum(peak / high, tiny)"


def symmetric(values: NDArray[np.float64], calibration: Calibration, *, bits: int, axis: str) -> QuantizedTensor:
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
    qtype = QType(bits)
    peak = peaks(values, channel_axis)
    scale = evaluate(SCALE, peak=np.where(peak > 0, peak, qtype.high), high=float(qtype.high), tiny=np.finfo(float).tiny)
    codes = evaluate(CODES, w=values, scale=scale, low=float(qtype.low), high=float(qtype.high)).astype(np.int32)
    if channel_axis is None:
        return QuantizedTensor(codes, scale=float(scale), qtype=qtype, formula=CODES)
    return QuantizedTensor(codes, scale=np.asarray(scale).reshape(-1), qtype=qtype, axis=channel_axis, formula=CODES)


def peaks(values: NDArray[np.float64], channel_axis: int | None) -> Any:
    """max|w| of the tensor (0-d), or per index of the axis, shaped to broadcast against the tensor."""
    if channel_axis is None:
        return np.asarray(np.abs(values).max(initial=0.0))
    others = tuple(index for index in range(values.ndim) if index != channel_axis)
    return np.abs(values).max(axis=others, keepdims=True, initial=0.0)


@hookimpl
def qaudit_offer_quantizers(subject: Subject) -> Iterator[Quantizer]:
    """Offer one quantizer: uniform, symmetric about zero."""
    yield Quantizer(
        "symmetric",
        "uniform steps, symmetric about zero, largest magnitude kept",
        symmetric,
        settings={
            "bits": Setting((2, 4, 6, 8), allowed=range(2, 17), help="bits of a code"),
            "axis": Setting(("tensor", "channel"), allowed=("tensor", "channel"), help="one scale a tensor or an output channel"),
        },
        claims=Claims(max_kept=True, idempotent=True),
    )
