"""What each kind of explanation becomes: rows of evidence, and an entry of report.json that a page can draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from qaudit.core.evidence import Evidence
from qaudit.core.explanation import Attributions, Explanation, ExplanationName, Importance, LocalModels, TreeModel
from qaudit.core.json_values import Json
from qaudit.pipeline.stages import explain_entries
from qaudit.pipeline.stages.explain_cases import Cases
from qaudit.pipeline.stages.explain_inputs import ExplainInputs


def evidence(found: Explanation, inputs: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """What is measured of one explanation of one variant."""
    match found:
        case Importance():
            return explain_entries.importance_evidence(found, inputs.table.names, about, by)
        case LocalModels():
            return explain_entries.local_evidence(found, about, by, inputs.counted)
        case Attributions():
            return []
        case TreeModel():
            return explain_entries.tree_evidence(found, inputs, about, by)
        case _:
            assert_never(found)


def entry(found: Explanation, inputs: ExplainInputs, candidate: str, cases: Cases) -> Json:
    """The part of an entry of report.json that depends on the kind. `cases` are the rows shown of an explanation row by row."""
    match found:
        case Importance():
            return explain_entries.importance_entry(found, inputs.table.names)
        case LocalModels():
            return explain_entries.local_models_entry(found, inputs, candidate, cases)
        case Attributions():
            return explain_entries.attributions_entry(found, inputs, candidate, cases)
        case TreeModel():
            return explain_entries.tree_entry(found, inputs, candidate)
        case _:
            assert_never(found)


def drift_evidence(
    reference: Explanation, found: Explanation, inputs: ExplainInputs, about: Mapping[str, str], by: str
) -> list[Evidence]:
    """What is measured of a variant's explanation against that of the reference, besides the distances of the catalogue."""
    match found:
        case Importance():
            return explain_entries.rank_evidence(reference, found, about, by) if isinstance(reference, Importance) else []
        case LocalModels() | Attributions():
            return []
        case TreeModel():
            if not isinstance(reference, TreeModel):
                return []
            return explain_entries.tree_drift_evidence(reference, found, inputs, about, by)
        case _:
            assert_never(found)


def sweep_evidence(found: Explanation, inputs: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """What is measured of the reference's explanation at one value of a swept setting: its size against how well it fits."""
    match found:
        case Importance() | LocalModels() | Attributions():
            return []
        case TreeModel():
            return explain_entries.tree_sweep_evidence(found, inputs, about, by)
        case _:
            assert_never(found)


def masked(entry: Json) -> Json:
    """An entry without the input values of single rows, which may be personal data."""
    kind: ExplanationName = entry["kind"]
    match kind:
        case "importance" | "tree":
            return entry
        case "local_models" | "attributions":
            cases = [{**case, "features": [{**one, "value": None} for one in case["features"]]} for case in entry["cases"]]
            return {**entry, "cases": cases}
        case _:
            assert_never(kind)
