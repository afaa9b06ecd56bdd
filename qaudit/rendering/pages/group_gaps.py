"""The part of section 2 on groups and classes: gaps, each group beside all others, cells of two columns, fit, classes."""

from __future__ import annotations

from collections.abc import Iterable

from qaudit.core.catalogue.measures import MEASURES, change_of
from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE, capped, whole
from qaudit.rendering.table import EvidenceTable, shown, shown_span, title
from qaudit.rendering.text import visible
from qaudit.report.model import Row

MOST = 60


def group_gaps(facts: EvidenceTable) -> Json:
    """The tables; empty lists where nothing was measured."""
    return {
        "gaps": _table(_gap(facts, row) for row in _gaps(facts)),
        "apart": _table(_beside(facts, row, "group") for row in _differences(facts, "group")),
        "fit": _table(_fit(facts, row) for row in _levels(facts)),
        "cells": _table(_beside(facts, row, "intersection") for row in _differences(facts, "intersection")),
        "classes": _table(_of_class(facts, row) for row in _class_levels(facts)),
    }


def _table(rows: Iterable[Json]) -> Json | None:
    every = list(rows)
    return {"rows": every[:MOST], "left_out": capped(MOST, len(every), "rows")} if every else None


def _shown_of(facts: EvidenceTable) -> str:
    """The model that the tables speak of: the candidate under assessment, else the reference."""
    return facts.judged or "reference"


def _gaps(facts: EvidenceTable) -> list[Row]:
    return [row for name in MEASURES if name.endswith("_gap") for row in facts.rows(name, candidate=_shown_of(facts))]


def _gap(facts: EvidenceTable, row: Row) -> Json:
    about = dict(row.about)
    twin = next(iter(facts.rows(f"{row.measure}_change", candidate=facts.judged, group=about["group"])), None)
    before = next(iter(facts.rows(row.measure, candidate="reference", group=about["group"])), None)
    return {
        "name": title(row.measure).partition(", ")[2].capitalize(),
        "groups": visible(about.get("value_of") or about["group"], 80),
        "before": shown(before),
        "value": shown(row),
        "span": _span(row),
        "change": shown(twin),
        "change_span": NONE if twin is None else _span(twin),
    }


def _differences(facts: EvidenceTable, key: str) -> list[Row]:
    names = [name for name, measure in MEASURES.items() if measure.difference]
    return [row for name in names for row in facts.rows(name, candidate=_shown_of(facts)) if key in row.about]


def _beside(facts: EvidenceTable, row: Row, key: str) -> Json:
    level = row.measure.removesuffix("_difference")
    where = {key: row.about[key]}
    return {
        "name": title(level),
        "group": visible(row.about[key], 80),
        "before": shown(_of(facts, level, "reference", where)),
        "level": shown(_of(facts, level, _shown_of(facts), where)),
        "value": shown(row),
        "span": _span(row),
        "n": NONE if row.n is None else whole(row.n),
    }


def _levels(facts: EvidenceTable) -> list[Row]:
    names = [name for name, each in MEASURES.items() if each.grouped == "judged" and "performance" in each.places]
    rows = [row for name in names for row in facts.rows(name, candidate=_shown_of(facts)) if "group" in row.about]
    return [row for row in rows if row.value is not None]


def _fit(facts: EvidenceTable, row: Row) -> Json:
    where, change = {"group": row.about["group"]}, change_of(row.measure)
    return _three(facts, row, where, change.name if change else None) | {"group": visible(row.about["group"], 80)}


def _class_levels(facts: EvidenceTable) -> list[Row]:
    return [row for name in ("class_recall", "class_precision") for row in facts.rows(name, candidate=_shown_of(facts))]


def _of_class(facts: EvidenceTable, row: Row) -> Json:
    where = {"output": row.about["output"]}
    return _three(facts, row, where, f"{row.measure}_change") | {"group": visible(row.about["output"], 60)}


def _three(facts: EvidenceTable, row: Row, where: dict[str, str], change: str | None) -> Json:
    """Reference, the model that is shown, and its change."""
    moved = None if change is None else _of(facts, change, facts.judged, where)
    return {
        "name": title(row.measure),
        "before": shown(_of(facts, row.measure, "reference", where)),
        "level": shown(row),
        "level_span": _span(row),
        "value": shown(moved),
        "span": NONE if moved is None else _span(moved),
        "n": NONE if row.n is None else whole(row.n),
    }


def _of(facts: EvidenceTable, measure: str, candidate: str | None, where: dict[str, str]) -> Row | None:
    rows = facts.rows(measure, candidate=candidate, **where) if candidate else []
    return next((row for row in rows if set(row.about) <= {"candidate", "against", *where}), None)


def _span(row: Row) -> str:
    """The interval with its level and method, and the reason."""
    method = f" ({100 * row.interval.level:.0f}%, {visible(row.interval.method, 90)})" if row.interval else ""
    reason = visible(row.reason or "", 120)
    text = "" if row.interval is None else shown_span(row) + method
    return "; ".join(filter(None, (text, reason))) or NONE
