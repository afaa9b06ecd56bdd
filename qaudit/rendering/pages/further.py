"""The table at the end of a section: measures that no chart or table of its own shows, and those that plugins
declared."""

from __future__ import annotations

from qaudit.core.catalogue.measures import listed
from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE, capped, whole
from qaudit.rendering.table import EvidenceTable, shown, shown_span, where_text
from qaudit.rendering.text import in_words, visible
from qaudit.report.model import Row

MOST = 40


def further(facts: EvidenceTable, anchor: str) -> Json | None:
    """Rows of the reference and of the judged candidate, and how many were left out; None where there are none."""
    own = [measure.name for measure in listed("further") if measure.section == anchor]
    own += sorted(name for name, measure in facts.declared.items() if measure.section == anchor)
    rows = [row for name in own for row in facts.rows(name) if _kept(facts, row)]
    table = [_row(facts, row) for row in rows[:MOST]]
    claimed = any(row.measure in facts.declared for row in rows)
    return {"table": table, "claimed": claimed, "left_out": capped(MOST, len(rows), "values")} if rows else None


def _kept(facts: EvidenceTable, row: Row) -> bool:
    return row.about.get("candidate") in (None, "reference", facts.judged)


def _row(facts: EvidenceTable, row: Row) -> Json:
    candidate = row.about.get("candidate")
    return {
        "name": facts.title(row.measure),
        "about": where_text({key: text for key, text in row.about.items() if key != "explainer"}),
        "of": "" if candidate is None else "reference" if candidate == "reference" else "judged",
        "value": shown(row),
        "interval": shown_span(row),
        "n": NONE if row.n is None else whole(row.n),
        "by": in_words(row.by, 40),
        "reason": visible(row.reason or "", 160),
    }
