"""Section 5: rows of the holdout explained by both models."""

from __future__ import annotations

from collections.abc import Sequence

from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE, compact, fixed, one, span
from qaudit.rendering.charts.cases import Bar, case
from qaudit.rendering.pages.compared import Compared, pairs
from qaudit.rendering.table import EvidenceTable
from qaudit.rendering.text import in_words, settings_text, visible
from qaudit.report.explanations import Attributions, Case, Fit, LocalModels

MOST_LOCAL = 6


def local_models(facts: EvidenceTable) -> list[Json]:
    """Cases and fit of each explainer that returns local models."""
    return [_local(pair, pair.entry.r2) for pair in pairs(facts, LocalModels)[:MOST_LOCAL]]


def attributions(facts: EvidenceTable) -> list[Json]:
    """Cases of each explainer that returns attributions."""
    return [_local(pair, None) for pair in pairs(facts, Attributions)[:MOST_LOCAL]]


def _local(pair: Compared[LocalModels] | Compared[Attributions], fit: Fit | None) -> Json:
    old = {each.row: each for each in (pair.before.cases if pair.before else ())}
    new = {each.row: each for each in (pair.after.cases if pair.after else ())}
    shown_ones = [(each, old.get(each.row), new.get(each.row)) for each in pair.entry.cases[:4]]
    bars = [_bars(before, after) for _, before, after in shown_ones]
    reach = max((abs(x) for case_bars in bars for b in case_bars for x in (b.before, b.after) if x is not None), default=1.0)
    return {
        "explainer": in_words(pair.entry.explainer),
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
