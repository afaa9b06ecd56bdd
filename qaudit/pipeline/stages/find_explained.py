"""Findings on explanations: top reasons, drift beside its floor, the surrogate tree."""

from __future__ import annotations

from collections.abc import Iterator

from qaudit.core.catalogue.explanations import PRIMARY_DISTANCES
from qaudit.core.evidence import Evidence, Finding
from qaudit.core.measures.surrogate import WEAK
from qaudit.core.numbers import one
from qaudit.pipeline.stages.find_context import FindingContext
from qaudit.pipeline.stages.find_text import distance, in_words, interval, named


def reasons(facts: FindingContext) -> Iterator[Finding]:
    for index in facts.rows("reason_change_rate", facts.judged, "explainer"):
        row = facts.evidence[index]
        floor = facts.beside(index, "reason_change_floor")
        if row.value is None or floor is None:
            continue
        top = facts.evidence[floor].interval
        above = row.value > (top.high if top else facts.value(floor))
        text = (
            f"{in_words(row.about['explainer'])}: the top reason changed on {facts.text(index)} of {row.n} explained rows whose "
            f"decision did not ({interval(row)}); explaining the reference again changes {facts.text(floor)} (floor)."
        )
        yield Finding("QA-009", text, (index, floor), "local", "attention" if above else "note")


def drift(facts: FindingContext) -> Iterator[Finding]:
    for index in facts.rows("drift", facts.judged, "explainer", "value_of"):
        row = facts.evidence[index]
        if row.value is None or row.about["value_of"].rpartition(" ")[2] not in PRIMARY_DISTANCES:
            continue
        floor = facts.beside(index, "drift_floor")
        if floor is None:
            continue
        span = facts.evidence[floor].interval
        high = span.high if span else facts.value(floor)
        head = f"{in_words(row.about['explainer'])}: the drift ({distance(row.about['value_of'])}) is {facts.text(index)}"
        if row.value == 0:
            yield Finding("QA-010", f"{head}: both variants are explained alike.", (index, floor), "drift")
        elif row.value > high:
            most = one(high, row.unit)
            text = f"{head}, above its floor: {facts.text(floor)} on average, {most} at most among reruns alone."
            yield Finding("QA-010", text, (index, floor), "drift", "attention")
        else:
            text = f"{head}, not told from its floor: reruns of the reference alone reach {one(high, row.unit)}."
            yield Finding("QA-010", text, (index, floor), "drift")


def surrogate(facts: FindingContext) -> Iterator[Finding]:
    for index in facts.rows("fidelity", facts.judged or "reference", "explainer"):
        row, base = facts.evidence[index], facts.beside(index, "base_rate_fidelity")
        if row.value is None or base is None:
            continue
        poor = row.interval is not None and row.interval.low <= facts.value(base)
        text = (
            f"{in_words(row.about['explainer'])}: the tree agrees with the model on {facts.text(index)} ({row.n} unseen rows"
            f"{', ' + interval(row) if row.interval else ''}); a tree without splits reaches {facts.text(base)}."
        )
        tail = " It tells hardly more than the base rate." if poor else ""
        weak, parts, more = _weak_parts(facts, row)
        yield Finding("QA-011", text + tail + more, (index, base, *parts), "surrogate", "attention" if poor or weak else "note")


def _weak_parts(facts: FindingContext, tree: Evidence) -> tuple[bool, tuple[int, ...], str]:
    """The class on which a tree agrees least, and its leaves below WEAK.

    Whether that class is below WEAK too, the rows of evidence, and the sentences about them.
    """
    classes = _parts(facts, "class_fidelity", tree, "output")
    leaves = _parts(facts, "leaf_fidelity", tree, "output", "value_of")
    sentences, rows, weak = "", list[int](), False
    if classes:
        worst = min(classes, key=facts.value)
        row = facts.evidence[worst]
        sentences += f' Where the model decides "{named(row.about["output"], 40)}", the tree agrees on {facts.text(worst)}'
        sentences += f" of {row.n} rows ({interval(row)})."
        rows, weak = [worst], facts.value(worst) < WEAK
    if below := [index for index in leaves if facts.value(index) < WEAK]:
        reached = sum(facts.evidence[index].n or 0 for index in below)
        sentences += f" On {len(below)} of its {len(leaves)} leaves, which {reached} rows reach, it agrees on fewer than "
        sentences += f"{one(WEAK, 'share')}."
    return weak, (*rows, *below), sentences


def _parts(facts: FindingContext, measure: str, tree: Evidence, *keys: str) -> list[int]:
    """The rows about parts of that tree that have a value."""
    rows = facts.rows(measure, tree.about["candidate"], "explainer", *keys)
    own = [index for index in rows if facts.evidence[index].about["explainer"] == tree.about["explainer"]]
    return [index for index in own if facts.evidence[index].value is not None]
