"""Findings about the audit itself: the reading proof, skipped parts, and defaults."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from qaudit.core.evidence import Finding
from qaudit.core.numbers import whole
from qaudit.pipeline.stages.find_context import FindingContext
from qaudit.pipeline.stages.find_text import named

FRESH = datetime.timedelta(days=183)
"""A framework's list that is older than this on the day of the audit may have been overtaken."""


def lowering(facts: FindingContext) -> Iterator[Finding]:
    entry = facts.subject.report.get("subject", {}).get("lowering")
    if not entry:
        return
    proved = bool(entry.get("proved"))
    yield Finding("QA-001", entry["statement"], (), "evidence", "note" if proved else "attention")


def unseen(facts: FindingContext) -> Iterator[Finding]:
    rows = [i for i, row in enumerate(facts.evidence) if row.measure == "unseen_categories" and row.value]
    if rows:
        names = ", ".join(f"{named(facts.evidence[i].about.get('feature', ''))} ({whole(facts.value(i))} rows)" for i in rows)
        text = f"The holdout has categories that the model's encoder has not seen in training: {names}."
        yield Finding("QA-013", text, tuple(rows), "evidence", "attention")


def skipped(facts: FindingContext) -> Iterator[Finding]:
    failed = sorted({f"{row.by} ({row.stage})" for row in facts.skipped if row.kind == "failed"})
    declined = sorted({f"{row.by} ({row.stage})" for row in facts.skipped if row.kind == "declined"})
    if failed:
        text = f"{_parts(len(failed))} failed and left no number: {named(', '.join(failed), 600)}."
        yield Finding("QA-014", text, (), "evidence", "attention")
    if declined:
        text = f"{_parts(len(declined))} did not apply here: {named(', '.join(declined), 600)}."
        yield Finding("QA-015", text, (), "evidence")


def _parts(count: int) -> str:
    return f"{count} part of this audit" if count == 1 else f"{count} parts of this audit"


def cutoff(facts: FindingContext) -> Iterator[Finding]:
    entry = facts.subject.report.get("subject", {})
    rule, otherwise = entry.get("decision"), entry.get("decided_otherwise")
    undeclared = facts.subject.decision.output == "binary" and facts.subject.decision.cutoff is None
    if rule and (undeclared or otherwise):
        text = f"No cut-off was declared. {rule}" if undeclared else rule
        yield Finding("QA-016", text, (), "evidence", "attention" if otherwise else "note")


def not_reproducible(facts: FindingContext) -> Iterator[Finding]:
    names = sorted({row.by for row in facts.skipped if "not reproducible" in row.reason})
    if names:
        text = (
            f"Repeated with the same inputs and seed these gave other numbers, and are left out: {named(', '.join(names), 600)}."
        )
        yield Finding("QA-017", text, (), "evidence", "attention")


def overlap(facts: FindingContext) -> Iterator[Finding]:
    for index, row in enumerate(facts.evidence):
        if row.measure == "overlap_rows" and row.value:
            text = f"{whole(row.value)} rows stand in more than one role: {named(row.about['value_of'])}."
            yield Finding("QA-018", text, (index,), "evidence", "attention")


def not_judged(facts: FindingContext) -> Iterator[Finding]:
    if facts.judged is None:
        text = "No candidate is judged: the numbers of the sweep are measured, and no limit is held against them."
        why = f" {facts.choice.row['why']}" if facts.choice is not None else ""
        yield Finding("QA-019", text + why, (), "rules")
    elif facts.one("mean_abs_error", facts.judged) is None:
        text = f"The judged candidate {facts.judged} could not be evaluated; no limit on it is assessed."
        yield Finding("QA-019", text, (), "rules", "attention")


def late_policy(facts: FindingContext) -> Iterator[Finding]:
    """QA-020: the limits were set after the audit."""
    if facts.policy is not None and facts.date is not None and facts.policy.set > facts.date:
        text = f"The policy was set on {facts.policy.set}, after this audit of {facts.date}: its limits did not precede the run."
        yield Finding("QA-020", text, (), "rules", "attention")


def old_lists(facts: FindingContext) -> Iterator[Finding]:
    """QA-021: a list of a framework that is more than half a year old."""
    if facts.date is None:
        return
    day = datetime.date.fromisoformat(facts.date)
    old = [each for each in facts.frameworks if day - datetime.date.fromisoformat(each["dated"]) > FRESH]
    if old:
        names = ", ".join(f"{named(each['id'])} ({each['dated']})" for each in old)
        text = f"These lists of regulatory items are more than six months old on {facts.date}; check them first: {names}."
        yield Finding("QA-021", text, (), "frameworks", "attention")
