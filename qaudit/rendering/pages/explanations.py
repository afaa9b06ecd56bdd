"""Assigns each kind of explanation to a section, and prepares sections 3 (importance) and 4 (surrogate tree)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from qaudit.core.catalogue import measures
from qaudit.core.explanation import EXPLANATION_NAMES
from qaudit.core.json_values import Json
from qaudit.core.measures.surrogate import WEAK
from qaudit.core.numbers import NONE, capped, column, fixed, one, whole
from qaudit.rendering.charts.rows import Pair, dumbbell
from qaudit.rendering.charts.scatter import Point, scatter
from qaudit.rendering.charts.tree import MOST, Leaf, leaves, tree
from qaudit.rendering.pages.cases import attributions, local_models
from qaudit.rendering.pages.compared import Compared, entries, pairs
from qaudit.rendering.table import EvidenceTable, same_decimals, shown, shown_span, spans, title, value
from qaudit.rendering.text import in_words, settings_text, visible
from qaudit.report.explanations import FeatureImportance, Importance, Tree
from qaudit.report.model import Row

Features = dict[str, FeatureImportance]
TOP, MOST_CHARTS, MOST_RULES, MOST_PARTS = 15, 12, 40, 200
OF = {"prediction_change": "mean change of the prediction", "loss_change": "increase of the loss"}
HOW = {
    "drop_column": "when the model is trained again without the feature",
    "permutation": "when the feature is shuffled",
}


def sections(facts: EvidenceTable) -> Json:
    """The content of the sections on explanations by anchor. Every kind of explanation is in one of them."""
    shown_parts: Json = {"importance": [], "surrogate": {}, "local": []}
    for kind in EXPLANATION_NAMES:
        match kind:
            case "importance":
                shown_parts["importance"] += importance(facts)
            case "local_models":
                shown_parts["local"] += local_models(facts)
            case "attributions":
                shown_parts["local"] += attributions(facts)
            case "tree":
                shown_parts["surrogate"] = surrogate(facts)
            case _:
                assert_never(kind)
    return shown_parts


def importance(facts: EvidenceTable) -> list[Json]:
    """One dumbbell chart for each explainer and measure."""
    return [_importance(pair) for pair in pairs(facts, Importance)[:MOST_CHARTS]]


def _importance(pair: Compared[Importance]) -> Json:
    entry = pair.entry
    old = {row.feature: row for row in (pair.before.rows if pair.before else ())}
    new = {row.feature: row for row in (pair.after.rows if pair.after else ())}
    names = sorted({**old, **new}, key=lambda name: (-_largest(old, new, name), name))
    kept = names[:TOP]
    first, second = column([_mean(old, n) for n in kept]), column([_mean(new, n) for n in kept])
    data = []
    for index, name in enumerate(kept):
        a, b = old.get(name), new.get(name)
        floor = (a.low, a.high) if a and a.low is not None and a.high is not None else None
        low, high = (b.low, b.high) if b else (None, None)
        cells = (first[index], second[index], _ranks(a, b), _moved(a, b)) if new else (first[index], _rank(a))
        data.append(Pair(visible(name, 60), _mean(old, name), _mean(new, name), low, high, floor, cells))
    moved = [name for name in names if _moved(old.get(name), new.get(name))]
    finding = _finding(old, new, names, moved)
    say = "; ".join(f"{d.name} {a} to {b}" for d, a, b in zip(data, first, second, strict=True))
    axis = OF[entry.of].capitalize()
    return {
        "explainer": in_words(entry.explainer),
        "subtitle": f"{axis} {HOW.get(entry.explainer, '')}".strip(),
        "settings": settings_text(entry.settings),
        "seeds": len(entry.floor_seeds),
        "repeats": max((len(row.values) for row in entry.rows), default=0),
        "finding": finding,
        "chart": dumbbell(
            data, f"{finding}. {say}", axis, ("Reference", "Judged", "Rank", "Move") if new else ("Reference", "Rank")
        ),
        "left_out": capped(len(kept), len(names), "features"),
    }


def _largest(old: Features, new: Features, name: str) -> float:
    return max(_mean(old, name) or 0.0, _mean(new, name) or 0.0)


def _mean(rows: Features, name: str) -> float | None:
    return rows[name].mean if name in rows else None


def _rank(row: FeatureImportance | None) -> str:
    return NONE if row is None else fixed(row.rank, 0)


def _ranks(a: FeatureImportance | None, b: FeatureImportance | None) -> str:
    return f"{_rank(a)} → {_rank(b)}" if a and b and a.rank != b.rank else _rank(b or a)


def _moved(a: FeatureImportance | None, b: FeatureImportance | None) -> str:
    if a is None or b is None or a.rank == b.rank:
        return ""
    return f"{'▲' if b.rank < a.rank else '▼'} {fixed(abs(a.rank - b.rank), 0)}"


def _finding(old: Features, new: Features, names: Sequence[str], moved: Sequence[str]) -> str:
    if not old or not new:
        return f"{visible(names[0], 40)} matters most" if names else "No feature was measured"
    if not moved:
        return f"All {len(names)} features keep their rank"
    return f"{len(moved)} of {len(names)} features change rank"


def surrogate(facts: EvidenceTable) -> Json:
    """The trees of the candidate and of the reference, their fidelity beside the base rate, and size against fidelity."""
    every_tree = sorted(entries(facts, Tree), key=lambda entry: (entry.candidate != facts.judged, entry.candidate))
    trees = [entry for entry in every_tree if entry.candidate in (facts.judged, "reference")]
    return {
        "trees": [_tree(facts, entry) for entry in trees[:1]],
        "trade": trade(facts),
        "numbers": numbers(facts),
        "costs": costs(facts),
        "classes": _parts(facts, "class_fidelity", trees[0] if trees else None),
        "leaves": _parts(facts, "leaf_fidelity", trees[0] if trees else None),
        "both": bool(facts.judged),
    }


def _tree(facts: EvidenceTable, entry: Tree) -> Json:
    rows = leaves(entry.nodes)
    classes = [name[:200] for name in entry.classes]
    of = "the reference" if entry.candidate == "reference" else "the judged model"
    finding = f"A tree with {len(rows)} leaves and depth {entry.depth} that imitates {of}"
    chart = tree(entry.nodes, classes, f"{finding}. {_say(rows)}") if 1 < len(rows) <= MOST else None
    return {
        "of": of,
        "finding": finding,
        "chart": chart,
        "leaves": len(rows),
        "settings": settings_text(entry.settings),
        "explainer": visible(entry.explainer),
        "rules": [visible(text, 300) for text in entry.rules[:MOST_RULES]],
        "rules_left": capped(MOST_RULES, len(entry.rules), "rules"),
        "fidelity": shown(_about(facts, "fidelity", entry)),
        "fidelity_span": shown_span(_about(facts, "fidelity", entry)),
        "base": shown(_about(facts, "base_rate_fidelity", entry)),
    }


def _parts(facts: EvidenceTable, measure: str, entry: Tree | None) -> list[Json]:
    """Agreement of the drawn tree by predicted class or by leaf; a part below WEAK is marked."""
    if entry is None:
        return []
    rows = facts.rows(measure, candidate=entry.candidate, explainer=entry.explainer)[:MOST_PARTS]
    # the table of evidence sorts by class first; "leaf 10" is longer than "leaf 9"
    rows.sort(key=lambda row: (len(row.about.get("value_of", "")), row.about.get("value_of", "")))
    cells, ranges = same_decimals(rows), spans(rows)
    return [
        {
            "name": visible(row.about.get("value_of", "").capitalize()),
            "says": visible(row.about.get("output", ""), 60),
            "rows": NONE if row.n is None else whole(row.n),
            "share": cells[place],
            "span": ranges[place],
            "weak": row.value is not None and row.value < WEAK,
            "reason": visible(row.reason or "", 80),
        }
        for place, row in enumerate(rows)
    ]


def _say(rows: Sequence[Leaf]) -> str:
    return "; ".join(
        f"leaf {i + 1} says {visible(r.label, 30)}, rows {whole(r.rows)}"
        + ("" if r.agreement is None else f", agrees on {fixed(100 * r.agreement, 0)}%")
        for i, r in enumerate(rows)
    )


def _about(facts: EvidenceTable, measure: str, entry: Tree) -> Row | None:
    rows = facts.rows(measure, candidate=entry.candidate)
    same = [row for row in rows if row.about.get("explainer") in (None, entry.explainer)]
    return min(same, key=lambda row: len(row.about), default=None)


def numbers(facts: EvidenceTable) -> list[Json]:
    """Fidelity and cost of the surrogate tree, for the reference and for the candidate."""
    out = []
    for measure in measures.names("surrogate"):
        cells = []
        for candidate in ("reference", facts.judged):
            rows = [row for row in facts.rows(measure, candidate=candidate) if "tree" in row.about.get("explainer", "tree")]
            cells.append(min(rows, key=lambda row: len(row.about), default=None))
        if any(cells):
            reason = next((row.reason for row in cells if row and row.reason), "")
            spans = [shown_span(c) for c in cells]
            out.append(
                {"name": title(measure), "cells": [shown(c) for c in cells], "spans": spans, "reason": visible(reason, 160)}
            )
    return out


FITS = {"fidelity": "agreement", "local_r2": "R²"}


def costs(facts: EvidenceTable) -> list[Json]:
    """Cost and fit of the explanations: one row for each explainer, of the candidate under assessment or else the reference."""
    of = facts.judged if facts.rows("explain_cost", candidate=facts.judged) else "reference"
    out = []
    for row in facts.rows("explain_cost", candidate=of):
        same = {"candidate": of, "explainer": row.about.get("explainer")}
        rows = [each for measure in FITS for each in facts.rows(measure, **same)]
        fits = [each for each in rows if set(each.about) <= {*same, "against"}]
        sizes = [next(iter(facts.rows(name, **same)), None) for name in ("added_nodes", "added_parameters")]
        out.append(
            {
                "name": in_words(same["explainer"]),
                "cost": one(value(row), "") if (value(row) or 0) % 1 else whole(value(row) or 0),
                "sizes": [shown(size) for size in sizes],
                "fit": shown(fits[0]) if fits else NONE,
                "means": FITS[fits[0].measure] if fits else "",
            }
        )
    return out


def trade(facts: EvidenceTable) -> Json | None:
    """Size of the explanation against its fidelity, with one point for each setting."""
    measured = []
    for row in facts.rows("sweep_fidelity"):
        twin = next((r for r in facts.rows("sweep_leaves") if r.about == row.about), None)
        if row.value is not None and value(twin) is not None:
            measured.append((row, twin))
    if len(measured) < 2:
        return None
    points = [Point(_point(row), _series(facts, row), value(twin) or 0.0, row.value or 0.0) for row, twin in measured]
    best = max(points, key=lambda p: (p.y, -p.x, p.name))
    unit = measured[0][0].unit
    finding = f"Highest fidelity {one(best.y, unit)} with {one(best.x, 'count')} leaves"
    say = "; ".join(f"{p.series} {p.name}: {one(p.x, 'count')} leaves, {one(p.y, unit)}" for p in points)
    return {
        "finding": finding,
        "chart": scatter(points, f"{finding}. {say}", "Leaves of the tree", "Fidelity", unit, False, True, 140.0),
    }


def _point(row: Row) -> str:
    about = row.about
    return ", ".join(visible(about[k].replace("_", " "), 60) for k in ("explainer", "value_of", "repeat") if k in about) or NONE


def _series(facts: EvidenceTable, row: Row) -> str:
    candidate = row.about.get("candidate")
    return "judged" if candidate == facts.judged else "reference" if candidate == "reference" else visible(candidate, 40)
