"""Section 6: drift beside its noise baseline, and the share of rows whose top reason changed."""

from __future__ import annotations

from qaudit.core.json_values import Json
from qaudit.core.numbers import capped, one
from qaudit.rendering.charts.rows import Dot, drift
from qaudit.rendering.table import EvidenceTable, interval, shown, shown_span, title, value
from qaudit.rendering.text import in_words, visible
from qaudit.report.model import Row

MOST_DRIFTS, MOST_REASONS = 40, 6


def drifts(facts: EvidenceTable) -> Json:
    """The drift of each explainer beside its noise baseline, and the share of rows whose top reason changed."""
    rows = [r for r in facts.rows("drift", candidate=facts.judged) if "feature" not in r.about and "row" not in r.about]
    table = [_drift(facts, row) for row in sorted(rows, key=lambda row: str(sorted(row.about.items())))]
    left_out = capped(MOST_DRIFTS, len(table), "explanations")
    table = table[:MOST_DRIFTS]
    plot = [t for t in table if t["measure"] == "drift" and t["number"] is not None]
    chart = None
    if plot:
        data = [Dot(t["name"], t["number"], t["low"], t["high"], (t["value"], t["floor"])) for t in plot]
        say = "; ".join(f"{t['name']} {t['value']}, floor {t['floor']}" for t in plot)
        above = sum(t["above"] for t in plot)
        finding = f"{above} of {len(plot)} explanations drift beyond their floor"
        chart = drift(data, [t["band"] for t in plot], f"{finding}. {say}", ("Drift", "Floor"))
        return {"table": table, "chart": chart, "finding": finding, "reasons": reasons(facts), "left_out": left_out}
    return {"table": table, "chart": chart, "finding": "", "reasons": reasons(facts), "left_out": left_out}


def _key(row: Row) -> dict[str, str]:
    return {k: v for k, v in row.about.items() if k not in ("candidate", "against")}


def _in_words(row: Row) -> str:
    """The subject of a drift in words: "Drop column, loss change: rank"."""
    key = _key(row)
    explainer = in_words(key.pop("explainer")) if "explainer" in key else ""
    of, _, kind = str(key.pop("value_of", "")).rpartition(" ")
    parts = [explainer, visible(of.replace("_", " "), 40), *(visible(v, 50) for _, v in sorted(key.items()))]
    head = ", ".join(part for part in parts if part)
    return f"{head}: {visible(kind, 40)}" if kind and head else head or visible(kind, 40)


def _drift(facts: EvidenceTable, row: Row) -> Json:
    floors = [r for r in facts.rows("drift_floor") if _key(r) == _key(row)]
    floor = floors[0] if floors else None
    low, high = interval(floor)
    top = high if high is not None else value(floor)
    number = value(row)
    return {
        "measure": row.measure,
        "name": _in_words(row) or title(row.measure),
        "what": _means(facts, row),
        "number": number,
        "value": one(number, row.unit),
        "low": interval(row)[0],
        "high": interval(row)[1],
        "interval": shown_span(row),
        "floor": shown(floor),
        "floor_span": shown_span(floor),
        "band": None if top is None else (low if low is not None else 0.0, top),
        "above": number is not None and top is not None and number > top,
        "n": row.n,
        "reason": visible(row.reason or (floor.reason if floor else None) or _unusable(facts, row), 160),
    }


def _unusable(facts: EvidenceTable, row: Row) -> str:
    """The remark on an explainer whose reruns differ too much for a verdict."""
    same = [entry for entry in facts.report.explanations if entry.explainer == row.about.get("explainer")]
    unusable = any(entry.verdict == "unusable" for entry in same)
    return "its own reruns differ too much for a verdict" if unusable else ""


def _means(facts: EvidenceTable, row: Row) -> str:
    """The description of the distance from the explanation's entry."""
    same = [entry for entry in facts.report.explanations if entry.explainer == row.about.get("explainer")]
    of = row.about.get("value_of", "")
    means = (each.means for entry in same for each in entry.drift if of.endswith(each.distance) and each.means)
    meaning = next(means, None)
    return title(row.measure) if meaning is None else visible(meaning, 90)


def reasons(facts: EvidenceTable) -> list[Json]:
    """The headline: among rows with the same decision, the share whose top reason changed, with interval and noise baseline."""
    out = []
    for row in facts.rows("reason_change_rate", candidate=facts.judged)[:MOST_REASONS]:
        floor = next((r for r in facts.rows("reason_change_floor") if _key(r) == _key(row)), None)
        out.append(
            {
                "explainer": _in_words(row),
                "value": shown(row),
                "interval": shown_span(row),
                "floor": shown(floor),
                "floor_span": shown_span(floor),
                "n": row.n,
                "reason": visible(row.reason or "", 160),
            }
        )
    return out
