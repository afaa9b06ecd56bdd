"""Pairs the explanations of the reference with those of the candidate under assessment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from qaudit.rendering.table import EvidenceTable
from qaudit.report.explanations import Explanation

Kind = TypeVar("Kind", bound=Explanation)


@dataclass(frozen=True, slots=True)
class Compared(Generic[Kind]):
    """The explanations of the reference and of the candidate under assessment; `entry` is the latter, or the reference's."""

    before: Kind | None
    after: Kind | None
    entry: Kind


def entries(facts: EvidenceTable, kind: type[Kind]) -> list[Kind]:
    """Explanations of a kind, in a fixed order."""
    return sorted((entry for entry in facts.report.explanations if isinstance(entry, kind)), key=_made_by)


def _made_by(entry: Explanation) -> tuple[str, str, str]:
    """Explainer, quantity and settings, which are equal for the explanations of the reference and of the candidate."""
    return entry.explainer, entry.quantity, str(sorted(entry.settings.items()))


def pairs(facts: EvidenceTable, kind: type[Kind]) -> list[Compared[Kind]]:
    """The explanations of the reference and of the candidate under assessment, by explainer with its settings."""
    by_maker: dict[tuple[str, str, str], dict[str, Kind]] = {}
    for entry in entries(facts, kind):
        by_maker.setdefault(_made_by(entry), {})[entry.candidate] = entry
    compared = []
    for by in by_maker.values():
        before, after = by.get("reference"), by.get(facts.judged or "")
        shown_one = after or before
        if shown_one is not None:
            compared.append(Compared(before, after, shown_one))
    return compared
