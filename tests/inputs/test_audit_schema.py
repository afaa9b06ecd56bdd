"""The shipped schema of audit.toml accepts what the reader accepts and refuses what it refuses."""

from __future__ import annotations

import contextlib
import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from qaudit.errors import Refused
from qaudit.inputs.audit_toml import read_audit_file, validated
from qaudit.report.schema import schema_text


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('[subject]\nregistered = "credit@1"\npositive = true\n[author]\npurpose = "p"\n[author.model]\nidentity = "i"\n', True),
        ('[[quantizers]]\nname = "symmetric"\nbits = [4, 8]\n[policy]\njudge = "x"\n', True),
        (f'[subject]\npositive = 1\ntrust = "sha256:{"0" * 64}"\n[run]\nbits = [4]\njobs = 1\n', True),
        ("[author]\npurpose = 1\n", False),
        ('[subject]\nregisterd = "credit@1"\n', False),
        ("[[quantizers]]\nbits = [4, 8]\n", False),
        ('[data.types]\npostcode = "words"\n', False),
    ],
)
def test_schema_and_reader_agree(text: str, valid: bool, tmp_path: Path) -> None:
    table = tomllib.loads(text)
    (tmp_path / "audit.toml").write_text(text, encoding="utf-8")
    with contextlib.nullcontext() if valid else pytest.raises(Refused):
        validated(read_audit_file(tmp_path / "audit.toml"), "audit.toml")
    assert jsonschema.Draft202012Validator(json.loads(schema_text("audit"))).is_valid(table) == valid
