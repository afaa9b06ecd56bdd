"""The finding on the choice of the candidate under assessment."""

from __future__ import annotations

from collections.abc import Iterator

from qaudit.core.evidence import Finding
from qaudit.core.numbers import whole
from qaudit.pipeline.stages.find_context import FindingContext


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
