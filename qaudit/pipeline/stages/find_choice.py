"""Findings on the choice of the candidate under assessment, and on the rows on which it changed most."""

from __future__ import annotations

from collections.abc import Iterator

from qaudit.core.evidence import Finding
from qaudit.core.numbers import whole
from qaudit.pipeline.stages.find_context import FindingContext
from qaudit.pipeline.stages.find_text import interval, named


def chosen(facts: FindingContext) -> Iterator[Finding]:
    """QA-008: no candidate was named, and one was chosen on training rows."""
    if facts.choice is None or facts.choice.candidate is None:
        return
    row = facts.choice.row
    index = facts.one("size_bytes", facts.choice.candidate.id)
    text = (
        f"No candidate was named. {row['chosen']} was chosen on {whole(row['rows'])} training rows on which no quantizer was "
        f"calibrated; the holdout took no part. {row['why']}"
    )
    yield Finding("QA-008", text, () if index is None else (index,), "precision")


def slice(facts: FindingContext) -> Iterator[Finding]:
    """QA-026: a slice of rows with more changes than the others, measured on rows that were not searched."""
    if facts.slice is None or facts.slice.slice is None:
        return
    about = {"candidate": facts.judged, "against": "reference", "value_of": facts.slice.row["slice"]}
    rows = {row.measure: index for index, row in enumerate(facts.evidence) if dict(row.about) == about}
    for level, difference, what in (
        ("worst_slice_flip_rate", "worst_slice_flip_rate_difference", "decisions change in"),
        ("worst_slice_mean_change", "worst_slice_mean_change_difference", "predictions move by a mean of"),
    ):
        if level not in rows or difference not in rows:
            continue
        apart = facts.evidence[rows[difference]]
        if apart.value is None or apart.interval is None or apart.interval.low <= 0:
            return
        entry = facts.slice.row
        text = (
            f"Where {named(entry['slice'], 300)}, {what} {facts.text(rows[level])} ({interval(facts.evidence[rows[level]])}, "
            f"{whole(entry['rows'])} rows), a difference of {facts.text(rows[difference])} ({interval(apart)}) to the other "
            f"{whole(entry['others'])} rows of {entry['measured_on']}. The slice was searched on {entry['searched_on']} among "
            f"{whole(entry['compared'])} slices and measured once."
        )
        yield Finding("QA-026", text, (rows[level], rows[difference]), "precision", "attention")
