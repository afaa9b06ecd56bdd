"""The report: its shape by the shipped schema, its order, and an earlier report beside it."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import jsonschema
import numpy as np
import pytest
from subjects import candidate, subject

from qaudit.core.catalogue.measures import MEASURES
from qaudit.core.catalogue.sections import SECTIONS
from qaudit.core.catalogue.verdicts import VerdictWord
from qaudit.core.evidence import ABOUT, TOPICS, Evidence, Skipped, canonical_json
from qaudit.errors import Refused
from qaudit.inputs.policy import Policy, parse_policy
from qaudit.pipeline.stages.assess import assess
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.stages.find import find
from qaudit.pipeline.stages.previous import read_report
from qaudit.pipeline.stages.report import assemble, evidence_table, natural
from qaudit.pipeline.types import Candidates, Explained, LoadedSubject
from qaudit.report.model import Report
from qaudit.report.schema import NAMES, schema_text

ENVIRONMENT = {"python": "3", "platform": "Linux", "cpu": "c", "blas": "", "packages": {"numpy": "2", "scipy": "1"}, "pdf": {}}
PLUGIN = {
    "kind": "quantizer",
    "name": "symmetric",
    "distribution": "qaudit",
    "version": "0.1.0",
    "digest": "0" * 64,
    "summary": "",
    "status": "unselected",
    "reason": "",
    "settings": {},
}
AUDIT = {"id": "A-1", "date": "2026-11-24", "seed": 0, "bits": [2, 8]}


def loaded(**changes: Any) -> LoadedSubject:
    lowering = {"proved": True, "statement": "Proved.", "rows": 200, "max_error": 0.0, "bound": 0.0, "ambiguous_rows": []}
    column = {"name": "x0", "kind": "number", "role": "feature", "missing": 0, "distinct": 200, "low": 0.0, "mean": 0.5}
    parts = {
        "subject": {
            "name": "credit",
            "version": 1,
            "digest": "sha256:" + "1" * 64,
            "parent": None,
            "format": "sklearn_skops",
            "tier": "checked",
            "family": "LogisticRegression",
            "loaded_by": "types",
            "output": "binary",
            "classes": ["no", "yes"],
            "positive": "yes",
            "cutoff": 0.5,
            "cutoff_source": "declared",
            "target": "deny",
            "size_bytes": 100,
            "features": [{"name": "x0", "kind": "number"}],
            "parameters": [{"name": "layer0.weight", "role": "weight", "shape": [1, 3]}],
            "lowering": {**lowering, "why_not": None},
        },
        "data": {
            "roles": {"holdout": {"file": "h.csv", "digest": "sha256:" + "2" * 64, "rows": 200, "how": "whole"}},
            "overlap": [],
            "columns": [{**column, "high": 1.0, "top": []}],
            "groups": ["g"],
            "target": [{"label": "no", "rows": 200, "share": 1.0}],
            "notes": [],
        },
    }
    groups = {"g": np.where(np.arange(200) < 100, "a", "b")}
    return subject(report=parts, groups=groups, **changes)


def policy(at_most: float) -> Policy:
    limit = f'[[limit]]\nid = "Q1"\nmeasure = "flip_rate"\nuse = "value"\nat_most = {at_most}\nreason = "r"\ntodo = "Do it."\n'
    return parse_policy(f'name = "p"\nversion = "1"\nset = 2026-11-01\n{limit}'.encode(), "policy.toml")


def report(at_most: float = 0.001, reverse: bool = False, told: Explained | None = None, **extra: Any) -> dict[str, Any]:
    return made_report(at_most, reverse, told, **extra).plain()


def made_report(at_most: float = 0.001, reverse: bool = False, told: Explained | None = None, **extra: Any) -> Report:
    of = loaded()
    some = sorted((candidate(of, bits) for bits in (2, 8)), key=lambda c: c.id)
    judged, row = some[0], {**PLUGIN, "status": "ran", "settings": {"bits": [2, 8]}}
    skipped = [Skipped("explain", "b", "r", "declined"), Skipped("quantize", "a", "r"), Skipped("explain", "b", "r", "declined")]
    measured = evaluate(of, Candidates(tuple(some)), judged)
    if reverse:
        measured = type(measured)(measured.evidence[::-1], measured.predictions)
        skipped.reverse()
    candidates, explained = Candidates(tuple(some), plugins=(row,)), told or Explained((), ())
    limits = policy(at_most)
    table = evidence_table(of, candidates, measured, explained, judged, ENVIRONMENT, limits)
    return assemble(
        audit=AUDIT,
        subject=of,
        candidates=candidates,
        judged=judged,
        evidence=table,
        explained=explained,
        findings=find(of, candidates, table, judged, skipped),
        assessments=assess(limits, table, judged.id),
        skipped=skipped,
        plugins=[PLUGIN],
        environment=ENVIRONMENT,
        policy=limits,
        **extra,
    )


@lru_cache(maxsize=1)
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(schema_text("report"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_a_report_has_the_documented_shape() -> None:
    made = report()
    assert [error.message for error in validator().iter_errors(made)] == []
    assert json.loads(canonical_json(made)) == made
    assert made["next_steps"] == [{"text": "Do it.", "limit": "Q1", "section": "precision"}]
    assert made["plugins"] == [{**PLUGIN, "status": "ran", "settings": {"bits": [2, 8]}}]
    assert [(one["stage"], one["by"]) for one in made["skipped"]] == [("quantize", "a"), ("explain", "b")]


def test_input_values_of_cases_are_masked_unless_asked_for() -> None:
    features = [{"column": "x0", "value": 41.5, "contribution": 0.25}]
    case = {"row": 3, "why": "median", "decision": "no", "prediction": 0.25, "features": features}
    head = {"explainer": "e", "settings": {}, "candidate": "reference", "seed": 0, "floor_seeds": []}
    fit = {"median": 1.0, "low": 1.0, "high": 1.0}
    told = Explained((), ({**head, "kind": "local_models", "cases": [case], "r2": fit},))
    hidden = report(told=told)["explanations"][0]["cases"]
    assert hidden == [{**case, "features": [{"column": "x0", "value": None, "contribution": 0.25}]}]
    assert report(told=told, show_values=True)["explanations"][0]["cases"] == [case]
    assert case["features"][0]["value"] == 41.5


@pytest.mark.parametrize("key", ["format", "evidence", "findings", "policy", "frameworks"])
def test_the_schema_refuses_what_is_missing_or_foreign(key: str) -> None:
    made = report()
    made["evidence"] = made["evidence"][:3]
    assert validator().is_valid(made)
    assert not validator().is_valid({name: value for name, value in made.items() if name != key})
    assert not validator().is_valid({**made, "extra": 1})
    made["evidence"][0] = {**made["evidence"][0], "colour": "red"}
    assert not validator().is_valid(made)


def test_findings_and_assessments_point_at_their_rows() -> None:
    made = report()
    for found in made["findings"]:
        assert all(0 <= index < len(made["evidence"]) for index in found["evidence"])
        assert found["section"] in SECTIONS
    (held,) = made["assessments"]
    assert made["evidence"][held["evidence"]]["measure"] == "flip_rate"
    assert held["verdict"] == "outside"


def test_the_order_of_work_changes_no_byte() -> None:
    assert canonical_json(report()) == canonical_json(report(reverse=True))


def test_the_table_is_sorted_with_the_reference_first_and_bins_by_number() -> None:
    made = report()
    accuracy = [row["about"]["candidate"] for row in made["evidence"] if row["measure"] == "accuracy" and len(row["about"]) == 1]
    assert accuracy == ["reference", "symmetric(bits=2)", "symmetric(bits=8)"]
    bins = [int(row["about"]["bin"]) for row in made["evidence"] if row["measure"] == "score_change_histogram"]
    assert bins == sorted(bins)
    assert max(bins) > 9
    assert sorted(["b10", "b2", "a"], key=natural) == ["a", "b2", "b10"]


def test_what_the_report_records_itself_is_counted() -> None:
    rows = {row["measure"]: row for row in report()["evidence"] if row["by"] == "report"}
    assert rows["environment_packages"]["value"] == 2
    # the model, the holdout and the policy
    assert rows["inputs_hashed"]["value"] == 3
    assert rows["parameters_changed"]["value"] == 1
    assert {row["topic"] for row in rows.values()} == {"environment", "hashes", "change_log"}


def test_every_measure_is_in_the_catalogue() -> None:
    assert {row["measure"] for row in report()["evidence"]} <= set(MEASURES)


def test_an_earlier_report_shows_what_moved(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(canonical_json(report(at_most=1.0)), "utf-8")
    earlier, digest = read_report(tmp_path / "old.json")
    made = report(previous=(earlier, digest))
    assert [error.message for error in validator().iter_errors(made)] == []
    assert made["previous"]["moved"] == [{"limit": "Q1", "title": "flip_rate", "before": "within", "after": "outside"}]
    assert (made["previous"]["id"], made["previous"]["kept"]) == ("A-1", 0)
    assert made["previous"]["inputs"] == ["policy changed"]
    for row in made["evidence"]:
        judged = row["about"].get("candidate") == made["judged"]
        assert row.get("previous") == (row["value"] if judged else None)
    same = report(previous=(made_report(), digest))
    assert (same["previous"]["kept"], same["previous"]["moved"], same["previous"]["inputs"]) == (1, [], [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a report.json: no JSON$"),
        ('{"format": 99}', "format 99 found, this version of qaudit reads 1 to 3$"),
        ("[]", "no JSON object$"),
        ('{"format": 3}', "previous report: qaudit: is missing$"),
    ],
)
def test_a_bad_earlier_report_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "old.json").write_text(content)
    with pytest.raises(Refused, match=message):
        read_report(tmp_path / "old.json")
    with pytest.raises(Refused, match="cannot be read"):
        read_report(tmp_path / "none.json")


def test_schemas_are_printed_by_name() -> None:
    for name in NAMES:
        jsonschema.Draft202012Validator.check_schema(json.loads(schema_text(name)))
    with pytest.raises(Refused, match="unknown schema 'reprot'; did you mean 'report'"):
        schema_text("reprot")


def test_the_topics_and_keys_of_the_schema_are_those_of_the_code() -> None:
    defs = json.loads(schema_text("report"))["$defs"]
    assert defs["Row"]["properties"]["topic"]["enum"] == list(TOPICS)
    assert defs["Row"]["properties"]["about"]["propertyNames"]["enum"] == list(ABOUT)
    assert defs["Assessment"]["properties"]["verdict"]["enum"] == list(get_args(VerdictWord))
    assert defs["Finding"]["properties"]["section"]["enum"] == list(SECTIONS)
    assert set(defs["Row"]["properties"]) - {"previous"} == set(Evidence.__dataclass_fields__)
