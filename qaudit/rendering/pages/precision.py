"""Section 2: what quantization changed, over all rows, by group, by candidate, and by tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from qaudit.core.catalogue import measures
from qaudit.core.catalogue.verdicts import worst
from qaudit.core.json_values import Json
from qaudit.core.numbers import NONE, capped, column, decimals, fixed, is_percent, one, span, whole
from qaudit.rendering.charts.rows import Dot, dots, histogram
from qaudit.rendering.pages.candidates import sweep
from qaudit.rendering.pages.clipping import clipping
from qaudit.rendering.pages.group_gaps import group_gaps
from qaudit.rendering.table import (
    EvidenceTable,
    bin_edges,
    interval,
    same_decimals,
    shown,
    shown_span,
    spans,
    title,
    unit_of,
    value,
)
from qaudit.rendering.text import visible
from qaudit.report.model import Row, Tensor

MOST_TENSORS, MOST_GROUPS, MOST_FORMULAS = 30, 24, 20


def precision(facts: EvidenceTable) -> Json:
    """Everything the page shows; empty lists where nothing was measured."""
    return {
        "metrics": metrics(facts),
        "flips": flips(facts),
        "groups": groups(facts),
        "differences": group_gaps(facts),
        "histogram": score_changes(facts),
        "sweep": sweep(facts),
        "clipping": clipping(facts),
        "tensors": tensors(facts),
        "formulas": formulas(facts),
        "contributions": contributions(facts),
        "lowering": lowering(facts),
        "both": facts.judged is not None,
        "integer": any(tensor.role in ("input", "inputs") for tensor in judged_tensors(facts)),
    }


def judged_tensors(facts: EvidenceTable) -> tuple[Tensor, ...]:
    """The quantized arrays of the candidate under assessment; none where there is no such candidate."""
    return facts.judged_candidate.tensors if facts.judged_candidate else ()


def metrics(facts: EvidenceTable) -> list[Json]:
    """One row for each metric: reference, candidate, change with its interval. Instead of a missing value there is its reason."""
    lines = []
    for name in measures.names("performance"):
        before, after = facts.whole(name, "reference"), facts.whole(name, facts.judged)
        change_measure = measures.change_of(name)
        change = facts.whole(change_measure.name, facts.judged) if change_measure else None
        if before is None and after is None and change is None:
            continue
        unit = unit_of((after, before, change))
        levels, moved = [value(before), value(after)], [value(change), *interval(change)]
        if is_percent(unit):
            first, cells = column(levels, unit), column(moved, unit, True)
        else:
            places = min(max(decimals(levels), decimals(moved)), decimals(levels) + 1) or decimals(moved)
            first, cells = [fixed(v, places) for v in levels], [fixed(v, places, True) for v in moved]
        lines.append(
            {
                "name": title(name),
                "before": first[0],
                "after": first[1],
                "change": cells[0],
                "interval": f"{cells[1]} to {cells[2]}" if moved[1] is not None else NONE,
                "method": _method(change),
                "n": next(row.n for row in (after, before, change) if row),
                "reason": visible(next((row.reason for row in (change, after, before) if row and row.reason), ""), 160),
            }
        )
    return lines


def _method(row: Row | None) -> str:
    interval_of_row = row.interval if row else None
    return f"{fixed(100 * interval_of_row.level, 0)}% {visible(interval_of_row.method, 60)}" if interval_of_row else ""


def flips(facts: EvidenceTable) -> list[Json]:
    """Counts and rates of changed decisions over all rows."""
    lines = []
    for name in measures.names("changes"):
        row = facts.whole(name, facts.judged)
        if row is not None:
            reason = visible(row.reason or "", 160)
            item = {"name": title(name), "value": shown(row), "interval": shown_span(row), "n": row.n}
            lines.append({**item, "method": _method(row), "reason": reason})
    return lines


def groups(facts: EvidenceTable) -> Json | None:
    """Flip rate (or the change of the error) by group: chart and table."""
    measure = next((m for m in measures.names("groups") if _grouped(facts, m)), None)
    if measure is None:
        return None
    rows = _grouped(facts, measure)
    kept = rows[:MOST_GROUPS]
    overall = facts.whole(measure, facts.judged)
    shown_rows = [*([overall] if overall else []), *kept]
    names = ["All rows"] * bool(overall) + [visible(row.about["group"], 60) for row in kept]
    verdicts: dict[int, str] = {}
    for each in facts.report.assessments:
        # several limits may speak of one row; the verdict that needs attention first is drawn
        parts = [(part.evidence, part.verdict) for part in each.rows]
        for place, word in parts or ([] if each.evidence is None else [(each.evidence, each.verdict)]):
            verdicts[place] = worst([word, verdicts.get(place, word)]) or word
    places = {id(row): index for index, row in enumerate(facts.evidence)}
    cells = same_decimals(shown_rows)
    unit = kept[0].unit
    data = [
        Dot(
            name,
            value(row),
            *interval(row),
            (cell, NONE if row.n is None else whole(row.n)),
            _verdict(verdicts, places, row),
        )
        for name, row, cell in zip(names, shown_rows, cells, strict=True)
    ]
    known = [
        (v, name) for name, row in zip(names, shown_rows, strict=True) if (v := value(row)) is not None and name != "All rows"
    ]
    top = max(known, default=None)
    finding = (
        f"{title(measure)} is largest for {top[1]}: {one(top[0], unit)}" if top and top[0] > 0 else f"{title(measure)} by group"
    )
    numbers = "; ".join(f"{d.name} {cell}" for d, cell in zip(data, cells, strict=True))
    chart = dots(
        data, f"{finding}. {numbers}", title(measure), unit, (title(measure).split(" of ")[0], "Rows"), _limit(facts, measure)
    )
    table = [
        {
            "name": d.name,
            "value": cell,
            "interval": cell_span,
            "n": row.n,
            "more": _group_more(facts, row),
            "reason": visible(row.reason or "", 120),
        }
        for d, row, cell, cell_span in zip(data, shown_rows, cells, spans(shown_rows), strict=True)
    ]
    return {"finding": finding, "chart": chart, "table": table, "measure": title(measure),
            "left_out": capped(len(kept), len(rows), "groups"),
            "level": _method(next((row for row in shown_rows if row.interval), None))}  # fmt: skip


def _verdict(verdicts: Mapping[int, str], places: dict[int, int], row: Row) -> str:
    return verdicts.get(places[id(row)], "no_limit")


def _grouped(facts: EvidenceTable, measure: str) -> list[Row]:
    rows = [r for r in facts.rows(measure, candidate=facts.judged) if "group" in r.about]
    return [r for r in rows if set(r.about) <= {"candidate", "against", "group"}]


def _group_more(facts: EvidenceTable, row: Row) -> str:
    group = row.about.get("group")
    same_group = [r for r in _grouped(facts, "accuracy_change") if r.about["group"] == group] if group else []
    same_group = same_group or ([whole_row] if not group and (whole_row := facts.whole("accuracy_change", facts.judged)) else [])
    return one(same_group[0].value, same_group[0].unit, True) if same_group else NONE


def _limit(facts: EvidenceTable, measure: str) -> tuple[str, float] | None:
    for limit in (each.limit for each in facts.report.assessments):
        if limit.measure == measure and "group" in limit.where:
            if limit.at_most is not None:
                return "at most", limit.at_most
            if limit.at_least is not None:
                return "at least", limit.at_least
    return None


def score_changes(facts: EvidenceTable) -> Json | None:
    """Histogram of the change of the score, rows in bins."""
    rows = [
        r for r in facts.rows("score_change_histogram", candidate=facts.judged) if "bin" in r.about and "group" not in r.about
    ]
    ends = [(bin_edges(row.about.get("range") or row.about["bin"]), value(row) or 0.0) for row in rows]
    bins = sorted((edges, count) for edges, count in ends if edges)
    total = sum(count for _, count in bins)
    if not bins or total <= 0:
        return None
    edges, shares = [e for e, _ in bins], [count / total for _, count in bins]
    if any(math.isinf(x) for pair in edges for x in pair):
        wide = max((b - a for a, b in edges if math.isfinite(b - a)), default=1.0)
        edges = [(b - wide if math.isinf(a) else a, a + wide if math.isinf(b) else b) for a, b in edges]
    most = max(range(len(shares)), key=lambda i: shares[i])
    finding = f"{one(shares[most], 'share')} of rows move by {span(*edges[most])}"
    axis = (
        "Judged minus reference, in the unit of the target"
        if facts.report.subject.output == "regression"
        else "Judged minus reference, score of the decision"
    )
    return {"finding": finding, "chart": histogram(edges, shares, f"{finding}; {len(edges)} bins", axis), "n": rows[0].n}


def tensors(facts: EvidenceTable) -> Json | None:
    """All tensors of the candidate under assessment, by increasing SQNR."""
    rows = sorted(judged_tensors(facts), key=lambda t: (math.inf if t.sqnr_db is None else t.sqnr_db, t.parameter))
    if not rows:
        return None
    kept = rows[:MOST_TENSORS]
    noise, error = column([t.sqnr_db for t in kept], "dB"), column([t.max_abs_error for t in kept])
    table = [
        {
            "parameter": visible(t.parameter, 60),
            "role": visible(t.role, 24),
            "bits": visible(t.bits, 12),
            "shape": " × ".join(str(n) for n in t.shape) or "scalar",
            "sqnr": noise[i],
            "error": error[i],
            "saturated": _whole(t.saturated),
            "zeros": _whole(t.zeros),
            "distinct": _whole(t.distinct),
        }
        for i, t in enumerate(kept)
    ]
    return {"table": table, "left_out": capped(len(kept), len(rows), "tensors, the noisiest")}


def _whole(count: int | None) -> str:
    return NONE if count is None else whole(count)


def formulas(facts: EvidenceTable) -> list[Json]:
    """The formulas that made the codes and that turn them back into values; equal ones are listed once."""
    made_by = facts.judged_candidate.formulas if facts.judged_candidate else {}
    by_text: dict[str, list[str]] = {}
    for name, text in sorted(made_by.items()):
        by_text.setdefault(text[:4000], []).append(visible(name, 50))
    return [
        {"of": ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else ""), "lines": _lines(text)}
        for text, names in list(by_text.items())[:MOST_FORMULAS]
    ]


def _lines(text: str) -> list[str]:
    return [visible(line.strip(), 240) for line in text.replace(";", "\n").splitlines()[:12] if line.strip()]


def contributions(facts: EvidenceTable) -> Json | None:
    """What each tensor or bucket contributes to the prediction on calibration rows."""
    rows = [r for r in facts.rows("contribution", candidate=facts.judged) if value(r) is not None]
    rows.sort(key=lambda r: (-(r.value or 0), str(r.about)))
    cells = same_decimals(rows[:12])
    table = [{"name": _about(r), "value": cell, "n": r.n} for r, cell in zip(rows[:12], cells, strict=True)]
    return {"table": table, "left_out": capped(len(table), len(rows), "parts, the largest")} if rows else None


def _about(row: Row) -> str:
    order: Sequence[str] = ("parameter", "value_of", "range", "bin", "output")
    return ", ".join(visible(row.about[key], 70) for key in order if key in row.about) or NONE


def lowering(facts: EvidenceTable) -> Json:
    """The reading proof: the predictions of the program are those of the model."""
    proof = facts.report.subject.lowering
    rows = proof.ambiguous_rows
    return {
        "proved": proof.proved,
        "statement": visible(proof.statement, 400),
        "why_not": visible(proof.why_not or "", 400),
        "rows": proof.rows,
        "error": one(proof.max_error),
        "bound": one(proof.bound),
        "ambiguous": ", ".join(str(r) for r in rows[:20]) + (f" and {len(rows) - 20} more" if len(rows) > 20 else ""),
        "count": len(rows),
    }
