"""Weight quantization about the mean, with an optional uniform dither.

    mu = mean(w), sigma = std(w) (population), z = (w - mu) / sigma, M = max|z| (range maxabs) or k (range ksigma)
    step of z: M / Q, Q = 2**(b-1) - 1;  in units of w: D = sigma M / Q, for maxabs D = max|w - mu| / Q (sigma cancels)
    none          q = clip(rint((w - mu) / D), -Q, Q)          w ~ mu + D q             error <= D/2
    stochastic    q = clip(rint((w - mu) / D + u/2), -Q, Q)    w ~ mu + D q             error < D, E = w, variance D**2 f (1 - f)
    subtractive   q as stochastic                              w ~ mu + D (q - u/2)     error <= D/2, E = w, variance D**2 / 12

u ~ U(-1, 1) a weight, drawn again from its seed; u/2 is the dither in units of the step. Rounds to nearest, ties to even. A
constant tensor (or channel) is exact. Zero is not exact: the mean moves it. Range ksigma saturates values beyond k sigma and so
loses the unbiasedness of the dither there. For weights, thresholds and leaves. No calibration rows.
Schuchman 1964 (IEEE Trans. Comm. Tech. 12:162), Lipshitz et al. 1992 (JAES 40:355), Widrow and Kollar 2008,
Gupta et al. 2015 (ICML), Max 1960 (ranges for a Gaussian).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit import (
    Calibration,
    Claims,
    Decline,
    QType,
    QuantizedTensor,
    Quantizer,
    Refused,
    Setting,
    Subject,
    dither,
    evaluate,
    hookimpl,
)

Floats = NDArray[np.float64]
PLAIN = "minimum(maximum(round((w - mu) / step), low), high)"
DITHERED = "minimum(maximum(round((w - mu) / step + draw), low), high)"
MAXABS = "maximum(peak / high, tiny)"
KSIGMA = "maximum(sigma * k / high, tiny)"
TINY = float(np.finfo(float).tiny)


def dithered(
    values: Floats, calibration: Calibration, *, bits: int, range: str, k: float | None, dither: str, axis: str, seed: int
) -> QuantizedTensor:
    """Quantize one parameter. The seed of the random draw is the parameter's own seed plus `seed`.

    Raises Refused where a value is not finite, and Decline where the settings contradict each other or do not fit the parameter.
    """
    _check(values, calibration, range, k, axis)
    values = np.ascontiguousarray(values)  # a mean depends on the order of summation, and that on the order in memory
    channel_axis = calibration.axis if axis == "channel" else None
    qtype = QType(bits)
    mu, spread = centre(values, channel_axis)
    if not np.isfinite(spread).all():
        raise Decline(f"{calibration.name}: its values are too far apart for a range about the mean")
    constant = spread == 0
    step = np.where(constant, 1.0, steps(values, mu, range, k, channel_axis, qtype))
    draw_seed = calibration.seed + seed
    codes = _codes(values, mu, step, qtype, None if dither == "none" else draw_seed)
    return QuantizedTensor(
        np.where(constant, 0, codes).astype(np.int32),
        scale=_shaped(step, channel_axis),
        qtype=qtype,
        offset=_shaped(mu, channel_axis),
        mask=np.broadcast_to(~constant, values.shape).copy() if constant.any() else None,
        dither_seed=draw_seed if dither == "subtractive" else None,
        axis=channel_axis,
        formula=PLAIN if dither == "none" else DITHERED,
    )


def _check(values: Floats, calibration: Calibration, range: str, k: float | None, axis: str) -> None:
    if not np.isfinite(values).all():
        raise Refused(
            f"{calibration.name}: {int((~np.isfinite(values)).sum())} values are NaN or infinite; expected finite numbers"
        )
    if range == "ksigma" and k is None:
        raise Decline("range='ksigma' needs k, for example k=3.0")
    if range == "maxabs" and k is not None:
        raise Decline("k belongs to range='ksigma'")
    if axis == "channel" and calibration.axis is None:
        raise Decline("axis='channel' needs a parameter with an output axis")


def centre(values: Floats, channel_axis: int | None) -> tuple[Floats, Floats]:
    """Mean and range (max - min) of the tensor (0-d), or per index of the axis, shaped to broadcast.

    A constant tensor is recognised by a range of 0 and not by its variance, and its mean is clipped to the constant: in floating
    point the mean of ten values 0.1 is not 0.1.
    """
    others, keep = _others(values, channel_axis), channel_axis is not None
    low = np.asarray(values.min(axis=others, keepdims=keep))
    high = np.asarray(values.max(axis=others, keepdims=keep))
    with np.errstate(over="ignore"):
        mean = np.asarray(values.mean(axis=others, keepdims=keep))
        spread = np.asarray(high - low)
    count = values.size if channel_axis is None else values.size // values.shape[channel_axis]
    large = np.asarray((values / count).sum(axis=others, keepdims=keep))  # used where the sum overflows
    return np.clip(np.where(np.isfinite(mean), mean, large), low, high), spread


def steps(values: Floats, mu: Floats, range: str, k: float | None, channel_axis: int | None, qtype: QType) -> Floats:
    """The step D in the units of the values, for the whole tensor or per index of the axis."""
    others, keep = _others(values, channel_axis), channel_axis is not None
    peak = np.asarray(np.abs(values - mu).max(axis=others, keepdims=keep))
    if range == "maxabs":
        return np.asarray(evaluate(MAXABS, peak=peak, high=float(qtype.high), tiny=TINY))
    unit = np.where(peak > 0, peak, 1.0)  # scaled to 1 so that no square overflows or underflows
    sigma = unit * np.sqrt((((values - mu) / unit) ** 2).mean(axis=others, keepdims=keep))
    return np.asarray(evaluate(KSIGMA, sigma=sigma, k=k, high=float(qtype.high), tiny=TINY))


def _others(values: Floats, channel_axis: int | None) -> tuple[int, ...] | None:
    return None if channel_axis is None else tuple(i for i in range(values.ndim) if i != channel_axis)


def _codes(values: Floats, mu: Floats, step: Floats, qtype: QType, seed: int | None) -> NDArray[np.int32]:
    ends = {"low": float(qtype.low), "high": float(qtype.high)}
    if seed is None:
        codes = evaluate(PLAIN, w=values, mu=mu, step=step, **ends)
    else:
        codes = evaluate(DITHERED, w=values, mu=mu, step=step, draw=dither(seed, values.shape), **ends)
    return np.asarray(codes).astype(np.int32)


def _shaped(numbers: Floats, channel_axis: int | None) -> Any:
    """A float for the whole tensor, or an array with one value per index of the axis."""
    return float(numbers) if channel_axis is None else np.asarray(numbers, dtype=np.float64).reshape(-1)


@hookimpl
def qaudit_offer_quantizers(subject: Subject) -> Iterator[Quantizer]:
    """Offer one quantizer: centred on the mean, with or without a dither."""
    yield Quantizer(
        "dithered",
        "uniform steps about the mean, with an optional random dither",
        dithered,
        settings={
            "bits": Setting((4, 8), allowed=range(2, 17), help="bits of a code"),
            "range": Setting(("maxabs",), allowed=("maxabs", "ksigma"), help="largest distance from the mean, or k deviations"),
            "k": Setting((None,), allowed=(None, *(i / 100 for i in np.arange(50, 1001).tolist())), help="for range='ksigma'"),
            "dither": Setting(("none", "stochastic", "subtractive"), help="no draw; a draw; a draw that is taken off again"),
            "axis": Setting(("tensor",), allowed=("tensor", "channel"), help="one mean and step a tensor or an output channel"),
            "seed": Setting((0,), allowed=range(2**31), help="added to the parameter's own seed"),
        },
        claims=Claims(rounding="none, stochastic or subtractive", zero_exact=False, scale_equivariant="powers of two"),
    )
