"""The table of values that the candidate under assessment clips, in section 2."""

from __future__ import annotations

from qaudit.core.json_values import Json
from qaudit.core.numbers import capped, whole
from qaudit.rendering.table import EvidenceTable, same_decimals, shown, spans
from qaudit.rendering.text import visible
from qaudit.report.model import Row

MOST = 30


def clipping(facts: EvidenceTable) -> Json | None:
    """Rows and values clipped in any layer, by layer, and by input column that has any. None where nothing was measured."""
    if facts.judged is None:
        return None
    rows = sorted(facts.rows("clipped_rows", candidate=facts.judged), key=_order)
    kept = [row for row in rows if "feature" not in row.about or row.value]
    unclipped = len(rows) - len(kept)
    cells, ranges = same_decimals(kept[:MOST]), spans(kept[:MOST])
    table = [
        {
            "name": _name(row),
            "rows": whole(round((row.value or 0.0) * (row.n or 0))),
            "share": cells[place],
            "span": ranges[place],
            "of_values": _values(facts, row),
        }
        for place, row in enumerate(kept[:MOST])
    ]
    left = capped(MOST, len(kept), "rows")
    return {"table": table, "n": whole(rows[0].n or 0), "unclipped": unclipped, "left_out": left} if rows else None


def _order(row: Row) -> tuple[int, float, str]:
    """All layers together, then each layer, then columns by the rows clipped."""
    return len(row.about), -(row.value or 0.0) if "feature" in row.about else 0.0, str(sorted(row.about.items()))


def _name(row: Row) -> str:
    if "feature" in row.about:
        return f"input column {visible(row.about['feature'], 60)}"
    return visible(row.about.get("value_of", "any layer"), 60)


def _values(facts: EvidenceTable, row: Row) -> str:
    """The share of values, which is measured by layer."""
    if "feature" in row.about or "value_of" not in row.about:
        return ""
    same = facts.rows("clipped_values", candidate=facts.judged, value_of=row.about["value_of"])
    return shown(same[0]) if same else ""
