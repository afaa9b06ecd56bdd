"""report.json as types, with which the pipeline writes it and the pages read it. tools/report_docs.py makes the JSON Schema and
docs/report-format.md from them.

A field with a default may be absent. A change of shape that an older reader would misread raises the number of the format; see
qaudit/report/formats.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer, model_validator
from pydantic.dataclasses import dataclass

import qaudit.core.evidence as core
from qaudit.core.catalogue.sections import Anchor
from qaudit.core.catalogue.verdicts import VerdictWord
from qaudit.report.explanations import AnyExplanation
from qaudit.report.field_types import STRICT, About, Count, Day, Digest, Part, Settings, Share, Topic, Where
from qaudit.report.inputs import Audit, Data, Environment, Plugin, Subject

Json = dict[str, Any]


class Tensor(Part):
    """An array of a candidate after quantization."""

    parameter: str
    """Name of the array."""
    role: str
    """Its role in the model."""
    bits: Count
    """Bits of a code."""
    shape: tuple[Count, ...]
    """Its shape."""
    sqnr_db: float | None
    """Signal to quantization noise in decibels; null without noise or without signal."""
    max_abs_error: float | None
    """Largest difference to the float value."""
    saturated: Count | None
    """Values at either end of the codes' range."""
    zeros: Count | None
    """Codes that stand for 0."""
    distinct: Count | None
    """Different codes."""


class Candidate(Part):
    """A quantized form of the model."""

    id: str
    """The quantizer with all its settings."""
    by: str
    """The quantizer."""
    settings: Settings
    """Its settings."""
    formulas: dict[str, str]
    """The formulas that made the codes, and the dequantization formulas, by array or by role."""
    effective_bits: float | None
    """Bits an element, scales and tables included; null where nothing is quantized."""
    size_bytes: Count | None
    """Size of all arrays."""
    explained: bool
    """Whether the explainers ran on it."""
    tensors: tuple[Tensor, ...]
    """Its quantized arrays."""


@dataclass(config=STRICT, frozen=True)
class Interval(core.Interval):
    """An interval as report.json holds it."""


@dataclass(config=STRICT, frozen=True)
class Row(core.Evidence):
    """A row of evidence as report.json holds it."""

    interval: Interval | None
    about: Mapping[About, str]
    topic: Topic
    previous: float | None = None
    """The corresponding value of the earlier report; absent where there is none."""

    def _check_measure(self) -> None:
        """A report that is read may be of another release, whose catalogue is another."""

    @model_serializer(mode="wrap")
    def _without_absent(self, plain: Any) -> Json:
        made: Json = plain(self)
        if self.previous is None:
            del made["previous"]
        return made


@dataclass(config=STRICT, frozen=True)
class Finding(core.Finding):
    """A finding as report.json holds it."""

    code: Annotated[str, Field(pattern=r"^QA-[A-Z0-9]+$")]
    evidence: tuple[Count, ...]
    section: Anchor


@dataclass(config=STRICT, frozen=True)
class Limit(core.Limit):
    """A limit as report.json holds it."""

    where: Mapping[Where, str]


@dataclass(config=STRICT, frozen=True)
class Bound(core.Bound):
    """A deciding end as report.json holds it."""


@dataclass(config=STRICT, frozen=True)
class RowsNeeded(core.RowsNeeded):
    """Numbers of rows as report.json holds them."""


@dataclass(config=STRICT, frozen=True)
class ComparedRow(core.ComparedRow):
    """A row that a limit was compared with as report.json holds it."""

    evidence: Count
    bound: Bound | None = None
    rows_needed: RowsNeeded | None = None


@dataclass(config=STRICT, frozen=True)
class Assessment(core.Assessment):
    """An assessment as report.json holds it."""

    limit: Limit
    evidence: Count | None
    section: Anchor
    bound: Bound | None = None
    rows_needed: RowsNeeded | None = None
    rows: tuple[ComparedRow, ...] = ()


@dataclass(config=STRICT, frozen=True)
class Skipped(core.Skipped):
    """What could not be done as report.json holds it."""


class Item(Part):
    """One item that a framework requires."""

    id: str
    """Its id."""
    ref: str
    """Where in the framework's text it stands."""
    paraphrase: str
    """The requirement in the plugin's words."""
    evidence: str
    """The topic of the evidence for it."""
    also: tuple[str, ...]
    """Further topics."""
    filled_by: Literal["tool", "author", "both"]
    """Who provides the evidence."""
    coverage: Literal["direct", "partial", "none"]
    """How far evidence of these topics covers it."""
    applies_if: str | None
    """Where it applies; null where always."""
    legacy: str | None
    """Its former reference."""
    state: Literal["here", "partial", "not_here"]
    """Whether the evidence is in this report."""
    sections: tuple[Anchor, ...]
    """The sections that show it."""
    author: str | None
    """What the author of the audit wrote on it."""


class States(Part):
    """Items of a framework by state."""

    here: Count
    """Evidence is in this report."""
    partial: Count
    """Part of the evidence is."""
    not_here: Count
    """None is."""


class Framework(Part):
    """An evidence list."""

    id: str
    """The plugin's id."""
    title: str
    """Title of the framework."""
    source: str
    """Where its text is published."""
    status: str
    """Its standing."""
    binding: bool
    """Whether it is law."""
    scope_note: str
    """What the list does not cover."""
    dated: Day
    """The date of its text."""
    counts: States
    """Numbers of items by state."""
    items: tuple[Item, ...]
    """All its items."""


class Policy(Part):
    """The author's limits."""

    name: str
    """Name of the policy."""
    version: str
    """Its version."""
    set: Day
    """The date on which the limits were set."""
    digest: Digest
    """Digest of the policy file."""
    limits: tuple[Limit, ...]
    """The limits in the policy's order."""


class Step(Part):
    """What the author may do next."""

    text: str
    """A sentence."""
    limit: str | None
    """The limit that it follows from."""
    section: Anchor
    """The section that shows why."""


class Moved(Part):
    """A verdict that changed since the earlier report."""

    limit: str
    """Id of the limit."""
    title: str
    """Its title."""
    before: VerdictWord
    """The earlier verdict."""
    after: VerdictWord
    """The verdict of this report."""


class Previous(Part):
    """The comparison with an earlier report."""

    id: str | None
    """Its audit."""
    digest: Digest
    """Digest of its report.json."""
    moved: tuple[Moved, ...]
    """Verdicts that changed."""
    kept: Count
    """Limits whose verdict did not change."""
    inputs: tuple[str, ...]
    """Inputs of the audit that changed, each as a sentence."""


class Compared(Part):
    """One candidate on the rows on which the choice was made."""

    candidate: str
    """Its id."""
    size_bytes: Count
    """Size of its parameters."""
    changed: Count | None
    """Rows with a changed decision; null for a regression, and where it could not be evaluated."""
    score_change: float | None
    """The change of the score that 99 % of the rows keep to; null where it could not be evaluated."""
    holds: bool
    """Whether it is as the rule asks."""
    against: str
    """What is not as the rule asks; empty where nothing is."""


class Choice(Part):
    """How the candidate under assessment was chosen where the author named none."""

    rows: Count
    """Rows on which the candidates were compared; 0 where there were none."""
    how: str
    """Where these rows come from, or why there are none."""
    rule: str
    """The rule as a sentence; empty where nothing was compared."""
    chosen: str | None
    """Id of the candidate that was chosen; null where none was."""
    why: str
    """The reason as a sentence."""
    compared: tuple[Compared, ...]
    """Every candidate on these rows."""
    notes: tuple[str, ...]
    """What the choice does not show, as sentences."""


class Outcome(Part):
    """What belongs to all limits together."""

    not_demonstrable: Literal["fail", "pass"]
    """What a limit does that these rows can neither show to be met nor not to."""
    comparisons: Count
    """Comparisons of a limit with a row of evidence."""
    by_interval: Count
    """How many of them an interval decided."""
    false_outside: Share | None
    """If every limit was just met in truth, the most that the chance of at least one "outside" can be; null where no interval
    decided."""


class WorstSlice(Part):
    """The rows, named by one column or two, on which quantization changed most; its numbers are rows of evidence."""

    slice: str | None
    """Its conditions in words; null where none stands out."""
    searched_on: str
    """The rows on which it was searched."""
    searched: Count
    """How many these are."""
    compared: Count
    """Slices that were compared there."""
    measured_on: str
    """The rows on which it was measured, once."""
    rows: Count
    """How many of these lie in the slice."""
    others: Count
    """How many lie outside."""
    reason: str
    """Why there is none; empty where there is one."""


class Report(Part):
    """The whole of report.json."""

    format: Literal[3]
    """Number of this format."""
    qaudit: str
    """Version that wrote it."""
    audit: Audit
    """The run."""
    subject: Subject
    """The audited model."""
    data: Data
    """The rows that were used."""
    plugins: tuple[Plugin, ...]
    """Every plugin that was found."""
    candidates: tuple[Candidate, ...]
    """Every quantized form that was made."""
    judged: str | None
    """Id of the candidate under assessment, to which limits and page one refer; null where there is none."""
    choice: Choice | None = None
    """How that candidate was chosen; null where the author named it, or where there was nothing to choose from."""
    worst_slice: WorstSlice | None = None
    """The slice of rows on which quantization changed most; null where no candidate is assessed."""
    evidence: tuple[Row, ...]
    """Everything that was measured, one table. Findings and assessments point into it by row number, from 0."""
    explanations: tuple[AnyExplanation, ...]
    """Explanations of the reference and of candidates."""
    findings: tuple[Finding, ...]
    """What follows from the evidence, as sentences."""
    assessments: tuple[Assessment, ...]
    """The limits, each beside its evidence."""
    outcome: Outcome | None = None
    """What belongs to all limits together; absent in reports of older formats."""
    skipped: tuple[Skipped, ...]
    """What could not be done."""
    environment: Environment
    """Software and processor."""
    frameworks: tuple[Framework, ...]
    """Evidence lists of the chosen frameworks."""
    author: dict[str, str]
    """The author's own texts, by evidence field or item."""
    policy: Policy | None
    """The author's limits; null where none were given."""
    next_steps: tuple[Step, ...]
    """What follows for the author from limits that are not met."""
    previous: Previous | None
    """An earlier report beside this one; null where none was given."""

    @model_validator(mode="after")
    def _rows_are_there(self) -> Report:
        named = [(f"findings.{i}", row) for i, each in enumerate(self.findings) for row in each.evidence]
        named += [(f"assessments.{i}", each.evidence) for i, each in enumerate(self.assessments) if each.evidence is not None]
        named += [(f"assessments.{i}.rows", row.evidence) for i, each in enumerate(self.assessments) for row in each.rows]
        for place, row in named:
            if row >= len(self.evidence):
                raise ValueError(f"{place}.evidence: row {row} found, the table of evidence has {len(self.evidence)} rows")
        return self

    def plain(self) -> Json:
        """The report as dictionaries, lists, texts and numbers: what report.json holds."""
        return self.model_dump(mode="json", exclude_unset=True)
