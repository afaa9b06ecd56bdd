"""The outcome of an audit for texts that machines pass on: every limit, and every plugin that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from qaudit.core.assessment_text import compared_text
from qaudit.core.catalogue.verdicts import VERDICTS, ExitCode
from qaudit.rendering.pages import page_one
from qaudit.rendering.table import EvidenceTable, shown_span
from qaudit.rendering.text import sentence, visible

LONGEST = 600
Outcome = Literal["met", "not met", "not known", "permitted"]
OUTCOMES: Mapping[ExitCode, Outcome] = MappingProxyType({0: "met", 1: "not met", 2: "not known"})
"""What a limit's verdict says, by its exit code; permitted: not demonstrable, which the author lets pass."""


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit as it is printed: `observed` is the measured value with the rows behind it, `bound` what is allowed, and
    `sentence` says all of it with the verdict.
    """

    id: str
    title: str
    bound: str
    observed: str
    interval: str
    verdict: str
    outcome: Outcome
    note: str
    why: str
    sentence: str


def limit_lines(facts: EvidenceTable) -> list[LimitLine]:
    """Every limit, in the order of the policy."""
    permitted = facts.report.outcome is not None and facts.report.outcome.not_demonstrable == "pass"
    lines = []
    for each, rule in zip(facts.report.assessments, page_one.rules(facts), strict=True):
        row = facts.at(each.evidence)
        word = VERDICTS[each.verdict]
        observed = rule["observed"] + (f" ({rule['count']})" if rule["count"] else "")
        whole = sentence(compared_text(each.limit, each, row), LONGEST)
        texts = (rule["id"], rule["title"], rule["limit"], observed, shown_span(row), word.title)
        outcome = "permitted" if permitted and each.verdict == "not_demonstrable" else OUTCOMES[word.exit_code]
        lines.append(LimitLine(*texts, outcome, rule["note"], rule["why"], whole))
    return lines


def failures(facts: EvidenceTable) -> list[tuple[str, str, str]]:
    """Stage, name and reason of everything that failed."""
    return [
        (visible(row.stage, 40), visible(row.by), visible(row.reason, 400))
        for row in facts.report.skipped
        if row.kind == "failed"
    ]
