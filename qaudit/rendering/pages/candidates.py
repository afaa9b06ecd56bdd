"""The sweep: bits against loss over all candidates."""

from __future__ import annotations

from collections.abc import Sequence

from qaudit.core.catalogue import measures
from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE, capped, column, fixed, one, size
from qaudit.rendering.charts.scatter import Point, scatter, upward
from qaudit.rendering.table import EvidenceTable, same_decimals, spans, title, unit_of, value
from qaudit.rendering.text import in_words, settings_text, visible
from qaudit.report.model import Candidate

MOST_CANDIDATES, MOST_POINTS = 40, 300


def sweep(facts: EvidenceTable) -> Json | None:
    """Bits against loss over all candidates: chart and table."""
    candidates = facts.report.candidates
    if not candidates:
        return None
    losses = measures.names("sweep")
    measure = next((m for m in losses if any(value(facts.whole(m, c.id)) is not None for c in candidates)), None)
    names = dict(zip([row.id for row in candidates], short_names(candidates, candidates), strict=True))
    points = []
    for row in candidates[:MOST_POINTS]:
        loss = value(facts.whole(measure, row.id)) if measure else None
        if loss is not None and row.effective_bits is not None:
            name = visible(names[row.id], 70)
            points.append(Point(name, in_words(row.by, 40), row.effective_bits, loss, row.id == facts.judged))
    # the candidate under assessment is listed even where it lies beyond the rows that are shown
    kept = candidates[:MOST_CANDIDATES]
    kept += tuple(row for row in candidates[MOST_CANDIDATES:] if row.id == facts.judged)
    table = _candidates(facts, kept, measure)
    unit = unit_of(facts.whole(measure, row.id) for row in candidates) if measure else ""
    second = _second(facts)
    out: Json = {
        "table": table,
        "left_out": capped(len(table), len(candidates), "candidates"),
        "measure": title(measure) if measure else "",
        "chart": None,
        "metric": title(second) if second else "",
    }
    if points:
        best = min(points, key=lambda p: (p.y, p.x, p.name))
        many = "one candidate" if len(points) == 1 else f"{len(points)} candidates"
        finding = f"{many[:1].upper()}{many[1:]}: least loss {one(best.y, unit)} at {one(best.x, 'bits')}"
        log = upward([p.y for p in points], unit, 0, 0).log
        say = "; ".join(f"{p.name} {one(p.x, 'bits')} {one(p.y, unit)}" for p in points[:40])
        chart = scatter(points, f"{finding}. {say}", "Effective bits a parameter", title(measure or ""), unit)
        out |= {"chart": chart, "finding": finding, "log": log}
    return out


def _second(facts: EvidenceTable) -> str | None:
    return next((m for m in measures.names("sweep metric") if facts.whole(m, facts.judged) or any(facts.rows(m))), None)


def short_names(every: Sequence[Candidate], rows: Sequence[Candidate]) -> list[str]:
    """A short name for each candidate, "Affine: bits 4": its quantizer and the settings that vary; its id where two would be
    equal.
    """
    seen: dict[str, dict[str, set[str]]] = {}
    for row in every:
        for key, setting in row.settings.items():
            seen.setdefault(row.by, {}).setdefault(key, set()).add(str(setting))
    names = []
    for row in rows:
        labels = settings_text({key: setting for key, setting in row.settings.items() if len(seen[row.by][key]) > 1})
        names.append(f"{in_words(row.by or row.id, 40)}: {labels}" if labels else visible(row.id, 110))
    return [name if names.count(name) == 1 else visible(row.id, 110) for name, row in zip(names, rows, strict=True)]


def _candidates(facts: EvidenceTable, candidates: Sequence[Candidate], measure: str | None) -> list[Json]:
    second = _second(facts)
    names = short_names(facts.report.candidates, candidates)
    losses = [facts.whole(measure, row.id) if measure else None for row in candidates]
    others = [facts.whole(second, row.id) if second else None for row in candidates]
    worst = [min((t.sqnr_db for t in row.tensors if t.sqnr_db is not None), default=None) for row in candidates]
    cells = [same_decimals(losses), spans(losses), same_decimals(others, True), column(worst, "dB")]
    return [
        {
            "id": names[i],
            "judged": row.id == facts.judged,
            "bits": fixed(row.effective_bits, 2),
            "sort": row.effective_bits,
            "size": NONE if row.size_bytes is None else size(row.size_bytes),
            "loss": cells[0][i],
            "loss_sort": value(losses[i]),
            "interval": cells[1][i],
            "metric": cells[2][i],
            "sqnr": cells[3][i],
        }
        for i, row in enumerate(candidates)
    ]
