"""Sections 5 and 6: cases explained by both models, and drift beside its floor."""

from __future__ import annotations

from collections.abc import Sequence

from qaudit.core.json_values import Json
from qaudit.rendering.charts.cases import Bar, case
from qaudit.rendering.charts.rows import Dot, drift
from qaudit.rendering.numbers import NONE, capped, compact, fixed, one, span
from qaudit.rendering.pages.explanations import pairs, settings_text
from qaudit.rendering.table import EvidenceTable, Row, interval, shown, shown_span, title, value
from qaudit.rendering.text import spoken, visible

MOST_DRIFTS, MOST_LOCAL = 40, 6


def local(facts: EvidenceTable) -> list[Json]:
    """Cases of each local explainer, reference beside judged."""
    out = []
    for kind in ("local_models", "attributions"):
        for before, after in pairs(facts, kind)[:MOST_LOCAL]:
            entry: Row = after or before or {}
            old = {c["row"]: c for c in (before or {}).get("cases") or ()}
            new = {c["row"]: c for c in (after or {}).get("cases") or ()}
            order = [c["row"] for c in entry.get("cases") or ()][:4]
            bars = {row: _bars(old.get(row), new.get(row)) for row in order}
            reach = max(
                (abs(x) for found in bars.values() for b in found for x in (b.before, b.after) if x is not None), default=1.0
            )
            cases = [_case(chr(65 + i), row, old.get(row), new.get(row), bars[row], reach) for i, row in enumerate(order)]
            r2 = entry.get("r2") or {}
            out.append(
                {
                    "explainer": spoken(entry.get("explainer")),
                    "settings": settings_text(entry),
                    "cases": cases,
                    "values": any(b.feature_value for found in bars.values() for b in found),
                    "r2": span(r2.get("low"), r2.get("high")) if r2 else "",
                    "r2_median": fixed(r2.get("median"), 2) if r2 else "",
                }
            )
    return out


def _bars(before: Row | None, after: Row | None) -> list[Bar]:
    old = {f["column"]: f.get("contribution") for f in (before or {}).get("features") or ()}
    new = {f["column"]: f.get("contribution") for f in (after or {}).get("features") or ()}
    names = sorted({**old, **new}, key=lambda n: (-max(abs(new.get(n) or 0), abs(old.get(n) or 0)), str(n)))
    given = {f["column"]: f.get("value") for case in (before, after) for f in (case or {}).get("features") or ()}
    shown_ones = any(v is not None for v in given.values())
    return [Bar(visible(n, 60), old.get(n), new.get(n), _given(given.get(n)) if shown_ones else "") for n in names[:6]]


def _given(found: object) -> str:
    return NONE if found is None else compact(float(found)) if isinstance(found, int | float) else visible(found, 24)


def _case(letter: str, row: object, before: Row | None, after: Row | None, bars: Sequence[Bar], reach: float) -> Json:
    entry: Row = after or before or {}
    turned = [b.name for b in bars if b.before is not None and b.after is not None and b.before * b.after < 0]
    say = "; ".join(
        f"{b.name}{' = ' + b.feature_value if b.feature_value else ''}: {one(b.before, '', True)} to {one(b.after, '', True)}"
        for b in bars
    )
    head = f"{letter}  Row {row}: {visible(entry.get('why', ''), 40)}"
    return {
        "head": head,
        "chart": case(bars, f"{head}. {say}", reach),
        "foot": _foot(before, after) + (f"; sign turns: {', '.join(turned)}" if turned else ""),
    }


def _foot(before: Row | None, after: Row | None) -> str:
    if not before or not after:
        entry: Row = before or after or {}
        return f"decision {visible(entry.get('decision', NONE), 40)}, score {_score(entry)}"
    if before.get("decision") is None and after.get("decision") is None:
        return f"prediction {_score(before)} → {_score(after)}"
    same = before.get("decision") == after.get("decision")
    said = f"both say {visible(after.get('decision'), 40)}"
    changed = f"decision changed from {visible(before.get('decision'), 40)} to {visible(after.get('decision'), 40)}"
    return f"{said if same else changed}; score {_score(before)} → {_score(after)}"


def _score(entry: Row) -> str:
    found = entry.get("prediction")
    return fixed(float(found), 4) if isinstance(found, int | float) else NONE


def drifts(facts: EvidenceTable) -> Json:
    """Drift of each explainer beside its floor; the share of rows whose top reason changed."""
    rows = [r for r in facts.rows("drift", candidate=facts.judged) if "feature" not in r["about"] and "row" not in r["about"]]
    table = [_drift(facts, r) for r in sorted(rows, key=lambda r: (r["measure"], str(sorted(r["about"].items()))))]
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
    return {k: v for k, v in row["about"].items() if k not in ("candidate", "against")}


def _spoken(row: Row) -> str:
    """What a drift is about in plain words: "Drop column, loss change: rank"."""
    key = _key(row)
    explainer = spoken(key.pop("explainer")) if "explainer" in key else ""
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
        "measure": row["measure"],
        "name": _spoken(row) or title(row["measure"]),
        "what": _means(facts, row),
        "number": number,
        "value": one(number, row.get("unit", "")),
        "low": interval(row)[0],
        "high": interval(row)[1],
        "interval": shown_span(row),
        "floor": shown(floor),
        "floor_span": shown_span(floor),
        "band": None if top is None else (low if low is not None else 0.0, top),
        "above": number is not None and top is not None and number > top,
        "n": row.get("n"),
        "reason": visible(row.get("reason") or (floor or {}).get("reason") or _unusable(facts, row), 160),
    }


def _unusable(facts: EvidenceTable, row: Row) -> str:
    """Said of an explainer whose reruns differ too much to carry a verdict."""
    found = facts.report.get("explanations") or ()
    same = [e for e in found if e.get("explainer") == row["about"].get("explainer") and e.get("verdict") == "unusable"]
    return "its own reruns differ too much for a verdict" if same else ""


def _means(facts: EvidenceTable, row: Row) -> str:
    """What the distance is, in the words of the explanation's entry."""
    about = row["about"]
    for entry in facts.report.get("explanations") or ():
        if entry.get("explainer") == about.get("explainer"):
            for one_drift in entry.get("drift") or ():
                if str(about.get("value_of", "")).endswith(str(one_drift.get("distance"))) and one_drift.get("means"):
                    return visible(one_drift["means"], 90)
    return title(row["measure"])


def reasons(facts: EvidenceTable) -> list[Json]:
    """The headline: share of unflipped rows whose top reason changed, with interval and floor."""
    out = []
    for row in facts.rows("reason_change_rate", candidate=facts.judged)[:MOST_LOCAL]:
        floor = next((r for r in facts.rows("reason_change_floor") if _key(r) == _key(row)), None)
        out.append(
            {
                "explainer": _spoken(row),
                "value": shown(row),
                "interval": shown_span(row),
                "floor": shown(floor),
                "floor_span": shown_span(floor),
                "n": row.get("n"),
                "reason": visible(row.get("reason") or "", 160),
            }
        )
    return out
