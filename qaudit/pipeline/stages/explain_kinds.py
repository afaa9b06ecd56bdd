"""Turns each kind of explanation into rows of evidence and into the entry of report.json that a page draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from qaudit.core.evidence import Evidence
from qaudit.core.explanation import Attributions, Explanation, ExplanationName, Importance, LocalModels, TreeModel
from qaudit.core.json_values import Json
from qaudit.pipeline.stages import explain_entries
from qaudit.pipeline.stages.explain_cases import Cases
from qaudit.pipeline.stages.explain_inputs import ExplainInputs


def evidence(explanation: Explanation, inputs: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """The evidence from one explanation of one variant."""
    match explanation:
        case Importance():
            return explain_entries.importance_evidence(explanation, inputs.table.names, about, by)
        case LocalModels():
            rows = explain_entries.local_evidence(explanation, about, by, inputs.counted)
            return rows + explain_entries.local_class_evidence(explanation, inputs, about, by)
        case Attributions():
            return []
        case TreeModel():
            return explain_entries.tree_evidence(explanation, inputs, about, by)
        case _:
            assert_never(explanation)


def entry(explanation: Explanation, inputs: ExplainInputs, candidate: str, cases: Cases) -> Json:
    """The part of an entry of report.json that depends on the kind. `cases` are the rows shown of an explanation row by row."""
    match explanation:
        case Importance():
            return explain_entries.importance_entry(explanation, inputs.table.names)
        case LocalModels():
            return explain_entries.local_models_entry(explanation, inputs, candidate, cases)
        case Attributions():
            return explain_entries.attributions_entry(explanation, inputs, candidate, cases)
        case TreeModel():
            return explain_entries.tree_entry(explanation, inputs, candidate)
        case _:
            assert_never(explanation)


def drift_evidence(
    reference: Explanation, explanation: Explanation, inputs: ExplainInputs, about: Mapping[str, str], by: str
) -> list[Evidence]:
    """The evidence from comparing a variant's explanation with that of the reference, besides the distances of the catalogue."""
    match explanation:
        case Importance():
            return explain_entries.rank_evidence(reference, explanation, about, by) if isinstance(reference, Importance) else []
        case LocalModels() | Attributions():
            return []
        case TreeModel():
            if not isinstance(reference, TreeModel):
                return []
            return explain_entries.tree_drift_evidence(reference, explanation, inputs, about, by)
        case _:
            assert_never(explanation)


def sweep_evidence(explanation: Explanation, inputs: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """The evidence from the reference's explanation at one value of a swept setting: its size and how well it fits."""
    match explanation:
        case Importance() | LocalModels() | Attributions():
            return []
        case TreeModel():
            return explain_entries.tree_sweep_evidence(explanation, inputs, about, by)
        case _:
            assert_never(explanation)


def masked(entry: Json) -> Json:
    """An entry without the input values of single rows, which may be personal data."""
    kind: ExplanationName = entry["kind"]
    match kind:
        case "importance" | "tree":
            return entry
        case "local_models" | "attributions":
            cases = [
                {**case, "features": [{**feature, "value": None} for feature in case["features"]]} for case in entry["cases"]
            ]
            return {**entry, "cases": cases}
        case _:
            assert_never(kind)
