"""The input of findings: the final evidence table with functions that look up its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qaudit.core.catalogue.measures import is_signed
from qaudit.core.evidence import Assessment, Evidence, Skipped
from qaudit.core.json_values import Json
from qaudit.core.numbers import one
from qaudit.core.outcome import Outcome, outcome
from qaudit.inputs.policy import Policy
from qaudit.pipeline.types import Candidates, Choice, LoadedSubject, WorstSlice


@dataclass(frozen=True, slots=True, eq=False)
class FindingContext:
    """The final evidence table and all other input of findings."""

    subject: LoadedSubject
    candidates: Candidates
    evidence: Sequence[Evidence]
    judged: str | None
    skipped: Sequence[Skipped]
    policy: Policy | None = None
    frameworks: Sequence[Json] = ()
    date: str | None = None
    choice: Choice | None = None
    assessments: Sequence[Assessment] = ()
    out_of_reach: Sequence[str] = ()
    slice: WorstSlice | None = None

    @property
    def outcome(self) -> Outcome:
        """What belongs to all limits together."""
        return outcome(self.assessments)

    def rows(self, measure: str, candidate: str | None, *extra: str) -> list[int]:
        """Rows of a measure of a candidate whose about has exactly the `extra` keys beside candidate and against."""
        wanted = set(extra)
        return [
            index
            for index, row in enumerate(self.evidence)
            if row.measure == measure
            and row.about.get("candidate") == candidate
            and set(row.about) - {"candidate", "against"} == wanted
        ]

    def one(self, measure: str, candidate: str | None) -> int | None:
        """The row over the whole holdout that has a value."""
        rows = [index for index in self.rows(measure, candidate) if self.evidence[index].value is not None]
        return rows[0] if rows else None

    def value(self, index: int) -> float:
        """The value of a row that has one."""
        value = self.evidence[index].value
        assert value is not None
        return value

    def text(self, index: int) -> str:
        """That value as it is printed."""
        row = self.evidence[index]
        return one(row.value, row.unit, is_signed(row.measure))

    def beside(self, index: int, measure: str) -> int | None:
        """The row of another measure about the same things, that has a value."""
        about = dict(self.evidence[index].about)
        plain = {key: value for key, value in about.items() if key != "against"}
        for other, row in enumerate(self.evidence):
            if row.measure == measure and row.value is not None and dict(row.about) in (about, plain):
                return other
        return None
