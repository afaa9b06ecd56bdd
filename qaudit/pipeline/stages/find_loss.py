"""Findings on what quantization changed: decisions, accuracy, groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qaudit.core.catalogue.measures import known
from qaudit.core.evidence import Finding
from qaudit.core.inference.intervals import zero_bound
from qaudit.core.measures.rows import SMALL
from qaudit.core.numbers import column, one
from qaudit.pipeline.stages.find_context import FindingContext
from qaudit.pipeline.stages.find_text import interval, named

SPLIT = {"fixed": "to the right one", "broken": "to the wrong one", "other": "between two wrong ones"}


def flips(facts: FindingContext) -> Iterator[Finding]:
    rate, flips = facts.one("flip_rate", facts.judged), facts.one("flips", facts.judged)
    if rate is None or flips is None:
        return
    row, count = facts.evidence[rate], int(facts.value(flips))
    n = row.n or 0
    if count == 0:
        bound = one(zero_bound(n), "share")
        text = f"0 of {n} decisions changed; at the 95% level this proves only that fewer than {bound} of such rows change."
        yield Finding("QA-003", text, (flips, rate), "precision")
        return
    parts = [facts.one(f"flips_{kind}", facts.judged) for kind in SPLIT]
    known = [index for index in parts if index is not None]
    parts_with_text = [(int(facts.value(index)), SPLIT[facts.evidence[index].measure.removeprefix("flips_")]) for index in known]
    split = ", ".join(f"{rows} {word}" for rows, word in parts_with_text if rows or word != SPLIT["other"])
    text = f"{count} of {n} decisions changed, {facts.text(rate)} ({interval(row)}): {split}."
    yield Finding("QA-002", text, (flips, rate, *known), "precision")


def worst_group(facts: FindingContext) -> Iterator[Finding]:
    whole = facts.one("flip_rate", facts.judged)
    rows = [i for i in facts.rows("flip_rate", facts.judged, "group") if facts.evidence[i].value is not None]
    large = [i for i in rows if (facts.evidence[i].n or 0) >= SMALL]
    if whole is None or not large or not facts.value(whole):
        return
    worst = max(large, key=lambda i: (facts.value(i), -i))
    row, low = facts.evidence[worst], facts.evidence[worst].interval
    apart = low is not None and low.low > facts.value(whole)
    text = (
        f"Of the declared groups of at least {SMALL} rows, {named(row.about['group'])} has the largest share of changed "
        f"decisions: {facts.text(worst)} of {row.n} rows ({interval(row)}), against {facts.text(whole)} of all rows."
    )
    yield Finding("QA-004", text, (worst, whole), "precision", "attention" if apart else "note")


def change(code: str, measure: str, what: str) -> Callable[[FindingContext], Iterator[Finding]]:
    """A finding on the change of a measure of fit, which sentences call `what`."""
    before = known(measure).change_of
    assert before is not None

    def finder(facts: FindingContext) -> Iterator[Finding]:
        index = facts.one(measure, facts.judged)
        old, new = facts.one(before, "reference"), facts.one(before, facts.judged)
        if index is None or old is None or new is None:
            return
        row = facts.evidence[index]
        levels = column([facts.value(old), facts.value(new)], row.unit)
        sentence = f"{what} went from {levels[0]} to {levels[1]}, a change of {facts.text(index)}"
        if row.interval is None:
            yield Finding(code, f"{sentence}.", (index, old, new), "precision")
            return
        zero = row.interval.low <= 0 <= row.interval.high
        tail = "; the interval holds zero" if zero else "; the interval does not hold zero"
        yield Finding(
            code, f"{sentence} ({interval(row)}{tail}).", (index, old, new), "precision", "note" if zero else "attention"
        )

    return finder


def small_groups(facts: FindingContext) -> Iterator[Finding]:
    rows = [i for i in facts.rows("flip_rate", facts.judged, "group") if (facts.evidence[i].n or 0) < SMALL]
    rows = rows or [i for i in facts.rows("accuracy", "reference", "group") if (facts.evidence[i].n or 0) < SMALL]
    if not rows:
        return
    names = ", ".join(f"{named(facts.evidence[i].about['group'])} ({facts.evidence[i].n})" for i in rows)
    head = "One declared group has" if len(rows) == 1 else f"{len(rows)} declared groups have"
    yield Finding("QA-012", f"{head} fewer than {SMALL} rows, too few to say much: {names}.", tuple(rows), "precision")
