"""The slice of rows on which an outcome is worst: searched on one half of some rows, confirmed once on others.

A slice is one condition or two on different columns: a column has a value, or a number lies in one of the ranges between
quantiles of the searched rows. The search looks at many slices, so the excess of the best of them is partly luck: it is never
reported as a result. What is reported is measured once, on rows that the search has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.inference.estimate import Estimate, exact_mean
from qaudit.core.inference.groups import difference_of
from qaudit.core.inference.intervals import clopper_pearson
from qaudit.core.inference.means import difference_of_means, mean_interval
from qaudit.core.inference.weighted_sums import exact_halves, exponents
from qaudit.core.tensor import Floats

RANGES = 4
"""A column of numbers with more values than VALUES is cut at its quartiles."""
VALUES = 12
"""Values of a column that are looked at; texts beyond the most frequent ones are left out."""
SMALLEST = 30
JOINED = 30
"""Columns that are joined to pairs: of more the ones whose own conditions stand out most, so that the time stays bounded."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One column: equal to `value`, or above `low` and at most `high`, or missing where all three are None."""

    column: str
    value: str | float | None = None
    low: float | None = None
    high: float | None = None

    def rows(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Which rows (n,) meet it."""
        values = columns[self.column]
        lost = missing(values)
        if self.low is not None and self.high is not None:
            with np.errstate(invalid="ignore"):
                return np.asarray(~lost & (values > self.low) & (values <= self.high))
        if self.value is None:
            return lost
        return np.asarray(~lost & (values == self.value), dtype=bool)

    def text(self) -> str:
        """Such as "purpose = car", "3 < age <= 7", "income missing"."""
        if self.low is None or self.high is None:
            return f"{self.column} missing" if self.value is None else f"{self.column} = {_shown(self.value)}"
        if self.low == -math.inf:
            return f"{self.column} <= {_shown(self.high)}"
        if self.high == math.inf:
            return f"{self.column} > {_shown(self.low)}"
        return f"{_shown(self.low)} < {self.column} <= {_shown(self.high)}"


@dataclass(frozen=True, slots=True)
class Slice:
    """The slice that stood out most among `compared` slices of the searched rows."""

    conditions: tuple[Condition, ...]
    compared: int
    """Slices of at least the smallest size that were compared."""
    searched: int
    """Rows that were searched."""

    def rows(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Which rows (n,) belong to it."""
        return np.asarray(np.logical_and.reduce([condition.rows(columns) for condition in self.conditions]))

    def text(self) -> str:
        """Its conditions in words."""
        return " and ".join(condition.text() for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The slice on other rows: its level, and its difference to the rows outside it."""

    level: Estimate
    difference: Estimate


def search_worst_slice(
    columns: Mapping[str, NDArray[Any]], outcome: Floats, *, smallest: int = SMALLEST, depth: int = 2, joined: int = JOINED
) -> Slice | None:
    """The slice whose mean outcome (n,) exceeds that of the other rows most, in standard errors; None where none exceeds it.

    Ties: fewer conditions, then names and values in order. Columns (n,): numbers with NaN, or objects (str or None).
    """
    if not len(outcome):
        return None
    codes = {name: _coded(name, columns[name]) for name in sorted(columns)}
    best: tuple[float, tuple[Condition, ...]] | None = None
    compared = 0
    alone: dict[str, float] = {}
    # the sets of one column come first, and those of more are made when all of these are scored
    for names in (
        names for count in range(1, depth + 1) for names in combinations(_standing_out(codes, alone, count, joined), count)
    ):
        index, shape = _joint([codes[name] for name in names])
        scores = _scores(index, shape, outcome, smallest)
        compared += int(np.sum(np.isfinite(scores)))
        place = int(np.argmax(scores))
        if len(names) == 1:
            alone[names[0]] = float(scores[place])
        if scores[place] > 0 and (best is None or scores[place] > best[0]):
            cells = np.unravel_index(place, shape)
            best = float(scores[place]), tuple(codes[n].conditions[int(c)] for n, c in zip(names, cells, strict=True))
    return None if best is None else Slice(best[1], compared, len(outcome))


def confirm_slice(worst: Slice, columns: Mapping[str, NDArray[Any]], outcome: Floats) -> Confirmed:
    """The slice on rows that were not searched: shares for an outcome (n,) of 0 and 1, else means."""
    inside = worst.rows(columns)
    a, b = outcome[inside], outcome[~inside]
    if not np.isin(outcome, (0.0, 1.0)).all():
        return Confirmed(mean_interval(a), difference_of_means(a, b))
    level, rest = _share(a), _share(b)
    # Newcombe's interval lies above 0 in 5 % of the samples without any worse slice where a slice has few rows and few hits
    return Confirmed(level, difference_of(level, rest, "difference of two exact intervals"))


def _share(hits: Floats) -> Estimate:
    n, count = len(hits), int(np.sum(hits))
    return Estimate(count / n, clopper_pearson(count, n), n) if n else Estimate(None, None, 0, "no rows")


def missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which cells (n,) are missing: NaN or None."""
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    return np.array([value is None or value != value for value in values.tolist()], dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """A column as numbers (n,) of its conditions; the last number stands for cells that no condition meets."""

    codes: NDArray[np.int64]
    conditions: tuple[Condition, ...]


def _standing_out(codes: Mapping[str, _Coded], alone: Mapping[str, float], count: int, joined: int) -> list[str]:
    """The columns, in the order of their names, of which sets of `count` are looked at."""
    if count == 1 or len(codes) <= joined:
        return list(codes)
    ranked = sorted(codes, key=lambda name: (-alone[name], name))
    return sorted(ranked[:joined])


def _coded(name: str, values: NDArray[Any]) -> _Coded:
    lost = missing(values)
    kept = values[~lost]
    distinct, counts = np.unique(kept.astype(str) if kept.dtype.kind == "O" else kept, return_counts=True)
    if kept.dtype.kind != "O" and len(distinct) > VALUES:
        conditions = _ranges(name, kept)
    else:
        frequent = np.sort(np.argsort(-counts, kind="stable")[:VALUES])
        conditions = [Condition(name, value=value) for value in distinct[frequent].tolist()]
    if lost.any():
        conditions.append(Condition(name))
    codes = np.full(len(values), len(conditions))
    for number, condition in enumerate(conditions):
        codes[condition.rows({name: values})] = number
    return _Coded(codes, tuple(conditions))


def _ranges(name: str, values: NDArray[Any]) -> list[Condition]:
    # an observed value as each end, so that no rounding decides
    cuts = np.unique(np.quantile(values, np.arange(1, RANGES) / RANGES, method="inverted_cdf")).tolist()
    ends = [-math.inf, *cuts, math.inf]
    return [Condition(name, low=low, high=high) for low, high in pairwise(ends)]


def _joint(parts: list[_Coded]) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    shape = tuple(len(part.conditions) + 1 for part in parts)
    return np.ravel_multi_index(tuple(part.codes for part in parts), shape), shape


def _scores(index: NDArray[np.int64], shape: tuple[int, ...], outcome: Floats, smallest: int) -> Floats:
    """Excess of each cell's mean over that of the other rows in standard errors (cells,); -inf where small or no slice."""
    cells = int(np.prod(shape))
    counts = np.bincount(index, minlength=cells).astype(np.float64)
    sums = _exact_sums(index, cells, outcome)
    rest = len(outcome) - counts
    # one spread for all cells: a cell without a case, or of cases only, has none of its own
    mean = exact_mean(outcome)
    spread = math.sqrt(exact_mean(np.square(outcome - mean)))
    with np.errstate(all="ignore"):
        excess = sums / counts - (mean * len(outcome) - sums) / rest
        scores = excess / (spread * np.sqrt(1.0 / counts + 1.0 / rest))
    sliced = np.ones(shape, dtype=bool)
    for axis, size in enumerate(shape):
        sliced[(slice(None),) * axis + (size - 1,)] = False  # cells that no condition meets
    large = (counts >= smallest) & (rest >= smallest) & sliced.ravel()
    return np.where(large & np.isfinite(scores), scores, -np.inf)


def _exact_sums(index: NDArray[np.int64], cells: int, outcome: Floats) -> Floats:
    """Sums by cell with the same bits in any order of rows, so that no tie depends on it."""
    powers = exponents(outcome[:, None])
    high, low = exact_halves(outcome[:, None], powers).T
    whole = np.bincount(index, high, cells) * 2.0**26 + np.bincount(index, low, cells)
    return np.asarray(np.ldexp(whole, powers[0] - 52))


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
