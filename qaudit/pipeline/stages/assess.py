"""Compares the evidence of the candidate under assessment with the author's limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from qaudit.core.catalogue.measures import OF_PLUGIN, section_of
from qaudit.core.catalogue.sections import Anchor
from qaudit.core.catalogue.verdicts import RANKS, VERDICTS, VerdictWord, precedence
from qaudit.core.evidence import Assessment, Evidence, Limit
from qaudit.core.json_values import Json
from qaudit.inputs.policy import Policy

SLICES = ("group", "row", "bin", "range", "repeat")
"""Keys that select a part of the rows or of a measurement: a limit applies to such a part only where `where` names the key."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One row of evidence compared with a limit. `excess` is how far the value lies beyond the limit, negative inside it."""

    row: int
    verdict: VerdictWord
    excess: float
    reason: str


def assess(
    policy: Policy | None, evidence: Sequence[Evidence], judged: str | None, declared: Mapping[str, Anchor] | None = None
) -> tuple[Assessment, ...]:
    """One assessment a limit, in the policy's order; none without a policy. `evidence` is the final table, `declared` maps the
    measures that plugins declared to the sections that show them."""
    return tuple(_assessed(limit, evidence, judged, declared or {}) for limit in (policy.limits if policy else ()))


def exit_code(assessments: Sequence[Assessment], *, failed: bool = False) -> int:
    """0 complete; 1 a limit exceeded; 2 a selected plugin failed or the PDF could not be made (2 wins over 1)."""
    if failed:
        return 2
    return int(any(VERDICTS[each.verdict].exceeded for each in assessments))


def next_steps(assessments: Sequence[Assessment], evidence: Sequence[Evidence]) -> list[Json]:
    """What to do next, in the order of attention: the author's `todo` of each limit whose verdict asks for a step, or a plain
    sentence."""
    ordered = sorted(assessments, key=lambda each: RANKS[each.verdict])
    steps = [(each, text) for each in ordered if (text := _step(each, evidence))]
    return [{"text": each.limit.todo or text, "limit": each.limit.id, "section": each.section} for each, text in steps]


def matches(limit: Limit, row: Evidence, judged: str) -> bool:
    """Whether a row has the measure of the limit, belongs to the candidate, and is one that `where` selects ("*": any value)."""
    if row.measure != limit.measure or row.about.get("candidate") != judged:
        return False
    if any(key in row.about and key not in limit.where for key in SLICES):
        return False
    return all(key in row.about and value in ("*", row.about[key]) for key, value in limit.where.items())


def _assessed(limit: Limit, evidence: Sequence[Evidence], judged: str | None, declared: Mapping[str, Anchor]) -> Assessment:
    of_plugin = OF_PLUGIN.fullmatch(limit.measure) is not None
    if of_plugin and limit.measure not in declared:
        return Assessment(limit, None, "not_assessed", "rules", f"no plugin of this run declares a measure {limit.measure}")
    section = declared[limit.measure] if of_plugin else section_of(limit.measure)
    if judged is None:
        return Assessment(limit, None, "not_assessed", section, "no candidate is judged")
    rows = [index for index, row in enumerate(evidence) if matches(limit, row, judged)]
    # a row about nothing more than `where` names is the whole; its parts (a tensor, a quantile) decide only where there is none
    whole = [index for index in rows if {*evidence[index].about} - {"candidate", "against"} == {*limit.where}]
    comparisons = [_compared(limit, index, evidence[index]) for index in whole or rows]
    if not comparisons:
        return Assessment(limit, None, "not_assessed", section, _nothing_measured(limit))
    # a row that could not be assessed is never counted as within
    worst = min(comparisons, key=lambda h: (precedence(h.verdict), -h.excess, h.row))
    several = f"worst of {len(comparisons)} rows: {_description(limit, evidence[worst.row])}" if len(comparisons) > 1 else ""
    return Assessment(limit, worst.row, worst.verdict, section, "; ".join(filter(None, (several, worst.reason))))


def _compared(limit: Limit, index: int, row: Evidence) -> _Comparison:
    verdict, excess, reason = verdict_of(limit, row)
    return _Comparison(index, verdict, excess, reason)


def verdict_of(limit: Limit, row: Evidence) -> tuple[VerdictWord, float, str]:
    """Verdict, excess over the limit, and a reason. With `use` that number alone decides, else the interval, else the value.

    The near band belongs to the allowed side: at_most with near = 0.008 is near above 0.008.
    """
    if row.value is None:
        return "not_assessed", -math.inf, row.reason or "no value was measured"
    ends = _ends(limit, row)
    if ends is None:
        return "not_assessed", -math.inf, f"the limit uses the {limit.use} end of an interval and none was measured"
    # both bounds as "at most": what must be at least is mirrored
    sign, bound = (1.0, limit.at_most) if limit.at_most is not None else (-1.0, limit.at_least)
    assert bound is not None  # exactly one of the two is set
    low, high = sorted(sign * end for end in ends)
    excess = high - sign * bound
    note = row.reason or ""
    if low > sign * bound:
        return "outside", excess, note
    if high > sign * bound:
        return "undecided", excess, "; ".join(filter(None, ("the interval holds the limit", note)))
    near = limit.near is not None and high > sign * limit.near
    return ("near" if near else "within"), excess, note


def _ends(limit: Limit, row: Evidence) -> tuple[float, float] | None:
    """The numbers that decide: twice one number, or the two ends of the interval."""
    assert row.value is not None
    if limit.use == "value" or (limit.use is None and row.interval is None):
        return row.value, row.value
    if row.interval is None:
        return None
    if limit.use is None:
        return row.interval.low, row.interval.high
    end = row.interval.low if limit.use == "lower" else row.interval.high
    return end, end


def _description(limit: Limit, row: Evidence) -> str:
    """The keys and values that distinguish a row from others that match the same limit."""
    parts = [f"{key} {value}" for key, value in row.about.items() if key not in ("candidate", "against")]
    return ", ".join(parts) or limit.measure


def _nothing_measured(limit: Limit) -> str:
    where = ", ".join(f"{key} {value}" for key, value in limit.where.items())
    return f"nothing was measured for {limit.measure}" + (f" where {where}" if where else "")


def _step(assessment: Assessment, evidence: Sequence[Evidence]) -> str | None:
    """The next step after a verdict as a sentence; None where none is needed."""
    limit = assessment.limit
    name = limit.title or limit.measure
    row = None if assessment.evidence is None else evidence[assessment.evidence]
    what = name + (f" ({_description(limit, row)})" if row is not None and len(row.about) > 2 else "")
    match assessment.verdict:
        case "outside":
            return f"Take a candidate with a smaller loss, or record an exception with its reason: {what} exceeds the limit."
        case "undecided":
            return f"Measure more rows: the interval of {what} holds the limit, so these rows do not decide it."
        case "near":
            return f"Watch {what}: it lies inside the warning band of the limit."
        case "not_assessed" | "no_limit" | "within":
            return None
        case _:
            assert_never(assessment.verdict)
