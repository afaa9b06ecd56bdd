"""Measures of how predictions changed. A number that cannot be computed is None with a reason, never NaN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Interval
from qaudit.core.inference.intervals import clopper_pearson
from qaudit.core.tensor import Floats

CLIP = float(np.finfo(np.float64).eps)
"""Probabilities are clipped to [CLIP, 1 - CLIP] before a logarithm: 2**-52."""


@dataclass(frozen=True, slots=True)
class Number:
    """A measured value, its interval, the rows behind it; `value` is None where it cannot be assessed and `reason` says why."""

    value: float | None
    interval: Interval | None = None
    n: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Flips:
    """Rows whose decision changed: `fixed` wrong to right, `broken` right to wrong, `other` wrong to another wrong class.

    `right` is the number of rows right before and after, `n` all rows.
    """

    fixed: int
    broken: int
    other: int
    right: int
    n: int

    @property
    def total(self) -> int:
        """All changed rows."""
        return self.fixed + self.broken + self.other


def count_flips(truth: NDArray[Any], before: NDArray[Any], after: NDArray[Any]) -> Flips:
    """Compare decisions (n,) of two models with the truth (n,); the churn of Milani Fard et al. 2016, split."""
    was, now, changed = before == truth, after == truth, before != after
    return Flips(
        fixed=int(np.sum(~was & now)),
        broken=int(np.sum(was & ~now)),
        other=int(np.sum(changed & ~was & ~now)),
        right=int(np.sum(was & now)),
        n=len(truth),
    )


def share(count: int, n: int) -> Number:
    """count / n with its exact interval (Clopper and Pearson 1934)."""
    if n == 0:
        return Number(None, None, 0, "no rows")
    return Number(count / n, clopper_pearson(count, n), n)


def flip_rate(before: NDArray[Any], after: NDArray[Any]) -> Number:
    """Share of rows (n,) whose decision differs, with its exact interval."""
    return share(int(np.sum(before != after)), len(before))


def max_abs_error(before: Floats, after: Floats) -> Number:
    """Largest absolute difference of two arrays of one shape."""
    if before.size == 0:
        return Number(None, None, 0, "no rows")
    return Number(float(np.max(np.abs(before - after))), None, len(before))


def mean_abs_error(before: Floats, after: Floats) -> Number:
    """Mean absolute difference of two arrays of one shape."""
    if before.size == 0:
        return Number(None, None, 0, "no rows")
    return Number(float(np.mean(np.abs(before - after))), None, len(before))


def quantile(values: Floats, q: float) -> Number:
    """The q-quantile of values (n,), linear between order statistics (Hyndman and Fan 1996, type 7)."""
    if values.size == 0:
        return Number(None, None, 0, "no rows")
    return Number(float(np.quantile(values, q)), None, len(values))


def sqnr_db(before: Floats, after: Floats) -> Number:
    """10 log10(sum before^2 / sum (before - after)^2) in dB (Widrow and Kollar 2008)."""
    noise = float(np.sum(np.square(before - after)))
    signal = float(np.sum(np.square(before)))
    if before.size == 0:
        return Number(None, None, 0, "no rows")
    if noise == 0.0:
        return Number(None, None, len(before), "no difference: the ratio has no finite value")
    if signal == 0.0:
        return Number(None, None, len(before), "the signal is zero everywhere")
    return Number(float(10.0 * (np.log10(signal) - np.log10(noise))), None, len(before))


def kl_rows(before: Floats, after: Floats) -> Floats:
    """KL(before || after) of class probabilities (n, k), nats a row (n,).

    Both are clipped to [CLIP, 1] and divided by their row sum first, since quantized leaves need not add up to one
    (Dutta et al. 2024: flips and KL, not accuracy).
    """
    p, q = np.clip(before, CLIP, 1.0), np.clip(after, CLIP, 1.0)
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    # p log(p/q) - p + q has no negative term, so rounding cannot make a divergence negative
    terms = p * (np.log(p) - np.log(q)) - p + q
    return np.asarray(np.maximum(terms, 0.0).sum(axis=1))


def histogram(values: Floats, edges: Floats) -> NDArray[np.int64]:
    """Rows in each bin [edges[i], edges[i+1]), the last closed: counts (bins,). Values outside are counted in the end bins."""
    inside = np.clip(values, edges[0], edges[-1])
    return np.histogram(inside, bins=edges)[0].astype(np.int64)


def change_edges(change: Floats, bins: int = 21) -> Floats:
    """Bin edges (bins + 1,) symmetric around zero that hold every change; a middle bin holds zero."""
    reach = float(np.max(np.abs(change))) if change.size else 0.0
    # an all-zero change still needs bins of some width
    return np.linspace(-(reach or 1e-12), reach or 1e-12, bins + 1)
