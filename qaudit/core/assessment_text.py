"""An assessment in words, the same wherever it is printed: what was observed, how far it bounds such rows, and the limit.

The three are never one number: "observed 0.90% (1 of 111)", "at most 4.92% in such rows (95%)", "limit at most 2.00%".
"""

from __future__ import annotations

from qaudit.core.catalogue.measures import EXACT, MEASURES, REPEATS, is_signed
from qaudit.core.catalogue.verdicts import VERDICTS
from qaudit.core.evidence import Assessment, Bound, ComparedRow, Evidence, Limit
from qaudit.core.numbers import NONE, one, whole


def observed_text(row: Evidence | None) -> str:
    """ "0.90%": the measured value with its unit."""
    return NONE if row is None else one(row.value, row.unit, is_signed(row.measure))


def count_text(row: Evidence | None) -> str:
    """ "1 of 111" for a share of rows that were counted, "780 rows" for another value over rows; empty where neither is known."""
    if row is None or row.n is None or row.value is None or "parameter" in row.about:
        return ""
    measure = MEASURES.get(row.measure)
    kind = measure.interval if measure is not None else ""
    count = round(row.value * row.n)
    if kind == EXACT and row.unit == "share" and abs(row.value * row.n - count) < 1e-6 * max(1, row.n):
        return f"{whole(count)} of {whole(row.n)}"
    if kind == REPEATS:
        return f"{whole(row.n)} repeats"
    return f"{whole(row.n)} rows" if measure is not None and measure.inferred else ""


def bound_text(bound: Bound | None, row: Evidence | None) -> str:
    """ "at most 4.92% in such rows (95%)"; empty where no interval was compared."""
    if bound is None or row is None:
        return ""
    measure = MEASURES.get(row.measure)
    of = "over such repeats" if measure is not None and measure.interval == REPEATS else "in such rows"
    side = "at most" if bound.end == "upper" else "at least"
    return f"{side} {one(bound.value, row.unit, is_signed(row.measure))} {of} ({one(100 * bound.level)}%)"


def basis_text(limit: Limit, result: Assessment | ComparedRow, row: Evidence | None) -> str:
    """What was compared: the bound, or that the value holds on these rows alone where the policy asks for that."""
    measure = MEASURES.get(limit.measure)
    of_rows = measure is not None and measure.inferred and row is not None and "parameter" not in row.about
    if result.bound is None and result.observed is not None and limit.use == "value" and of_rows:
        return "compared on these rows alone"
    return bound_text(result.bound, row)


def limit_text(limit: Limit, unit: str) -> str:
    """ "at most 1.00%" or "at least 0.90"."""
    ends = (("at least", limit.at_least), ("at most", limit.at_most))
    return " and ".join(f"{word} {one(end, unit, is_signed(limit.measure))}" for word, end in ends if end is not None) or NONE


def compared_text(limit: Limit, result: Assessment | ComparedRow, row: Evidence | None) -> str:
    """Observed, bound, limit and verdict in one sentence; a remark follows it."""
    count = count_text(row)
    parts = [f"observed {observed_text(row)}" + (f" ({count})" if count else "") if result.observed is not None else ""]
    parts += [basis_text(limit, result, row), f"limit {limit_text(limit, row.unit if row is not None else '')}"]
    numbers = ", ".join(part for part in parts if part)
    word = VERDICTS[result.verdict].title.lower()
    # the remark on too few rows begins with the word itself
    verdict = "" if result.reason.startswith(f"{word} ") else word
    return f"{numbers}: {'; '.join(filter(None, (verdict, result.reason)))}"
