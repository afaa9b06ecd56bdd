"""The outcome of an audit for texts that machines pass on: every limit, and every plugin that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qaudit.core.catalogue.verdicts import VERDICTS
from qaudit.core.numbers import NONE
from qaudit.rendering.pages import page_one
from qaudit.rendering.table import EvidenceTable, shown, shown_span
from qaudit.rendering.text import visible

Outcome = Literal["met", "not met", "not known"]
MET = ("within", "near", "no_limit")
"""Verdicts with which an audit may end with exit code 0."""


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit as it is printed: `observed` is the measured value and `interval` its interval, `bound` what is allowed."""

    id: str
    title: str
    bound: str
    observed: str
    interval: str
    verdict: str
    outcome: Outcome
    note: str
    why: str


def limit_lines(facts: EvidenceTable) -> list[LimitLine]:
    """Every limit, in the order of the policy."""
    lines = []
    for each, rule in zip(facts.report.assessments, page_one.rules(facts), strict=True):
        row = facts.at(each.evidence)
        word = VERDICTS[each.verdict]
        outcome: Outcome = "not met" if word.exceeded else "met" if each.verdict in MET else "not known"
        texts = (rule["id"], rule["title"], rule["limit"], shown(row), shown_span(row), word.title)
        lines.append(LimitLine(*texts, outcome, rule["note"], rule["why"]))
    return lines


def failures(facts: EvidenceTable) -> list[tuple[str, str, str]]:
    """Stage, name and reason of everything that failed."""
    return [
        (visible(row.stage, 40), visible(row.by), visible(row.reason, 400))
        for row in facts.report.skipped
        if row.kind == "failed"
    ]


def observed(line: LimitLine) -> str:
    """ "Outside: observed 2.94% (95% interval ...), limit at most 2.00%"."""
    interval = "" if line.interval == NONE else f" ({line.interval})"
    return f"{line.verdict}: observed {line.observed}{interval}, limit {line.bound}"
