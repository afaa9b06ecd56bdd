"""Explanations of single rows: which rows the report shows, and in which the top reason changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from qaudit.core.evidence import Evidence
from qaudit.core.measures import agreement
from qaudit.core.tensor import Floats
from qaudit.pipeline.stages import reasons
from qaudit.pipeline.stages.explain_inputs import REFERENCE, ExplainInputs

SHOWN = 10
"""The number of columns of a case that are shown: those with the largest contributions in any explained variant."""


@dataclass(frozen=True, slots=True)
class Cases:
    """The explained rows that are shown for every variant: (place in the sample, reason), and the columns shown of each."""

    rows: Sequence[tuple[int, str]] = ()
    columns: Mapping[int, Sequence[int]] = field(default_factory=dict)


def shown_cases(contributions: Mapping[str, Floats], inputs: ExplainInputs, judged: str | None) -> Cases:
    """The cases of one explanation, chosen from its contributions (n, d) by variant; none where it explains no single rows."""
    if not contributions:
        return Cases()
    first = contributions[REFERENCE]
    if judged is None or judged not in contributions:
        score = inputs.sampled(REFERENCE)[np.arange(len(inputs.sample)), inputs.output[inputs.sample]]
        no_row = np.zeros(len(score), dtype=bool)
        # without a candidate nothing changed: only the case with the median score is shown
        rows = reasons.chosen_cases(score, no_row, score, no_row, inputs.counted)[:1]
    else:
        flipped = inputs.flipped(judged)
        changed = reasons.changes(first, contributions[judged], inputs.signs(REFERENCE), inputs.counted & ~flipped)
        moved = agreement.cosine_distance(first, contributions[judged])
        rows = reasons.chosen_cases(inputs.score_change(judged), flipped, moved, changed, inputs.counted)
    return Cases(rows, {place: _columns(list(contributions.values()), place) for place, _ in rows})


def _columns(contributions: Sequence[Floats], place: int) -> list[int]:
    """The columns shown of a case, by decreasing contribution in any variant; ties in column order."""
    largest = np.max([np.abs(each[place]) for each in contributions], axis=0)
    return [int(j) for j in agreement.order(largest)[:SHOWN]]


@dataclass(frozen=True, slots=True)
class ReasonChanges:
    """Changes of top reasons among drawn rows with the same decision.

    `changed`: there is one. `unusable`: reruns of the reference alone change so many that nothing can be concluded.
    """

    changed: bool = False
    unusable: bool = False
    evidence: tuple[Evidence, ...] = ()


def reason_changes(
    draws: Sequence[Floats], variant: Floats, inputs: ExplainInputs, about: Mapping[str, str], by: str
) -> ReasonChanges:
    """Compare the top reasons of a variant with those of the reference.

    `draws` are contributions (n, d) of the reference: its own first, then those of its reruns with other seeds.
    """
    signs = inputs.signs(REFERENCE)
    same_decision = inputs.counted & ~inputs.flipped(about["candidate"])
    changed = reasons.changes(draws[0], variant, signs, same_decision)
    baseline = [reasons.changes(draws[0], each, signs, same_decision) for each in draws[1:]]
    rows = reasons.rate_evidence(changed, baseline, same_decision, about, by)
    return ReasonChanges(bool(changed.any()), reasons.unusable(baseline, same_decision), tuple(rows))
