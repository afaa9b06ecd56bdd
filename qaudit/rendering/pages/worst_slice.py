"""The slice of rows on which quantization changed most."""

from __future__ import annotations

from qaudit.core.json_values import Json
from qaudit.rendering.table import EvidenceTable, shown, shown_span, title
from qaudit.rendering.text import sentence, visible

MEASURES = (
    "worst_slice_flip_rate", "worst_slice_flip_rate_difference", "worst_slice_mean_change", "worst_slice_mean_change_difference",
)  # fmt: skip


def worst_slice(facts: EvidenceTable) -> Json | None:
    """Its conditions, the rows behind it and its numbers; None where no candidate is assessed."""
    entry = facts.report.worst_slice
    if entry is None:
        return None
    rows = [row for measure in MEASURES for row in facts.rows(measure, candidate=facts.judged) if row.value is not None]
    return {
        "slice": visible(entry.slice or "", 300),
        "searched_on": visible(entry.searched_on, 100),
        "measured_on": visible(entry.measured_on, 100),
        "searched": entry.searched,
        "compared": entry.compared,
        "rows": entry.rows,
        "others": entry.others,
        "reason": sentence(entry.reason, 300),
        "table": [
            {
                "name": title(row.measure),
                "value": shown(row),
                "interval": shown_span(row),
                "reason": visible(row.reason or "", 200),
            }
            for row in rows
        ],
    }
