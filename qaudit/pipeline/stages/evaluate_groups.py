"""Evidence of differences between declared groups, and of the cells in which two group columns meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Skipped
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.groups import SMALLEST
from qaudit.core.measures.changes import Number
from qaudit.core.measures.group_gaps import TOO_FEW, Mask, Rate, against_others, largest_gap, level_of
from qaudit.core.measures.rows import SMALL, label, marked
from qaudit.core.measures.units import Units

MOST_VALUES = 50
"""A declared group column with more distinct values is skipped, since it does not define groups."""
MOST_CELLS = 40
"""Cells of two columns, the largest first."""
Row = tuple[str, dict[str, str], Number]
"""Measure, what it is about beside the candidate, and number."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupColumns:
    """Rows (m,) of every value of every group column, "column=value", in sorted order: by column, and the cells of two."""

    columns: Mapping[str, Mapping[str, NDArray[np.int64]]]
    cells: Mapping[str, NDArray[np.int64]]
    n: int

    @property
    def groups(self) -> dict[str, NDArray[np.int64]]:
        """The rows of all groups of single columns."""
        return {name: rows for groups in self.columns.values() for name, rows in groups.items()}


def group_columns(declared: Mapping[str, NDArray[Any]], n: int) -> tuple[GroupColumns, list[Skipped]]:
    """The groups of declared columns, and what is not taken as groups."""
    columns: dict[str, dict[str, NDArray[np.int64]]] = {}
    skipped: list[Skipped] = []
    for column in sorted(declared):
        labels = np.array([label(value) for value in declared[column]], dtype=object)
        values = sorted(set(labels.tolist()))
        if len(values) > MOST_VALUES:
            reason = f"group column has {len(values)} distinct values in {n} rows; at most {MOST_VALUES} are taken as groups"
            skipped.append(Skipped("evaluate", column, reason, "declined"))
            continue
        columns[column] = {f"{column}={value}": np.flatnonzero(labels == value) for value in values}
    cells: dict[str, NDArray[np.int64]] = {}
    for first, second in combinations(columns, 2):
        met = _met(columns[first], columns[second], n)
        large = {name: rows for name, rows in met.items() if len(rows) >= SMALLEST}
        kept = sorted(large, key=lambda name: (-len(large[name]), name))[:MOST_CELLS]
        cells |= {name: large[name] for name in kept}
        if len(kept) < len(met):
            reason = f"{len(kept)} of {len(met)} cells are measured: the largest of those with at least {SMALLEST} rows"
            skipped.append(Skipped("evaluate", f"{first} with {second}", reason, "declined"))
    return GroupColumns(columns, cells, n), skipped


def group_rows(rates: list[Rate], groups: GroupColumns, units: Units, cells: bool) -> Iterator[Row]:
    """Each group against all others, the largest gap of each column with its change, and the `cells` of two columns."""
    everything = {name: _mask(rows, groups.n) for name, rows in groups.groups.items()}
    for rate in rates:
        for column, values in groups.columns.items():
            members = {name: everything[name] for name in values}
            if len(members) < 2:
                continue
            for name, apart in against_others(rate, members, units):
                yield f"{rate.name}_difference", {"group": name}, _marked(apart, rate, ~members[name])
            yield from _gap(rate, column, members, units)
        for name, rows in groups.cells.items() if cells else ():
            member = _mask(rows, groups.n)
            yield rate.name, {"intersection": name}, marked(_number(level_of(rate, member, units)))
            for _, apart in against_others(rate, {name: member}, units):
                yield f"{rate.name}_difference", {"intersection": name}, _marked(apart, rate, ~member)


def _gap(rate: Rate, column: str, members: Mapping[str, Mask], units: Units) -> Iterator[Row]:
    gap = largest_gap(rate, members, units)
    if gap is None:
        yield f"{rate.name}_gap", {"group": column}, Number(None, None, None, TOO_FEW)
        return
    about = {"group": column, "value_of": f"{gap.highest} over {gap.lowest}"}
    yield f"{rate.name}_gap", about, _number(gap.difference)
    if gap.change is not None:
        yield f"{rate.name}_gap_change", {**about, "against": "reference"}, _number(gap.change)


def _marked(estimate: Estimate, rate: Rate, others: Mask) -> Number:
    number = marked(_number(estimate))
    if rate.size(others) >= SMALL or number.value is None:
        return number
    reason = f"few other rows: n < {SMALL}" + (f"; {number.reason}" if number.reason else "")
    return Number(number.value, number.interval, number.n, reason)


def _number(estimate: Estimate) -> Number:
    return Number(estimate.value, estimate.interval, estimate.n, estimate.reason)


def _mask(rows: NDArray[np.int64], n: int) -> Mask:
    mask = np.zeros(n, dtype=bool)
    mask[rows] = True
    return mask


def _met(first: Mapping[str, NDArray[np.int64]], second: Mapping[str, NDArray[np.int64]], n: int) -> dict[str, NDArray[np.int64]]:
    """Rows of each cell of two columns that has rows."""
    numbers = []
    for groups in (first, second):
        number = np.empty(n, dtype=np.int64)
        for place, rows in enumerate(groups.values()):
            number[rows] = place
        numbers.append(number)
    both = numbers[0] * len(second) + numbers[1]
    names = [f"{a}, {b}" for a in first for b in second]
    return {names[cell]: np.flatnonzero(both == cell) for cell in np.unique(both).tolist()}
