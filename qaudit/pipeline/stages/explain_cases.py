"""Explanations row by row: which rows the report shows, and where a top reason changed."""

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
"""Columns of a case, by the largest contribution of any explained variant."""


@dataclass(frozen=True, slots=True)
class Cases:
    """The explained rows that are shown, the same for every variant: (place, why), and the columns of each place."""

    rows: Sequence[tuple[int, str]] = ()
    columns: Mapping[int, Sequence[int]] = field(default_factory=dict)


def shown_cases(contributed: Mapping[str, Floats], inputs: ExplainInputs, judged: str | None) -> Cases:
    """The cases of one explanation from its contributions (n, d) by variant; none where it does not explain row by row."""
    if not contributed:
        return Cases()
    first = contributed[REFERENCE]
    if judged is None or judged not in contributed:
        score = inputs.sampled(REFERENCE)[np.arange(len(inputs.sample)), inputs.output[inputs.sample]]
        nothing = np.zeros(len(score), dtype=bool)
        rows = reasons.chosen_cases(score, nothing, score, nothing, inputs.counted)[:1]
    else:
        flipped = inputs.flipped(judged)
        changed = reasons.changes(first, contributed[judged], inputs.signs(REFERENCE), inputs.counted & ~flipped)
        moved = agreement.cosine_distance(first, contributed[judged])
        rows = reasons.chosen_cases(inputs.score_change(judged), flipped, moved, changed, inputs.counted)
    return Cases(rows, {place: _columns(list(contributed.values()), place) for place, _ in rows})


def _columns(contributed: Sequence[Floats], place: int) -> list[int]:
    """The columns shown of a case: the largest contribution of any variant first, ties in column order."""
    reach = np.max([np.abs(each[place]) for each in contributed], axis=0)
    return [int(j) for j in agreement.order(reach)[:SHOWN]]


@dataclass(frozen=True, slots=True)
class ReasonChanges:
    """Whether a top reason changed on a drawn row that kept its decision, whether reruns change too many, and the evidence."""

    changed: bool = False
    unusable: bool = False
    evidence: tuple[Evidence, ...] = ()


def reason_changes(
    draws: Sequence[Floats], variant: Floats, inputs: ExplainInputs, about: Mapping[str, str], by: str
) -> ReasonChanges:
    """Top reasons of a variant against the reference, whose contributions (n, d) are `draws`: its own first, then of reruns."""
    signs = inputs.signs(REFERENCE)
    kept = inputs.counted & ~inputs.flipped(about["candidate"])
    changed = reasons.changes(draws[0], variant, signs, kept)
    floors = [reasons.changes(draws[0], each, signs, kept) for each in draws[1:]]
    rows = reasons.rate_evidence(changed, floors, kept, about, by)
    return ReasonChanges(bool(changed.any()), reasons.unusable(floors, kept), tuple(rows))
