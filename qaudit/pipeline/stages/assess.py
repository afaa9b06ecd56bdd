"""Compares the evidence of the candidate under assessment with the author's limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qaudit.core.catalogue.measures import OF_PLUGIN, section_of
from qaudit.core.catalogue.sections import Anchor
from qaudit.core.catalogue.verdicts import RANKS, VERDICTS
from qaudit.core.comparison import compared, selects, worst_row
from qaudit.core.evidence import Assessment, Evidence, Limit
from qaudit.core.json_values import Json
from qaudit.inputs.policy import Policy

SLICES = ("group", "intersection", "row", "bin", "range", "repeat")
"""Keys that select a part of the rows or of a measurement: a limit applies to such a part only where `where` names the key."""


def assess(
    policy: Policy | None, evidence: Sequence[Evidence], judged: str | None, declared: Mapping[str, Anchor] | None = None
) -> tuple[Assessment, ...]:
    """One assessment a limit, in the policy's order; none without a policy. `evidence` is the final table, `declared` maps the
    measures that plugins declared to the sections that show them."""
    return tuple(_assessed(limit, evidence, judged, declared or {}) for limit in (policy.limits if policy else ()))


def next_steps(assessments: Sequence[Assessment], evidence: Sequence[Evidence]) -> list[Json]:
    """What to do next, in the order of attention: the author's `todo` of each limit whose verdict asks for a step, or a plain
    sentence. What the author would do about a limit that is not met is no answer to one that was not assessed."""
    ordered = sorted(assessments, key=lambda each: RANKS[each.verdict])
    steps = [(each, text) for each in ordered if (text := _step(each, evidence))]
    texts = [(each, text if each.verdict == "not_assessed" else each.limit.todo or text) for each, text in steps]
    return [{"text": text, "limit": each.limit.id, "section": each.section} for each, text in texts]


def matches(limit: Limit, row: Evidence, judged: str) -> bool:
    """Whether a row has the measure of the limit, belongs to the candidate, and is one that `where` selects."""
    if row.measure != limit.measure or row.about.get("candidate") != judged:
        return False
    if any(key in row.about and key not in limit.where for key in SLICES):
        return False
    return all(key in row.about and selects(key, wanted, row.about[key]) for key, wanted in limit.where.items())


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
    rows = whole or rows
    if not rows:
        return Assessment(limit, None, "not_assessed", section, _nothing_measured(limit))
    comparisons = [compared(limit, index, evidence) for index in rows]
    worst = worst_row(limit, comparisons)
    several = f"worst of {len(comparisons)} rows: {_description(limit, evidence[worst.evidence])}" if len(comparisons) > 1 else ""
    return Assessment(
        limit,
        worst.evidence,
        worst.verdict,
        section,
        "; ".join(filter(None, (several, worst.reason))),
        worst.observed,
        worst.bound,
        worst.n,
        worst.rows_needed,
        tuple(comparisons) if len(comparisons) > 1 else (),
    )


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
    step = VERDICTS[assessment.verdict].step
    return step.format(limit=what, reason=assessment.reason) if step else None
