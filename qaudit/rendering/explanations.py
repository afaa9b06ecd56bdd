"""Sections 3 to 6: importance, surrogate tree, local explanations, drift beside its floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qaudit.rendering.cases import Bar, case
from qaudit.rendering.charts import Dot, Pair, drift, dumbbell
from qaudit.rendering.facts import Facts, Row, interval, shown, shown_span, title, value
from qaudit.rendering.numbers import NONE, column, fixed, one, span, whole
from qaudit.rendering.scatter import Point, scatter
from qaudit.rendering.text import visible
from qaudit.rendering.tree import MOST, leaves, tree

Json = dict[str, Any]
TOP = 15
OF = {"prediction_change": "mean change of the prediction", "loss_change": "increase of the loss"}
HOW = {
    "drop_column": "when the model is trained again without the feature",
    "permutation": "when the feature is shuffled",
}


def entries(facts: Facts, kind: str) -> list[Row]:
    """Explanations of a kind, in a fixed order."""
    found = [e for e in facts.report.get("explanations") or () if e.get("kind") == kind]
    return sorted(
        found, key=lambda e: (str(e.get("explainer")), str(e.get("of")), str(sorted((e.get("settings") or {}).items())))
    )


def pairs(facts: Facts, kind: str) -> list[tuple[Row | None, Row | None]]:
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


def importance(facts: Facts) -> list[Json]:
    """A dumbbell chart an explainer and measure."""
    return [_importance(before, after) for before, after in pairs(facts, "importance")]


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
        cells = (first[index], second[index], _ranks(a, b), _moved(a, b))
        data.append(Pair(visible(name, 60), _mean(old, name), _mean(new, name), b.get("low"), b.get("high"), floor, cells))
    moved = [n for n in names if _moved(old.get(n, {}), new.get(n, {}))]
    finding = _finding(old, new, names, moved)
    of, explainer = str(entry.get("of") or ""), str(entry.get("explainer"))
    say = "; ".join(f"{d.name} {a} to {b}" for d, a, b in zip(data, first, second, strict=True))
    axis = OF.get(of, of.replace("_", " ")).capitalize()
    return {
        "explainer": visible(explainer),
        "subtitle": f"{axis} {HOW.get(explainer, '')}".strip(),
        "settings": settings_text(entry),
        "seeds": len(entry.get("floor_seeds") or ()),
        "repeats": max((len(r.get("values") or ()) for r in entry.get("rows") or ()), default=0),
        "finding": finding,
        "chart": dumbbell(data, f"{finding}. {say}", axis, ("Reference", "Judged", "Rank", "Move")),
        "left_out": len(names) - len(kept),
        "all": len(names),
        "kept": len(kept),
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


def surrogate(facts: Facts) -> Json:
    """Trees of the judged candidate and of the reference, fidelity beside the base rate, size against fidelity."""
    found = sorted(entries(facts, "tree"), key=lambda e: (e.get("candidate") != facts.judged, str(e.get("candidate"))))
    trees = [_tree(facts, e) for e in found if e.get("candidate") in (facts.judged, "reference")]
    return {"trees": trees[:1], "others": trees[1:], "trade": trade(facts), "numbers": numbers(facts)}


def _tree(facts: Facts, entry: Row) -> Json:
    nodes = entry.get("nodes") or []
    rows = leaves(nodes)
    classes = [str(c) for c in entry.get("classes") or ()]
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
        "rules": [visible(text, 300) for text in entry.get("rules") or ()],
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


def _about(facts: Facts, measure: str, entry: Row) -> Row | None:
    rows = facts.rows(measure, candidate=entry.get("candidate"))
    same = [r for r in rows if r["about"].get("explainer") in (None, entry.get("explainer"))]
    return min(same, key=lambda r: len(r["about"]), default=None)


def numbers(facts: Facts) -> list[Json]:
    """Fidelity and cost of the surrogate, reference beside judged."""
    out = []
    for measure in ("fidelity", "base_rate_fidelity", "leaves", "depth", "added_nodes", "added_parameters", "explain_cost"):
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


def trade(facts: Facts) -> Json | None:
    """Explanation size (leaves) or cost against fidelity: a point a setting."""
    found = []
    for row in facts.rows("fidelity"):
        key = {k: v for k, v in row["about"].items() if k != "against"}
        if value(row) is None:
            continue
        for measure in ("leaves", "explain_cost"):
            twin = next(
                (r for r in facts.rows(measure, **key) if value(r) is not None and len(r["about"]) == len(row["about"])), None
            )
            if twin is not None:
                found.append((measure, row, twin))
                break
    found = [f for f in found if f[0] == found[0][0]] if found else []
    if len(found) < 2:
        return None
    points = [
        Point(_point(row), _series(facts, row), float(value(twin) or 0), float(value(row) or 0), False) for _, row, twin in found
    ]
    best = max(points, key=lambda p: (p.y, -p.x, p.name))
    unit = found[0][1].get("unit", "")
    finding = f"Highest fidelity {one(best.y, unit)} at {one(best.x, found[0][2].get('unit', ''))}"
    say = "; ".join(f"{p.name}: {one(p.x)}, {one(p.y, unit)}" for p in points)
    across = "Leaves of the tree" if found[0][0] == "leaves" else title("explain_cost")
    chart = scatter(points, f"{finding}. {say}", across, "Fidelity", unit, best_low=False, near=True)
    table = [{"name": p.name, "series": p.series, "size": one(p.x, "count"), "fidelity": one(p.y, unit)} for p in points]
    return {"finding": finding, "chart": chart, "table": table, "across": across}


def _point(row: Row) -> str:
    about = row["about"]
    return ", ".join(visible(about[k], 60) for k in ("explainer", "value_of", "repeat") if k in about) or NONE


def _series(facts: Facts, row: Row) -> str:
    found = row["about"].get("candidate")
    return "judged" if found == facts.judged else "reference" if found == "reference" else visible(found, 40)


def local(facts: Facts) -> list[Json]:
    """Cases of each local explainer, reference beside judged."""
    out = []
    for kind in ("local_models", "attributions"):
        for before, after in pairs(facts, kind):
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
                    "explainer": visible(entry.get("explainer")),
                    "settings": settings_text(entry),
                    "cases": cases,
                    "r2": span(r2.get("low"), r2.get("high")) if r2 else "",
                    "r2_median": fixed(r2.get("median"), 2) if r2 else "",
                }
            )
    return out


def _bars(before: Row | None, after: Row | None) -> list[Bar]:
    old = {f["column"]: f.get("contribution") for f in (before or {}).get("features") or ()}
    new = {f["column"]: f.get("contribution") for f in (after or {}).get("features") or ()}
    names = sorted({**old, **new}, key=lambda n: (-max(abs(new.get(n) or 0), abs(old.get(n) or 0)), str(n)))
    return [Bar(visible(n, 60), old.get(n), new.get(n)) for n in names[:6]]


def _case(letter: str, row: object, before: Row | None, after: Row | None, bars: Sequence[Bar], reach: float) -> Json:
    entry: Row = after or before or {}
    turned = [b.name for b in bars if b.before is not None and b.after is not None and b.before * b.after < 0]
    say = "; ".join(f"{b.name} {one(b.before, '', True)} to {one(b.after, '', True)}" for b in bars)
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
    same = before.get("decision") == after.get("decision")
    said = f"both say {visible(after.get('decision'), 40)}"
    changed = f"decision changed from {visible(before.get('decision'), 40)} to {visible(after.get('decision'), 40)}"
    return f"{said if same else changed}; score {_score(before)} → {_score(after)}"


def _score(entry: Row) -> str:
    found = entry.get("prediction")
    return fixed(float(found), 4) if isinstance(found, int | float) else NONE


def drifts(facts: Facts) -> Json:
    """Drift of each explainer beside its floor; the share of rows whose top reason changed."""
    rows = [
        r
        for r in facts.rows(("drift", "kendall_tau"), candidate=facts.judged)
        if "feature" not in r["about"] and "row" not in r["about"]
    ]
    table = [_drift(facts, r) for r in sorted(rows, key=lambda r: (r["measure"], str(sorted(r["about"].items()))))]
    plot = [t for t in table if t["measure"] == "drift" and t["number"] is not None]
    chart = None
    if plot:
        data = [Dot(t["name"], t["number"], t["low"], t["high"], (t["value"], t["floor"])) for t in plot]
        say = "; ".join(f"{t['name']} {t['value']}, floor {t['floor']}" for t in plot)
        above = sum(t["above"] for t in plot)
        finding = f"{above} of {len(plot)} explanations drift beyond their floor"
        chart = drift(data, [t["band"] for t in plot], f"{finding}. {say}", ("Drift", "Floor"))
        return {"table": table, "chart": chart, "finding": finding, "reasons": reasons(facts)}
    return {"table": table, "chart": chart, "finding": "", "reasons": reasons(facts)}


def _key(row: Row) -> dict[str, str]:
    return {k: v for k, v in row["about"].items() if k not in ("candidate", "against")}


def _drift(facts: Facts, row: Row) -> Json:
    floors = [r for r in facts.rows("drift_floor") if _key(r) == _key(row)] if row["measure"] == "drift" else []
    floor = floors[0] if floors else None
    low, high = interval(floor)
    top = high if high is not None else value(floor)
    number = value(row)
    return {
        "measure": row["measure"],
        "name": ", ".join(visible(v, 50) for _, v in sorted(_key(row).items())) or title(row["measure"]),
        "what": title(row["measure"]),
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
        "reason": visible(row.get("reason") or (floor or {}).get("reason") or "", 160),
    }


def reasons(facts: Facts) -> list[Json]:
    """The headline: share of unflipped rows whose top reason changed, with interval and floor."""
    out = []
    for row in facts.rows("reason_change_rate", candidate=facts.judged):
        floor = next((r for r in facts.rows("reason_change_floor") if _key(r) == _key(row)), None)
        out.append(
            {
                "explainer": ", ".join(visible(v, 50) for _, v in sorted(_key(row).items())),
                "value": shown(row),
                "interval": shown_span(row),
                "floor": shown(floor),
                "floor_span": shown_span(floor),
                "n": row.get("n"),
                "reason": visible(row.get("reason") or "", 160),
            }
        )
    return out
