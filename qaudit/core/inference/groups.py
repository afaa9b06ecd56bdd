"""Differences between groups of rows: rates as counts, intervals for independent groups, intersections."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Interval
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.intervals import LEVEL, clopper_pearson, wilson

Rate = Literal["flip_rate", "positive_rate", "tpr", "fpr", "accuracy"]
SMALLEST = 30
"""Fewer rows behind a rate: it keeps its number, is marked, and is never ranked."""


@dataclass(frozen=True, slots=True)
class Count:
    """`hits` of `n` rows."""

    hits: int
    n: int


@dataclass(frozen=True, slots=True)
class GroupRate:
    """A rate in one group: its level, and its difference to all other rows (None where there are none)."""

    group: str
    level: Estimate
    difference: Estimate | None
    small: bool
    """Too few rows behind it to be ranked."""


def rate_counts(truth: NDArray[np.bool_], decided: NDArray[np.bool_]) -> dict[Rate, Count]:
    """Counts behind the rates of one group: truth and decision (n,), True for the positive class."""
    hits = int(np.sum(truth & decided))
    return {
        "positive_rate": Count(int(np.sum(decided)), len(decided)),
        "tpr": Count(hits, int(np.sum(truth))),
        "fpr": Count(int(np.sum(decided)) - hits, int(np.sum(~truth))),
        "accuracy": Count(int(np.sum(truth == decided)), len(truth)),
    }


def newcombe_independent(a: Count, b: Count, level: float = LEVEL) -> Estimate:
    """Share a minus share b of two independent groups (Newcombe 1998, the method of his second paper without correction)."""
    n = a.n + b.n
    if not a.n or not b.n:
        return Estimate(None, None, n, "no rows")
    ends_a, ends_b = (Interval(*wilson(c.hits, c.n, level), level, "wilson") for c in (a, b))
    return difference_of(
        Estimate(a.hits / a.n, ends_a, a.n), Estimate(b.hits / b.n, ends_b, b.n), "newcombe independent (method 10)"
    )


def difference_of(a: Estimate, b: Estimate, method: str = "difference of two intervals") -> Estimate:
    """a minus b of independent estimates from their own intervals (Zou and Donner 2008), such as changes in two groups."""
    n = a.n + b.n
    if a.value is None or b.value is None:
        return Estimate(None, None, n, a.reason or b.reason)
    difference = a.value - b.value
    if a.interval is None or b.interval is None:
        return Estimate(difference, None, n, a.reason or b.reason)
    under = math.hypot(a.value - a.interval.low, b.interval.high - b.value)
    over = math.hypot(a.interval.high - a.value, b.value - b.interval.low)
    level = min(a.interval.level, b.interval.level)
    return Estimate(difference, Interval(difference - under, difference + over, level, method), n)


def group_rates(groups: Mapping[str, Count], smallest: int = SMALLEST) -> tuple[GroupRate, ...]:
    """Each group beside all others, in the order of the mapping; groups do not overlap."""
    hits, rows = sum(c.hits for c in groups.values()), sum(c.n for c in groups.values())
    rates = []
    for name, count in groups.items():
        rest = Count(hits - count.hits, rows - count.n)
        difference = newcombe_independent(count, rest) if count.n and rest.n else None
        rates.append(GroupRate(name, _share(count), difference, count.n < smallest))
    return tuple(rates)


def largest_gap(rates: Sequence[GroupRate]) -> tuple[GroupRate, GroupRate] | None:
    """The groups of the highest and the lowest rate among those that are not small; None where fewer than two are left."""
    ranked = [rate for rate in rates if not rate.small and rate.level.value is not None]
    if len(ranked) < 2:
        return None
    values = [rate.level.value or 0.0 for rate in ranked]
    return ranked[values.index(max(values))], ranked[values.index(min(values))]


def intersections(columns: Mapping[str, NDArray[Any]], depth: int = 2) -> dict[str, NDArray[np.bool_]]:
    """Rows (n,) of each cell of up to `depth` columns of labels (n,) that has rows: "sex=f, region=north" -> mask."""
    cells: dict[str, NDArray[np.bool_]] = {}
    for count in range(1, depth + 1):
        for names in combinations(columns, count):
            stacked = np.column_stack([columns[name].astype(str) for name in names])
            labels, index = np.unique(stacked, axis=0, return_inverse=True)
            for cell, values in enumerate(labels):
                title = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
                cells[title] = index.reshape(-1) == cell
    return cells


def _share(count: Count) -> Estimate:
    if not count.n:
        return Estimate(None, None, 0, "no rows")
    return Estimate(count.hits / count.n, clopper_pearson(count.hits, count.n), count.n)
