"""Pruning quantization: keep the ranges of |w| that matter to the predictions, quantize what is kept.

    edges         e_k = k max|w| / K, k = 0..K; range k = {e_(k-1) <= |w| < e_k}, the last one closed
    contribution  c_k = mean over the calibration rows of |f - f_(-k)|, f_(-k) the model with range k set to zero; no labels
    keep          the smallest set of ranges, largest c first, of cumulative share >= tau; or every c_k > tol where tol is given
    quantize      D = max|kept| / Q, Q = 2**(b-1) - 1;  q = clip(rint(w / D), -Q, Q);  w ~ D q where kept, exactly 0 elsewhere

The range of max|w| is always kept, and tau = 1 keeps every range that holds a weight. Ranges are taken over a tensor, a layer or
the whole model (`scope`); the step is always a tensor's own. The mask costs one bit a weight. A range with e_k <= D/2 rounds to
zero whether it is kept or not ("free"; `free_ranges`), so its contribution speaks of the float model alone. Ranges interact:
`shapley` gives their exact shares over all 2**K sets. For weights of dense layers and leaves of trees; thresholds stay in
float64. Needs calibration rows, never the holdout: selecting on it would bias every later measure.
LeCun, Denker and Solla 1990 (optimal brain damage), Hassibi and Stork 1993, Han et al. 2015 and 2016.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from qaudit import (
    Calibration,
    Claims,
    Decline,
    Program,
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
EDGE = "share * peak"
TINY = float(np.finfo(float).tiny)


def bucket_prune(
    program: Program,
    calibrations: Mapping[str, Calibration],
    *,
    bits: int,
    buckets: int,
    scope: str,
    tau: float,
    tol: float | None,
) -> dict[str, QuantizedTensor]:
    """The quantized weights and leaves with their masks, by parameter.

    Raises Decline where the model has neither weights nor leaves, and Refused where a value is not finite.
    """
    values = {name: p.values for name, p in program.parameters().items() if p.role in ("weight", "leaf")}
    if not values:
        raise Decline("prunes weights of dense layers and leaves of trees; the model has neither")
    for name, array in values.items():
        if not np.isfinite(array).all():
            raise Refused(f"{name}: {int((~np.isfinite(array)).sum())} values are NaN or infinite; expected finite numbers")
    quantized: dict[str, QuantizedTensor] = {}
    for names in _scopes(values, calibrations, scope):
        scope_values = {name: values[name] for name in names}
        range_of = ranges(scope_values, buckets)
        shares = contributions(scope_values, range_of, buckets, calibrations[names[0]])
        kept_ranges = keep(shares, [any((n == k).any() for n in range_of.values()) for k in range(buckets)], tau, tol)
        quantized.update({name: quantize(scope_values[name], kept_ranges[range_of[name]], bits) for name in names})
    return quantized


def _scopes(values: Mapping[str, Floats], calibrations: Mapping[str, Calibration], scope: str) -> list[list[str]]:
    """Groups of parameters that share their ranges: each tensor, each layer, or all of them."""
    if scope == "global":
        return [list(values)]
    if scope == "tensor":
        return [[name] for name in values]
    layers: dict[int, list[str]] = {}
    for name in values:
        layers.setdefault(calibrations[name].layer, []).append(name)
    return list(layers.values())


def ranges(values: Mapping[str, Floats], buckets: int) -> dict[str, NDArray[np.int64]]:
    """The range number (0 to K - 1) of every weight; ranges have equal widths of |w| up to the common maximum."""
    peak = max(float(np.abs(array).max(initial=0.0)) for array in values.values())
    inner = np.asarray(evaluate(EDGE, share=np.arange(1, buckets) / buckets, peak=peak))
    if peak == 0.0:
        return {name: np.full(array.shape, buckets - 1, dtype=np.int64) for name, array in values.items()}
    return {name: np.searchsorted(inner, np.abs(array), side="right").astype(np.int64) for name, array in values.items()}


def contributions(
    values: Mapping[str, Floats], range_of: Mapping[str, NDArray[np.int64]], buckets: int, calibration: Calibration
) -> Floats:
    """The contribution c_k of every range (K,): the mean change of the prediction when its weights are set to zero."""
    shares = np.zeros(buckets)
    for k in range(buckets):
        if any((range_of[name] == k).any() for name in values):
            replaced = {name: np.where(range_of[name] == k, 0.0, array) for name, array in values.items()}
            shares[k] = calibration.effect(replaced, label=f"range {k + 1} of {buckets}")
    return shares


def keep(shares: Floats, occupied: list[bool], tau: float, tol: float | None) -> NDArray[np.bool_]:
    """Which ranges are kept (K,). Of equal contributions the range with the larger weights is taken first."""
    kept = np.zeros(len(shares), dtype=bool)
    kept[-1] = True  # the range of max|w| is always kept
    if tol is not None:
        return np.asarray(kept | (shares > tol))
    if tau == 1.0:
        return np.asarray(kept | np.array(occupied))
    total, cumulative = float(shares.sum()), 0.0
    for k in sorted(range(len(shares)), key=lambda k: (-shares[k], -k)):
        if cumulative >= tau * total:
            break
        kept[k], cumulative = True, cumulative + float(shares[k])
    return kept


def quantize(values: Floats, kept: NDArray[np.bool_], bits: int) -> QuantizedTensor:
    """Symmetric codes of the kept weights; all other weights are masked and become exactly zero."""
    qtype = QType(bits)
    peak = float(np.abs(values[kept]).max(initial=0.0)) or float(qtype.high)
    scale = float(evaluate(SCALE, peak=peak, high=float(qtype.high), tiny=TINY))
    codes = evaluate(CODES, w=np.where(kept, values, 0.0), scale=scale, low=float(qtype.low), high=float(qtype.high))
    mask = None if kept.all() else kept
    return QuantizedTensor(np.asarray(codes).astype(np.int32), scale=scale, qtype=qtype, mask=mask, formula=CODES)


def free_ranges(buckets: int, bits: int) -> int:
    """How many of the lowest ranges round to zero even if they are kept: those with e_k <= max|w| / (2 Q)."""
    return buckets // (2 * QType(bits).high)


def shapley(values: Floats, calibration: Calibration, *, buckets: int = 4) -> Floats:
    """Exact Shapley shares (K,) of the ranges of one tensor in the change that setting all of them to zero makes.

    v(S) = mean |f - f_(-S)|, over all 2**K sets; the shares sum to v(all). Shapley 1953.
    """
    number = ranges({calibration.name: values}, buckets)[calibration.name]
    players = range(buckets)
    worth = {
        frozenset(chosen): calibration.effect(np.where(np.isin(number, chosen), 0.0, values)) if chosen else 0.0
        for size in range(buckets + 1)
        for chosen in combinations(players, size)
    }
    weight = [factorial(size) * factorial(buckets - size - 1) / factorial(buckets) for size in range(buckets)]
    return np.array([sum(weight[len(s)] * (worth[s | {k}] - worth[s]) for s in worth if k not in s) for k in players])


@hookimpl
def qaudit_offer_quantizers(subject: Subject) -> Iterator[Quantizer]:
    """Offer one quantizer: prunes by contribution, then quantizes."""
    yield Quantizer(
        "bucket_prune",
        "discards ranges of weights that hardly move the predictions, quantizes the rest",
        settings={
            "bits": Setting((4, 8), allowed=range(2, 17), help="bits of a code"),
            "buckets": Setting((4,), allowed=range(1, 65), help="ranges of |w|"),
            "scope": Setting(("tensor",), allowed=("tensor", "layer", "global"), help="where the ranges are taken"),
            "tau": Setting(
                (0.9, 0.99), allowed=tuple(i / 1000 for i in range(1, 1001)), help="share of the contribution to keep"
            ),
            "tol": Setting(
                (None,), allowed=(None, *(float(f"{m}e-{e}") for e in range(1, 10) for m in (1, 2, 5))), help="in place of tau"
            ),
        },
        model=bucket_prune,
        needs=("calibration",),
        claims=Claims(max_kept=True),
    )
