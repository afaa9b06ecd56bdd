"""The shipped schema of audit.toml is that of the settings. Run this file as a script to write it anew."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import qaudit.report.schema
from qaudit.inputs.audit_toml import Settings
from qaudit.report.schema import schema_text

TEXT_OR_PARTS = {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}


def generated() -> dict[str, Any]:
    """What pydantic says, widened where the reader of the file takes more: labels that are no text, [author] with parts."""
    made: dict[str, Any] = Settings.model_json_schema()
    made["properties"]["author"]["additionalProperties"] = TEXT_OR_PARTS
    made["$defs"]["SubjectPart"]["properties"]["positive"]["anyOf"] += [{"type": "boolean"}, {"type": "number"}]
    trust = made["$defs"]["SubjectPart"]["properties"]["trust"]
    made["$defs"]["SubjectPart"]["properties"]["trust"] = {"anyOf": [trust, {"type": "string"}], "default": []}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "qaudit audit.toml"}


def test_the_shipped_schema_is_the_settings() -> None:
    assert json.loads(schema_text("audit")) == generated(), f"run: python {Path(__file__).name}"


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('[subject]\nregistered = "credit@1"\npositive = true\n[author]\npurpose = "p"\n[author.model]\nidentity = "i"\n', True),
        ('[[quantizers]]\nname = "symmetric"\nbits = [4, 8]\n[policy]\njudge = "x"\n', True),
        ('[subject]\nregisterd = "credit@1"\n', False),
        ("[[quantizers]]\nbits = [4, 8]\n", False),
        ('[data.types]\npostcode = "words"\n', False),
    ],
)
def test_it_tells_a_good_file_from_a_bad_one(text: str, valid: bool) -> None:
    assert jsonschema.Draft202012Validator(json.loads(schema_text("audit"))).is_valid(tomllib.loads(text)) == valid


if __name__ == "__main__":
    target = Path(qaudit.report.schema.__file__).parent / "audit.schema.json"
    target.write_text(json.dumps(generated(), indent=1) + "\n", "utf-8")
