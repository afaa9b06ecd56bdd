"""Evidence of the judged candidate held against the author's limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qaudit.core.evidence import Assessment, Evidence, Limit, Verdict, section_of
from qaudit.core.json_values import Json
from qaudit.inputs.policy import Policy

WORST: tuple[Verdict, ...] = ("outside", "undecided", "not_assessed", "near", "within")
"""Where several rows match a limit the worst decides: a row that could not be assessed is never counted as within."""
SLICES = ("group", "row", "bin", "range", "repeat")
"""Parts of the rows or of a measurement: a limit speaks of them only where `where` names them."""
OPEN = ("outside", "undecided", "near")


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One evidence row against a limit; `excess` is how far the deciding number lies beyond the limit (negative: inside)."""

    row: int
    verdict: Verdict
    excess: float
    reason: str


def assess(policy: Policy | None, evidence: Sequence[Evidence], judged: str | None) -> tuple[Assessment, ...]:
    """One assessment a limit, in the policy's order; none without a policy. `evidence` is the final table."""
    return tuple(_assessed(limit, evidence, judged) for limit in (policy.limits if policy else ()))


def exit_code(assessments: Sequence[Assessment], *, failed: bool = False) -> int:
    """0 complete; 1 a limit exceeded; 2 a selected plugin failed or the PDF could not be made (2 wins over 1)."""
    if failed:
        return 2
    return int(any(found.verdict == "outside" for found in assessments))


def next_steps(assessments: Sequence[Assessment], evidence: Sequence[Evidence]) -> list[Json]:
    """What to do next: the author's `todo` of each open limit, or a plain sentence; outside first, then undecided, then near."""
    found = [a for verdict in OPEN for a in assessments if a.verdict == verdict]
    return [{"text": a.limit.todo or _default(a, evidence), "limit": a.limit.id, "section": a.section} for a in found]


def matches(limit: Limit, row: Evidence, judged: str) -> bool:
    """Whether a row is of the limit's measure, of the judged candidate, and of the rows that `where` names ("*": any)."""
    if row.measure != limit.measure or row.about.get("candidate") != judged:
        return False
    if any(key in row.about and key not in limit.where for key in SLICES):
        return False
    return all(key in row.about and value in ("*", row.about[key]) for key, value in limit.where.items())


def _assessed(limit: Limit, evidence: Sequence[Evidence], judged: str | None) -> Assessment:
    section = section_of(limit.measure)
    if judged is None:
        return Assessment(limit, None, "not_assessed", section, "no candidate is judged")
    rows = [index for index, row in enumerate(evidence) if matches(limit, row, judged)]
    # a row about nothing more than `where` names is the whole; its parts (a tensor, a quantile) decide only where there is none
    whole = [index for index in rows if {*evidence[index].about} - {"candidate", "against"} == {*limit.where}]
    held = [_held(limit, index, evidence[index]) for index in whole or rows]
    if not held:
        return Assessment(limit, None, "not_assessed", section, _nothing(limit))
    worst = min(held, key=lambda h: (WORST.index(h.verdict), -h.excess, h.row))
    several = f"worst of {len(held)} rows: {_named(limit, evidence[worst.row])}" if len(held) > 1 else ""
    return Assessment(limit, worst.row, worst.verdict, section, "; ".join(filter(None, (several, worst.reason))))


def _held(limit: Limit, index: int, row: Evidence) -> _Comparison:
    verdict, excess, reason = verdict_of(limit, row)
    return _Comparison(index, verdict, excess, reason)


def verdict_of(limit: Limit, row: Evidence) -> tuple[Verdict, float, str]:
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


def _named(limit: Limit, row: Evidence) -> str:
    """What tells a row from the others that matched."""
    parts = [f"{key} {value}" for key, value in row.about.items() if key not in ("candidate", "against")]
    return ", ".join(parts) or limit.measure


def _nothing(limit: Limit) -> str:
    where = ", ".join(f"{key} {value}" for key, value in limit.where.items())
    return f"nothing was measured for {limit.measure}" + (f" where {where}" if where else "")


def _default(found: Assessment, evidence: Sequence[Evidence]) -> str:
    limit = found.limit
    name = limit.title or limit.measure
    row = None if found.evidence is None else evidence[found.evidence]
    where = f" ({_named(limit, row)})" if row is not None and len(row.about) > 2 else ""
    if found.verdict == "outside":
        return f"Take a candidate with a smaller loss, or record an exception with its reason: {name}{where} exceeds the limit."
    if found.verdict == "undecided":
        return f"Measure more rows: the interval of {name}{where} holds the limit, so these rows do not decide it."
    return f"Watch {name}{where}: it lies inside the warning band of the limit."
