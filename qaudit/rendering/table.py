"""Reading a report: the evidence table by measure and by what a row is about."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from qaudit.core.catalogue.measures import MEASURES, is_signed
from qaudit.core.numbers import NONE, column, one, span
from qaudit.rendering.text import visible
from qaudit.report.inputs import DeclaredMeasure
from qaudit.report.model import Candidate, Limit, Report, Row


def title(measure: str) -> str:
    """The printed name of a measure."""
    known = MEASURES.get(measure)
    return known.title if known else visible(measure.replace("_", " ").capitalize())


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """A report with functions that look up rows of its evidence."""

    report: Report
    _by_measure: dict[str, list[Row]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for row in self.evidence:
            self._by_measure.setdefault(row.measure, []).append(row)

    @property
    def judged(self) -> str | None:
        """The id of the candidate under assessment."""
        return self.report.judged

    @property
    def judged_candidate(self) -> Candidate | None:
        """The candidate under assessment; None where there is none."""
        return next((each for each in self.report.candidates if each.id == self.judged), None)

    @property
    def declared(self) -> dict[str, DeclaredMeasure]:
        """The measures that plugins declared, by name."""
        return {measure.name: measure for plugin in self.report.plugins for measure in plugin.measures}

    def title(self, measure: str) -> str:
        """The name of a measure in print, those of plugins included."""
        own = self.declared.get(measure)
        return title(measure) if own is None else visible(own.title)

    @property
    def evidence(self) -> tuple[Row, ...]:
        """The whole table."""
        return self.report.evidence

    def rows(self, measure: str, **about: str | None) -> list[Row]:
        """Rows of a measure. A key given as None must be absent; a key not given may be anything."""
        named = self._by_measure.get(measure, ())
        return [row for row in named if all(row.about.get(key) == value for key, value in about.items())]

    def whole(self, measure: str, candidate: str | None) -> Row | None:
        """The row over all holdout rows of a candidate, which is about the candidate alone or about it against the reference."""
        if candidate is None:
            return None
        over_all_rows = [
            row
            for row in self.rows(measure, candidate=candidate)
            if set(row.about) <= {"candidate", "against"} and row.about.get("against") in (None, "reference")
        ]
        return min(over_all_rows, key=lambda row: len(row.about), default=None)

    def at(self, index: int | None) -> Row | None:
        """Row number `index` of the table; None for None."""
        return None if index is None else self.evidence[index]


def interval(row: Row | None) -> tuple[float | None, float | None]:
    """The ends of a row's interval."""
    return (None, None) if row is None or row.interval is None else (row.interval.low, row.interval.high)


def value(row: Row | None) -> float | None:
    """The value of a row."""
    return None if row is None else row.value


def shown(row: Row | None) -> str:
    """Value with its unit, or a dash."""
    return NONE if row is None else one(row.value, row.unit, signed(row))


def shown_span(row: Row | None) -> str:
    """Interval of a row as "a to b"."""
    return NONE if row is None else span(*interval(row), row.unit, signed(row))


def unit_of(rows: Iterable[Row | None]) -> str:
    """The unit of rows of one measure; empty where there is no row."""
    return next((row.unit for row in rows if row is not None), "")


def signed(of: Row | Limit) -> bool:
    """Whether a measure is a change, which is printed with its sign."""
    return is_signed(of.measure)


def where_text(about: Mapping[str, str]) -> str:
    """ "group afam=yes, explainer permutation": what a row is about beside the candidate."""
    return ", ".join(
        f"{key.replace('_', ' ')} {visible(text if key == 'group' else text.replace('_', ' '), 40)}"
        for key, text in sorted(about.items())
        if key not in ("candidate", "against")
    )


NUMBER = re.compile(r"(?<![\d.])[-+]?(?:inf|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)")


def bin_edges(text: str) -> tuple[float, float] | None:
    """The two ends in the text of a bin: "0.01 to 0.02", "[0.01, 0.02)", "0.01..0.02"."""
    ends = [float(t) for t in NUMBER.findall(text.replace("..", " ").replace("\u2212", "-"))]
    return (ends[0], ends[1]) if len(ends) == 2 and ends[0] <= ends[1] and not math.isnan(ends[0]) else None


def same_decimals(rows: Sequence[Row | None], sign: bool = False) -> list[str]:
    """Values of rows of one measure, decimals aligned."""
    return column([value(row) for row in rows], unit_of(rows), sign)


def spans(rows: Sequence[Row | None]) -> list[str]:
    """Intervals of rows of one measure as "a to b", decimals aligned down the column."""
    ends = [interval(row) for row in rows]
    cells = column([end for pair in ends for end in pair], unit_of(rows))
    return [
        NONE if low is None or high is None else f"{a} to {b}"
        for (low, high), a, b in zip(ends, cells[::2], cells[1::2], strict=True)
    ]
