"""Sections 5 and 6: cases explained by both models, and drift beside its floor."""

from __future__ import annotations

from collections.abc import Sequence

from qaudit.core.json_values import Json
from qaudit.rendering.charts.cases import Bar, case
from qaudit.rendering.charts.rows import Dot, drift
from qaudit.rendering.numbers import NONE, capped, compact, fixed, one, span
from qaudit.rendering.pages.explanations import Compared, pairs
from qaudit.rendering.table import EvidenceTable, interval, shown, shown_span, title, value
from qaudit.rendering.text import settings_text, spoken, visible
from qaudit.report.explanations import Attributions, Case, Fit, LocalModels
from qaudit.report.model import Row

MOST_DRIFTS, MOST_LOCAL = 40, 6


def local(facts: EvidenceTable) -> list[Json]:
    """Cases of each local explainer, reference beside judged."""
    models = [_local(pair, pair.entry.r2) for pair in pairs(facts, LocalModels)[:MOST_LOCAL]]
    return models + [_local(pair, None) for pair in pairs(facts, Attributions)[:MOST_LOCAL]]


def _local(pair: Compared[LocalModels] | Compared[Attributions], fit: Fit | None) -> Json:
    old = {each.row: each for each in (pair.before.cases if pair.before else ())}
    new = {each.row: each for each in (pair.after.cases if pair.after else ())}
    shown_ones = [(each, old.get(each.row), new.get(each.row)) for each in pair.entry.cases[:4]]
    bars = [_bars(before, after) for _, before, after in shown_ones]
    reach = max((abs(x) for case_bars in bars for b in case_bars for x in (b.before, b.after) if x is not None), default=1.0)
    return {
        "explainer": spoken(pair.entry.explainer),
        "settings": settings_text(pair.entry.settings),
        "cases": [_case(chr(65 + i), *each, bars[i], reach) for i, each in enumerate(shown_ones)],
        "values": any(b.feature_value for case_bars in bars for b in case_bars),
        "r2": span(fit.low, fit.high) if fit else "",
        "r2_median": fixed(fit.median, 2) if fit else "",
    }


def _bars(before: Case | None, after: Case | None) -> list[Bar]:
    old = {each.column: each.contribution for each in (before.features if before else ())}
    new = {each.column: each.contribution for each in (after.features if after else ())}
    names = sorted({**old, **new}, key=lambda name: (-max(abs(new.get(name, 0.0)), abs(old.get(name, 0.0))), name))
    cells = {each.column: each.value for entry in (before, after) for each in (entry.features if entry else ())}
    some = any(value is not None for value in cells.values())
    return [Bar(visible(name, 60), old.get(name), new.get(name), _cell(cells[name]) if some else "") for name in names[:6]]


def _cell(value: str | float | None) -> str:
    return NONE if value is None else visible(value, 24) if isinstance(value, str) else compact(value)


def _case(letter: str, entry: Case, before: Case | None, after: Case | None, bars: Sequence[Bar], reach: float) -> Json:
    turned = [b.name for b in bars if b.before is not None and b.after is not None and b.before * b.after < 0]
    say = "; ".join(
        f"{b.name}{' = ' + b.feature_value if b.feature_value else ''}: {one(b.before, '', True)} to {one(b.after, '', True)}"
        for b in bars
    )
    head = f"{letter}  Row {entry.row}: {visible(entry.why, 40)}"
    foot = _foot(before, after) if before and after else _single_foot(entry)
    return {
        "head": head,
        "chart": case(bars, f"{head}. {say}", reach),
        "foot": foot + (f"; sign turns: {', '.join(turned)}" if turned else ""),
    }


def _single_foot(entry: Case) -> str:
    score = fixed(entry.prediction, 4)
    return f"prediction {score}" if entry.decision is None else f"decision {visible(entry.decision, 40)}, score {score}"


def _foot(before: Case, after: Case) -> str:
    scores = f"{fixed(before.prediction, 4)} → {fixed(after.prediction, 4)}"
    if before.decision is None and after.decision is None:
        return f"prediction {scores}"
    if before.decision == after.decision:
        return f"both say {visible(after.decision, 40)}; score {scores}"
    return f"decision changed from {visible(before.decision, 40)} to {visible(after.decision, 40)}; score {scores}"


def drifts(facts: EvidenceTable) -> Json:
    """Drift of each explainer beside its floor; the share of rows whose top reason changed."""
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
        "measure": row.measure,
        "name": _spoken(row) or title(row.measure),
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
    """Said of an explainer whose reruns differ too much to carry a verdict."""
    same = [entry for entry in facts.report.explanations if entry.explainer == row.about.get("explainer")]
    unusable = any(entry.verdict == "unusable" for entry in same)
    return "its own reruns differ too much for a verdict" if unusable else ""


def _means(facts: EvidenceTable, row: Row) -> str:
    """What the distance is, in the words of the explanation's entry."""
    same = [entry for entry in facts.report.explanations if entry.explainer == row.about.get("explainer")]
    of = row.about.get("value_of", "")
    means = (each.means for entry in same for each in entry.drift if of.endswith(each.distance) and each.means)
    meaning = next(means, None)
    return title(row.measure) if meaning is None else visible(meaning, 90)


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
                "n": row.n,
                "reason": visible(row.reason or "", 160),
            }
        )
    return out
