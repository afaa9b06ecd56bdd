"""How many rows would settle a limit, and which limits these rows cannot settle whatever is measured on them.

Let the share, the mean or the spread that was observed stay as it is while rows are added: intervals then shrink, so "settled
with n rows" is false up to some n and true from there on. `smallest` relies on that: it doubles n until settled, then halves
the bracket. Counts are not rounded for that purpose (17.3 of 865 rows), since rounding alone would make the answer jump back
and forth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from qaudit.core.inference.intervals import LEVEL
from qaudit.core.inference.many_counts import clopper_pearson_ends, wilson_ends

MOST = 10**12
"""More rows than this are no answer."""


def smallest(settled: Callable[[int], bool], start: int = 1) -> int | None:
    """The smallest n >= start with settled(n), for a condition that stays true once it is; None above MOST."""
    high = start
    while not settled(high):
        high *= 2
        if high > MOST:
            return None
    low = start - 1 if high == start else high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settled(middle) else (middle, high)
    return high


def rows_for_share(share: float, limit: float, level: float = LEVEL) -> int | None:
    """Rows with which the exact interval of a share that stays as observed would leave the limit out, on the share's side of it.

    With share 0: how many rows without a case show "at most limit". None where the share is the limit.
    """
    if share == limit:
        return None
    if share < limit:
        return smallest(lambda n: float(clopper_pearson_ends(_of(share, n), np.array(n), level)[1]) <= limit)
    return smallest(lambda n: float(clopper_pearson_ends(_of(share, n), np.array(n), level)[0]) > limit)


def rows_for_paired_change(fixed: float, broken: float, before: float, limit: float, level: float = LEVEL) -> int | None:
    """Rows for a paired change of a share: shares fixed and broken, the share before; limit on the change, on its side of it."""
    change = fixed - broken
    if change == limit:
        return None
    end = 0 if change > limit else 1

    def settled(n: int) -> bool:
        reached = newcombe_ends(fixed, broken, before, n, level)[end]
        return reached >= limit if end == 0 else reached <= limit

    return smallest(settled)


def rows_for_mean(mean: float, deviation: float, limit: float, level: float = LEVEL) -> int | None:
    """Rows with which Student's interval of a mean with this standard deviation of rows would leave the limit out."""
    if mean == limit:
        return None
    return smallest(lambda n: deviation / math.sqrt(n) * float(stdtrit(n - 1, 0.5 + level / 2)) <= abs(limit - mean), 2)


def rows_by_width(half: float, n: int, distance: float) -> int | None:
    """Rows for any other interval, whose half width of `half` with n rows shrinks as 1 / sqrt(rows), to come to `distance`."""
    if distance <= 0.0:
        return None
    rows = math.ceil(n * (half / distance) ** 2)
    return rows if rows <= MOST else None


def newcombe_ends(fixed: float, broken: float, before: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Ends of the interval of a paired change (`newcombe_paired`) for shares of n rows, whose counts need not be whole."""
    after = before - broken + fixed
    (low_a, low_b), (high_a, high_b) = wilson_ends(np.array([after * n, before * n]), np.array([n, n]), level)
    down_a, up_a, down_b, up_b = after - low_a, high_a - after, before - low_b, high_b - before
    spread = math.sqrt(max(0.0, after * (1 - after) * before * (1 - before)))
    top = (before - broken) * (1 - before - fixed) - broken * fixed
    phi = 0.0 if spread == 0.0 else (top if top <= 0 else max(top - 0.5 / n, 0.0)) / spread
    change = fixed - broken
    under = math.sqrt(max(0.0, down_a**2 - 2 * phi * down_a * up_b + up_b**2))
    over = math.sqrt(max(0.0, up_a**2 - 2 * phi * up_a * down_b + down_b**2))
    return max(-1.0, change - under), min(1.0, change + over)


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A limit that n rows cannot show to be kept even if no decision changes; `end` is the end of the interval in that case.

    `needed`: the rows that would do, None where no number does.
    """

    end: float
    needed: int | None


def share_out_of_reach(at_most: float, n: int, level: float = LEVEL) -> OutOfReach | None:
    """Whether "a share of at most so much" cannot be shown with n rows, not even without a single case; None where it can."""
    end = 1.0 if n == 0 else float(clopper_pearson_ends(np.array(0), np.array(n), level)[1])
    if end <= at_most:
        return None
    return OutOfReach(end, rows_for_share(0.0, at_most, level) if at_most > 0.0 else None)


def change_out_of_reach(at_least: float, before: float, n: int, level: float = LEVEL) -> OutOfReach | None:
    """Whether "a share falls by no more than so much" (at_least < 0) cannot be shown with n rows even if no decision changes.

    `before` is the share of the reference, for example its accuracy.
    """
    end = -1.0 if n == 0 else newcombe_ends(0.0, 0.0, before, n, level)[0]
    if end >= at_least:
        return None
    return OutOfReach(end, rows_for_paired_change(0.0, 0.0, before, at_least, level) if at_least < 0.0 else None)


def _of(share: float, n: int) -> np.ndarray[tuple[()], np.dtype[np.float64]]:
    return np.array(share * n)
