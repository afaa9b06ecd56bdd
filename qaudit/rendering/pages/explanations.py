"""Sections 3 and 4: importance and the surrogate tree, reference beside judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qaudit.core.json_values import Json
from qaudit.rendering.charts.rows import Pair, dumbbell
from qaudit.rendering.charts.scatter import Point, scatter
from qaudit.rendering.charts.tree import MOST, leaves, tree
from qaudit.rendering.numbers import NONE, capped, column, fixed, one, whole
from qaudit.rendering.table import EvidenceTable, Row, shown, shown_span, title, value
from qaudit.rendering.text import spoken, visible

TOP, MOST_CHARTS, MOST_RULES = 15, 12, 40
OF = {"prediction_change": "mean change of the prediction", "loss_change": "increase of the loss"}
HOW = {
    "drop_column": "when the model is trained again without the feature",
    "permutation": "when the feature is shuffled",
}


def entries(facts: EvidenceTable, kind: str) -> list[Row]:
    """Explanations of a kind, in a fixed order."""
    found = [e for e in facts.report.get("explanations") or () if e.get("kind") == kind]
    return sorted(
        found, key=lambda e: (str(e.get("explainer")), str(e.get("of")), str(sorted((e.get("settings") or {}).items())))
    )


def pairs(facts: EvidenceTable, kind: str) -> list[tuple[Row | None, Row | None]]:
    """(reference, judged) of every explainer, settings and `of`."""
    found: dict[tuple[str, str, str], dict[str, Row]] = {}
    for entry in entries(facts, kind):
        key = (str(entry.get("explainer")), str(entry.get("of")), str(sorted((entry.get("settings") or {}).items())))
        found.setdefault(key, {})[str(entry.get("candidate"))] = entry
    return [(by.get("reference"), by.get(facts.judged or "")) for by in found.values() if "reference" in by or facts.judged in by]


def settings_text(entry: Row | None) -> str:
    """ "repeats 5, depth 4"."""
    found = (entry or {}).get("settings") or {}
    return ", ".join(f"{visible(k.replace('_', ' '), 30)} {visible(v, 30)}" for k, v in sorted(found.items()))


def importance(facts: EvidenceTable) -> list[Json]:
    """A dumbbell chart an explainer and measure."""
    return [_importance(before, after) for before, after in pairs(facts, "importance")[:MOST_CHARTS]]


def _importance(before: Row | None, after: Row | None) -> Json:
    entry: Row = after or before or {}
    old = {r["feature"]: r for r in (before or {}).get("rows") or ()}
    new = {r["feature"]: r for r in (after or {}).get("rows") or ()}
    names = sorted({**old, **new}, key=lambda n: (-_of(old, new, n), str(n)))
    kept = names[:TOP]
    first, second = column([_mean(old, n) for n in kept]), column([_mean(new, n) for n in kept])
    data = []
    for index, name in enumerate(kept):
        a, b = old.get(name, {}), new.get(name, {})
        floor = (a["low"], a["high"]) if a.get("low") is not None and a.get("high") is not None else None
        cells = (first[index], second[index], _ranks(a, b), _moved(a, b)) if new else (first[index], _rank(a))
        data.append(Pair(visible(name, 60), _mean(old, name), _mean(new, name), b.get("low"), b.get("high"), floor, cells))
    moved = [n for n in names if _moved(old.get(n, {}), new.get(n, {}))]
    finding = _finding(old, new, names, moved)
    of, explainer = str(entry.get("of") or ""), str(entry.get("explainer"))
    say = "; ".join(f"{d.name} {a} to {b}" for d, a, b in zip(data, first, second, strict=True))
    axis = OF.get(of, of.replace("_", " ")).capitalize()
    return {
        "explainer": spoken(explainer),
        "subtitle": f"{axis} {HOW.get(explainer, '')}".strip(),
        "settings": settings_text(entry),
        "seeds": len(entry.get("floor_seeds") or ()),
        "repeats": max((len(r.get("values") or ()) for r in entry.get("rows") or ()), default=0),
        "finding": finding,
        "chart": dumbbell(
            data, f"{finding}. {say}", axis, ("Reference", "Judged", "Rank", "Move") if new else ("Reference", "Rank")
        ),
        "left_out": capped(len(kept), len(names), "features"),
    }


def _of(old: dict[str, Row], new: dict[str, Row], name: str) -> float:
    return max(_mean(old, name) or 0.0, _mean(new, name) or 0.0)


def _mean(rows: dict[str, Row], name: str) -> float | None:
    found = rows.get(name, {}).get("mean")
    return None if found is None else float(found)


def _rank(row: Row) -> str:
    return NONE if row.get("rank") is None else fixed(row["rank"], 0 if float(row["rank"]).is_integer() else 1)


def _ranks(a: Row, b: Row) -> str:
    return _rank(b or a) if _rank(a) == _rank(b) or not a or not b else f"{_rank(a)} → {_rank(b)}"


def _moved(a: Row, b: Row) -> str:
    if not a or not b or a.get("rank") is None or b.get("rank") is None or a["rank"] == b["rank"]:
        return ""
    step = abs(a["rank"] - b["rank"])
    return f"{'▲' if b['rank'] < a['rank'] else '▼'} {fixed(step, 0 if float(step).is_integer() else 1)}"


def _finding(old: dict[str, Row], new: dict[str, Row], names: Sequence[str], moved: Sequence[str]) -> str:
    if not old or not new:
        return f"{visible(names[0], 40)} matters most" if names else "No feature was measured"
    if not moved:
        return f"All {len(names)} features keep their rank"
    return f"{len(moved)} of {len(names)} features change rank"


def surrogate(facts: EvidenceTable) -> Json:
    """Trees of the judged candidate and of the reference, fidelity beside the base rate, size against fidelity."""
    found = sorted(entries(facts, "tree"), key=lambda e: (e.get("candidate") != facts.judged, str(e.get("candidate"))))
    trees = [_tree(facts, e) for e in found if e.get("candidate") in (facts.judged, "reference")]
    return {
        "trees": trees[:1],
        "trade": trade(facts),
        "numbers": numbers(facts),
        "costs": costs(facts),
        "both": bool(facts.judged),
    }


def _tree(facts: EvidenceTable, entry: Row) -> Json:
    nodes = entry.get("nodes") or []
    rows = leaves(nodes)
    classes = [str(c)[:200] for c in entry.get("classes") or ()]
    of = "the reference" if entry.get("candidate") == "reference" else "the judged model"
    finding = f"A tree with {len(rows)} leaves and depth {entry.get('depth', NONE)} that imitates {of}"
    chart = tree(nodes, classes, f"{finding}. {_say(rows)}") if 1 < len(rows) <= MOST else None
    return {
        "of": of,
        "finding": finding,
        "chart": chart,
        "leaves": len(rows),
        "settings": settings_text(entry),
        "explainer": visible(entry.get("explainer")),
        "rules": [visible(text, 300) for text in list(entry.get("rules") or ())[:MOST_RULES]],
        "rules_left": capped(MOST_RULES, len(entry.get("rules") or ()), "rules"),
        "fidelity": shown(_about(facts, "fidelity", entry)),
        "fidelity_span": shown_span(_about(facts, "fidelity", entry)),
        "base": shown(_about(facts, "base_rate_fidelity", entry)),
    }


def _say(rows: Sequence[Any]) -> str:
    return "; ".join(
        f"leaf {i + 1} says {visible(r.label, 30)}, rows {NONE if r.rows is None else whole(r.rows)}"
        + ("" if r.agreement is None else f", agrees on {fixed(100 * r.agreement, 0)}%")
        for i, r in enumerate(rows)
    )


def _about(facts: EvidenceTable, measure: str, entry: Row) -> Row | None:
    rows = facts.rows(measure, candidate=entry.get("candidate"))
    same = [r for r in rows if r["about"].get("explainer") in (None, entry.get("explainer"))]
    return min(same, key=lambda r: len(r["about"]), default=None)


def numbers(facts: EvidenceTable) -> list[Json]:
    """Fidelity and cost of the surrogate, reference beside judged."""
    out = []
    for measure in ("fidelity", "base_rate_fidelity", "leaves", "depth", "added_nodes", "added_parameters"):
        cells = []
        for candidate in ("reference", facts.judged):
            rows = [r for r in facts.rows(measure, candidate=candidate) if "tree" in str(r["about"].get("explainer", "tree"))]
            cells.append(min(rows, key=lambda r: len(r["about"]), default=None))
        if any(cells):
            reason = next((r["reason"] for r in cells if r and r.get("reason")), "")
            spans = [shown_span(c) for c in cells]
            out.append(
                {"name": title(measure), "cells": [shown(c) for c in cells], "spans": spans, "reason": visible(reason, 160)}
            )
    return out


FITS = {"fidelity": "agreement", "local_r2": "R²"}


def costs(facts: EvidenceTable) -> list[Json]:
    """What an explanation costs, beside how well it fits: a row an explainer, of the judged candidate or else the reference."""
    of = facts.judged if facts.rows("explain_cost", candidate=facts.judged) else "reference"
    out = []
    for row in facts.rows("explain_cost", candidate=of):
        same = {"candidate": of, "explainer": row["about"].get("explainer")}
        fits = [found for measure in FITS for found in facts.rows(measure, **same) if set(found["about"]) <= {*same, "against"}]
        sizes = [next(iter(facts.rows(name, **same)), None) for name in ("added_nodes", "added_parameters")]
        out.append(
            {
                "name": spoken(same["explainer"]),
                "cost": one(value(row), "") if (value(row) or 0) % 1 else whole(value(row) or 0),
                "sizes": [shown(size) for size in sizes],
                "fit": shown(fits[0]) if fits else NONE,
                "means": FITS[fits[0]["measure"]] if fits else "",
            }
        )
    return out


def trade(facts: EvidenceTable) -> Json | None:
    """Size of the explanation against its fidelity: a point a setting."""
    found = []
    for row in facts.rows("sweep_fidelity"):
        twin = next((r for r in facts.rows("sweep_leaves") if r["about"] == row["about"]), None)
        if value(row) is not None and value(twin) is not None:
            found.append((row, twin))
    if len(found) < 2:
        return None
    points = [Point(_point(row), _series(facts, row), float(value(twin) or 0), float(value(row) or 0)) for row, twin in found]
    best = max(points, key=lambda p: (p.y, -p.x, p.name))
    unit = found[0][0].get("unit", "")
    finding = f"Highest fidelity {one(best.y, unit)} with {one(best.x, 'count')} leaves"
    say = "; ".join(f"{p.series} {p.name}: {one(p.x, 'count')} leaves, {one(p.y, unit)}" for p in points)
    return {
        "finding": finding,
        "chart": scatter(points, f"{finding}. {say}", "Leaves of the tree", "Fidelity", unit, False, True, 140.0),
    }


def _point(row: Row) -> str:
    about = row["about"]
    return ", ".join(visible(about[k].replace("_", " "), 60) for k in ("explainer", "value_of", "repeat") if k in about) or NONE


def _series(facts: EvidenceTable, row: Row) -> str:
    found = row["about"].get("candidate")
    return "judged" if found == facts.judged else "reference" if found == "reference" else visible(found, 40)
