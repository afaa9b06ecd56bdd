"""How the candidate under assessment was chosen where none was named."""

from __future__ import annotations

from qaudit.core.catalogue.measures import known
from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE, capped, column, size, whole
from qaudit.rendering.pages.candidates import MOST_CANDIDATES, short_names
from qaudit.rendering.table import EvidenceTable, unit_of
from qaudit.rendering.text import sentence, visible


def choice(facts: EvidenceTable) -> Json | None:
    """Rows, rule, candidates and reason; None where there was no choice to make."""
    made = facts.report.choice
    if made is None:
        return None
    of = {row.id: row for row in facts.report.candidates}
    kept = [each for each in made.compared if each.candidate in of]
    # the chosen one is listed even where it lies beyond the rows that are shown
    kept = [each for number, each in enumerate(kept) if number < MOST_CANDIDATES or each.candidate == made.chosen]
    names = dict(zip(of, short_names(facts.report.candidates, facts.report.candidates), strict=True))
    unit = unit_of(facts.whole("score_change", each.candidate) for each in kept)
    moved = column([each.score_change for each in kept], unit)
    decisions = any(each.changed is not None for each in kept)
    return {
        "rows": made.rows,
        "how": visible(made.how, 300),
        "rule": sentence(made.rule, 2_000),
        "why": sentence(made.why, 600),
        "chosen": visible(made.chosen or "", 120),
        "notes": [sentence(text, 2_000) for text in made.notes],
        "decisions": decisions,
        "moved": known("score_change").title,
        "table": [
            {
                "id": names[each.candidate],
                "chosen": each.candidate == made.chosen,
                "bytes": each.size_bytes,
                "size": size(each.size_bytes),
                "changed": NONE if each.changed is None else whole(each.changed),
                "moved": moved[number],
                "against": visible(each.against, 300) or "as the rule asks",
            }
            for number, each in enumerate(kept)
        ],
        "left_out": capped(len(kept), len(made.compared), "candidates"),
    }
