"""Findings about the limits themselves: what these rows cannot show, how many were compared, and what has no limit."""

from __future__ import annotations

from collections.abc import Iterator

from qaudit.core.catalogue.measures import MEASURES, is_range
from qaudit.core.comparison import selects
from qaudit.core.evidence import Finding
from qaudit.core.numbers import one, whole
from qaudit.inputs.policy import older_use
from qaudit.pipeline.stages.find_context import FindingContext
from qaudit.pipeline.stages.find_text import named

MOST = 20
"""Sentences or groups that one finding lists."""


def out_of_reach(facts: FindingContext) -> Iterator[Finding]:
    """QA-030: limits that these rows cannot show to be met, known before the run."""
    for sentence in facts.out_of_reach[:MOST]:
        yield Finding("QA-030", sentence, (), "rules", "attention")
    if len(facts.out_of_reach) > MOST:
        text = f"{whole(len(facts.out_of_reach) - MOST)} further limits or groups cannot be shown to be met with these rows."
        yield Finding("QA-030", text, (), "rules", "attention")


def comparisons(facts: FindingContext) -> Iterator[Finding]:
    """QA-031: the number of comparisons, and the chance that a limit which is met is found outside."""
    if not facts.assessments:
        return
    results = facts.outcome
    text = f"{_number(len(facts.assessments), 'limit')} in {_number(results.comparisons, 'comparison')} with a row of evidence"
    if results.false_outside is None:
        text += "; none is decided by an interval."
    else:
        text += (
            f", {whole(results.by_interval)} by an interval. If every limit was just met in truth, the chance that at least one "
            f"of them was found outside would be at most {one(results.false_outside, 'share')}."
        )
    yield Finding("QA-031", text, (), "rules")


def _number(count: int, word: str) -> str:
    return f"{whole(count)} {word}" if count == 1 else f"{whole(count)} {word}s"


def groups_without_limit(facts: FindingContext) -> Iterator[Finding]:
    """QA-032: groups of which changed decisions, or errors, were measured without a limit that speaks of them."""
    if facts.policy is None or facts.judged is None:
        return
    for measure in ("flip_rate", "mae_change"):
        rows = facts.rows(measure, facts.judged, "group")
        wanted = [limit.where.get("group", "") for limit in facts.policy.limits if limit.measure == measure]
        without = [
            index for index in rows if not any(selects("group", each, facts.evidence[index].about["group"]) for each in wanted)
        ]
        if without:
            names = ", ".join(named(facts.evidence[index].about["group"]) for index in without[:MOST])
            more = f" and {whole(len(without) - MOST)} more" if len(without) > MOST else ""
            text = f"No limit is set on {MEASURES[measure].title.lower()} of these groups, which were measured: {names}{more}."
            yield Finding("QA-032", text, tuple(without), "rules")


def older(facts: FindingContext) -> Iterator[Finding]:
    """QA-033: limits with `use = "upper"` or "lower", of policies of version 0.1."""
    text = older_use(facts.policy) if facts.policy is not None else None
    if text is not None:
        yield Finding("QA-033", text, (), "rules", "attention")


def ranges(facts: FindingContext) -> Iterator[Finding]:
    """QA-034: limits on a number whose range is no interval, so that the number alone was compared."""
    ids = [each.limit.id for each in facts.assessments if is_range(each.limit.measure) and each.observed is not None]
    if ids:
        text = (
            f"Limits {named(', '.join(ids), 300)}: the range beside the number is one of rows or of reruns and bounds no value, "
            "so that the number alone was compared."
        )
        yield Finding("QA-034", text, (), "rules")
