"""A limit compared with a row of evidence: what was observed, the end of the interval that decides, the verdict, the rows wanted.

With the margin m of "at most m" and the interval [low, high] of what is estimated: within where high <= m, outside where
low > m, else not demonstrable. "At least m" is the mirror image. `near` modifies within. A number without an interval by its
nature (a count, a size) is compared as it is, and so is any number where the limit has `use = "value"`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from scipy.special import stdtrit

from qaudit.core.catalogue.measures import EXACT, MEASURES, OVER_ROWS, PAIRED, REPEATS, is_range, is_signed
from qaudit.core.catalogue.verdicts import VerdictWord, precedence
from qaudit.core.evidence import Bound, ComparedRow, Evidence, Interval, Limit, RowsNeeded
from qaudit.core.inference.intervals import CLOPPER_PEARSON, NEWCOMBE
from qaudit.core.inference.rows_needed import rows_by_width, rows_for_mean, rows_for_paired_change, rows_for_share
from qaudit.core.numbers import one, whole

AS_VALUE = 'use = "value" in the policy compares the value on these rows alone'


def compared(limit: Limit, index: int, table: Sequence[Evidence]) -> ComparedRow:
    """Row `index` of the table against the limit. Other rows of the table tell how many rows would do."""
    row = table[index]
    if row.value is None:
        return ComparedRow(index, "not_assessed", None, None, row.n, reason=row.reason or "no value was measured")
    interval = compared_interval(limit, row)
    if interval is None and by_interval(limit, row):
        why = row.reason or "no interval was computed"
        return ComparedRow(index, "not_assessed", row.value, None, row.n, reason=f"{why}; {AS_VALUE}")
    ends = (row.value, row.value) if interval is None else (interval.low, interval.high)
    verdict = verdict_of(limit, *ends)
    bound = None if interval is None else _bound(limit, interval, verdict)
    if verdict != "not_demonstrable":
        return ComparedRow(index, verdict, row.value, bound, row.n, reason=row.reason or "")
    assert interval is not None  # a single number lies on one side
    needed = rows_needed(limit, row, interval, table)
    reason = "; ".join(filter(None, (not_demonstrable(limit, row, needed), row.reason)))
    return ComparedRow(index, verdict, row.value, bound, row.n, needed, reason)


def selects(key: str, wanted: str, value: str) -> bool:
    """Whether `wanted` of a limit means `value` of a row: "*" every value, "column=*" every group of one column."""
    if wanted in ("*", value):
        return True
    return key == "group" and wanted.endswith("=*") and value.startswith(wanted[:-1])


def by_interval(limit: Limit, row: Evidence) -> bool:
    """Whether an interval must decide about a limit, so that without one it is not assessed.

    What is measured on a parameter is a property of that array, exactly, also where the measure has intervals over rows.
    """
    if limit.use is None and "parameter" in row.about:
        return False
    measure = MEASURES.get(limit.measure)
    return limit.use != "value" and (limit.use is not None or (measure is not None and measure.inferred))


def compared_interval(limit: Limit, row: Evidence) -> Interval | None:
    """The interval that decides about a limit; None where the value does. A range of rows or of reruns is no such interval."""
    return None if limit.use == "value" or is_range(row.measure) else row.interval


def verdict_of(limit: Limit, low: float, high: float) -> VerdictWord:
    """The verdict on an interval; that on a value is the verdict on twice the value.

    The near band belongs to the allowed side: at_most with near = 0.008 is near above 0.008.
    """
    sign, margin = _mirrored(limit)
    low, high = sorted((sign * low, sign * high))
    if low > margin:
        return "outside"
    if high > margin:
        return "not_demonstrable"
    return "near" if limit.near is not None and high > sign * limit.near else "within"


def beyond(limit: Limit, row: ComparedRow) -> float:
    """How far what was compared lies beyond the limit, negative inside it; -inf where nothing was compared."""
    number = row.observed if row.bound is None else row.bound.value
    sign, margin = _mirrored(limit)
    return -math.inf if number is None else sign * number - margin


def worst_row(limit: Limit, rows: Sequence[ComparedRow]) -> ComparedRow:
    """The row that decides about a limit: a row that could not be assessed is never counted as within."""
    return min(rows, key=lambda row: (precedence(row.verdict), -beyond(limit, row), row.evidence))


def rows_needed(limit: Limit, row: Evidence, interval: Interval, table: Sequence[Evidence]) -> RowsNeeded | None:
    """The rows that would do for an interval on both sides of the limit; None for an interval over repeats, not over rows."""
    limited = limit.at_most if limit.at_most is not None else limit.at_least
    assert limited is not None
    assert row.value is not None
    measure = MEASURES.get(row.measure)
    kind = measure.interval if measure is not None else ""
    if kind == REPEATS or not row.n:
        return None
    level, upper = interval.level, limit.at_most is not None
    if kind == EXACT and interval.method == CLOPPER_PEARSON:
        best = (0.0 if upper else 1.0) if measure is not None and measure.better == ("low" if upper else "high") else None
        return _wanted(
            row.n,
            rows_for_share(row.value, limited, level),
            None if best is None or best == limited else rows_for_share(best, limited, level),
        )
    if kind == PAIRED and interval.method == NEWCOMBE and (shares := _paired_shares(row, table)) is not None:
        fixed, broken, before = shares
        at_best = _unchanged(before, limited, level, upper=upper)
        return _wanted(row.n, rows_for_paired_change(fixed, broken, before, limited, level), at_best)
    # the end of the interval that lies towards the limit, seen from the value
    reach = interval.high - row.value if row.value < limited else row.value - interval.low
    if kind == OVER_ROWS and row.n > 1:
        deviation = reach * math.sqrt(row.n) / float(stdtrit(row.n - 1, 0.5 + level / 2))
        return _wanted(row.n, rows_for_mean(row.value, deviation, limited, level), None)
    return _wanted(row.n, rows_by_width(reach, row.n, abs(limited - row.value)), None)


def not_demonstrable(limit: Limit, row: Evidence, needed: RowsNeeded | None) -> str:
    """ "not demonstrable with 111 rows; 651 would do at the observed 0.90%, 183 would do if there were none at all"."""
    text = f"not demonstrable with {whole(row.n)} rows" if row.n is not None else "not demonstrable with these rows"
    parts = []
    if needed is not None and needed.as_observed is not None and needed.as_observed != needed.at_best:
        sign, margin = _mirrored(limit)
        does = "would show it outside" if row.value is not None and sign * row.value > margin else "would do"
        parts.append(f"{whole(needed.as_observed)} {does} at the observed {one(row.value, row.unit, is_signed(row.measure))}")
    if needed is not None and needed.at_best is not None:
        parts.append(f"{whole(needed.at_best)} would do {at_best_text(limit)}")
    return "; ".join(filter(None, (text, ", ".join(parts))))


def at_best_text(limit: Limit, even: str = "") -> str:
    """The best case of a limit as a condition."""
    if is_signed(limit.measure):
        return f"{even}if no decision changed"
    return f"{even}if there were none at all" if limit.at_most is not None else f"{even}if there were no exception"


def _mirrored(limit: Limit) -> tuple[Literal[1, -1], float]:
    """Sign and margin that turn every limit into "at most": what must be at least is mirrored."""
    if limit.at_most is not None:
        return 1, limit.at_most
    assert limit.at_least is not None  # exactly one of the two is set
    return -1, -limit.at_least


def _bound(limit: Limit, interval: Interval, verdict: VerdictWord) -> Bound:
    upper = (limit.at_most is not None) != (verdict == "outside")
    value: float = interval.high if upper else interval.low
    return Bound(value, "upper" if upper else "lower", interval.level, interval.method)


def _wanted(n: int, as_observed: int | None, at_best: int | None) -> RowsNeeded | None:
    """The numbers of rows; as observed at least n + 1, since these n did not do (the search rounds no counts). None for none."""
    if as_observed is None and at_best is None:
        return None
    return RowsNeeded(None if as_observed is None else max(as_observed, n + 1), at_best)


def _unchanged(before: float, limited: float, level: float, *, upper: bool) -> int | None:
    """Rows with which no change at all would keep a limit on the change of a share; None where none would do."""
    if upper:
        # the mirror image: a share that rises is the share of the others that falls
        return _unchanged(1.0 - before, -limited, level, upper=False)
    return rows_for_paired_change(0.0, 0.0, before, limited, level) if limited < 0.0 else None


def _paired_shares(row: Evidence, table: Sequence[Evidence]) -> tuple[float, float, float] | None:
    """Shares of rows changed to the right and to the wrong decision, and the accuracy before; None where they are not known."""
    if row.measure != "accuracy_change" or not row.n:
        return None
    part = {key: value for key, value in row.about.items() if key not in ("candidate", "against")}
    about = dict(row.about)
    fixed, broken = (_value_of(name, about, table) for name in ("flips_fixed", "flips_broken"))
    before = _value_of("accuracy", {**part, "candidate": str(row.about.get("against"))}, table)
    return None if fixed is None or broken is None or before is None else (fixed / row.n, broken / row.n, before)


def _value_of(measure: str, about: dict[str, str], table: Sequence[Evidence]) -> float | None:
    return next((each.value for each in table if each.measure == measure and dict(each.about) == about), None)
