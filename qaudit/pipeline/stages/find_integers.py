"""Findings on candidates with integer inputs: what was clipped, and what is simulated in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qaudit.core.evidence import Finding
from qaudit.engine.arithmetic import Arithmetic, arithmetic
from qaudit.pipeline.stages.evaluate_clipping import MUCH
from qaudit.pipeline.stages.find_context import FindingContext
from qaudit.pipeline.stages.find_text import interval, named

MOST_NAMED = 5


def clipped(facts: FindingContext) -> Iterator[Finding]:
    """QA-024: inputs outside the calibrated range."""
    whole = facts.one("clipped_rows", facts.judged)
    if whole is None or not facts.value(whole):
        return
    row = facts.evidence[whole]
    layers = _most(facts, facts.rows("clipped_rows", facts.judged, "value_of"))
    columns = _most(facts, facts.rows("clipped_rows", facts.judged, "value_of", "feature"))
    where = ", ".join(f"{facts.evidence[i].about['value_of']} ({_rows(facts, i)})" for i in layers)
    text = (
        f"On {_count(facts, whole)} of {row.n} holdout rows, {facts.text(whole)} ({interval(row)}), a value lies outside the "
        f"range on which the candidate was calibrated and is clipped to its end: {where}."
    )
    if columns:
        listed = [f"{named(facts.evidence[i].about['feature'])} ({_rows(facts, i)})" for i in columns[:MOST_NAMED]]
        more = f" and {len(columns) - MOST_NAMED} more" if len(columns) > MOST_NAMED else ""
        text += f" Input columns: {', '.join(listed)}{more}."
    much = facts.value(whole) > MUCH
    yield Finding("QA-024", text, (whole, *layers, *columns), "precision", "attention" if much else "note")


def _most(facts: FindingContext, rows: Sequence[int]) -> list[int]:
    """Those with a clipped row, the most frequent first."""
    return sorted((i for i in rows if facts.value(i) > 0), key=lambda i: (-facts.value(i), i))


def _count(facts: FindingContext, index: int) -> int:
    return round(facts.value(index) * (facts.evidence[index].n or 0))


def _rows(facts: FindingContext, index: int) -> str:
    count = _count(facts, index)
    return f"{count} row" if count == 1 else f"{count} rows"


def simulated(facts: FindingContext) -> Iterator[Finding]:
    """QA-025: which operations of a candidate in integers are evaluated in float64."""
    judged = next((each for each in facts.candidates.all if each.id == facts.judged), None)
    if judged is None or not judged.quantized.grids or facts.one("mean_abs_error", facts.judged) is None:
        return
    done = arithmetic(judged.quantized)
    if done.integer:
        yield Finding("QA-025", f"{_integers(done)} {_floats(done)}", (), "precision")


def _integers(done: Arithmetic) -> str:
    bias = "with their biases" if done.integer_bias == done.integer else "without biases"
    if done.integer_bias and done.integer_bias != done.integer:
        bias = f"with the biases of {_layers(done.integer_bias)}"
    return (
        f"Integer inference is simulated in part. In integers, and exact: the codes of the inputs and the sums of their products "
        f"{bias} in {_layers(done.integer)}."
    )


def _floats(done: Arithmetic) -> str:
    parts = ["the rescaling of these sums and the division by an input scale, where a device multiplies by integers and shifts"]
    if functions := [*done.activations, *([f"the {done.link} link"] if done.link else [])]:
        parts.append(f"{' and '.join(functions)}, where a device may use tables or polynomials")
    if other := [layer for layer in done.dense if layer not in done.integer]:
        parts.append(f"all of {_layers(other)}")
    return f"In float64: {'; '.join(parts)}. The predictions of such a device may differ from those measured here."


def _layers(layers: Sequence[int]) -> str:
    return ", ".join(f"layer{layer}" for layer in layers)
