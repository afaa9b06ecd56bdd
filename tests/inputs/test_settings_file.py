"""audit.toml: every complaint names file, key, what was found and what is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaudit.errors import Refused
from qaudit.inputs.audit_toml import audit_date, laid_over, read_audit_file, validated

WHOLE = """
[subject]
registered = "credit@1"
positive = 1
cutoff = 0.15
[data]
groups = ["afam"]
types = {postcode = "text"}
[[quantizers]]
name = "symmetric"
bits = [4, 8]
[[explainers]]
name = "drop_column"
repeats = 5
[author]
purpose = "purpose.md"
model.identity = "credit model"
"limits" = "none known"
[policy]
file = "policy.toml"
judge = "symmetric(axis='tensor',bits=8)"
[report]
frameworks = ["sr_26_2"]
previous = "../old/report.json"
id = "HMDA-2026-11"
date = 2026-11-24
"""


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "audit.toml"
    path.write_text(text)
    return validated(read_audit_file(path), "audit.toml")


def test_whole_file(tmp_path: Path) -> None:
    (tmp_path / "purpose.md").write_text("To rank applications.\n")
    (tmp_path / "audit.toml").write_text(WHOLE)
    found = validated(read_audit_file(tmp_path / "audit.toml"), "audit.toml")
    assert found.subject.positive == "1"
    assert found.quantizers is not None
    assert found.quantizers[0].settings == {"bits": [4, 8]}
    assert found.policy.file == str(tmp_path / "policy.toml")
    assert found.author == {
        "model.purpose": "To rank applications.",
        "model.identity": "credit model",
        "limits": "none known",
    }
    assert audit_date(found) == "2026-11-24"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[subject]\ncutof = 0.15\n", r"\[subject\] cutof: unknown key; did you mean 'cutoff'\?"),
        ("[subjec]\n", r"subjec: unknown key; did you mean 'subject'\?"),
        ('[subject]\ncutoff = "a"\n', r"\[subject\] cutoff: 'a' found, wanted: a valid number"),
        ('[data]\ntypes = {p = "txt"}\n', r"\[data\] types.p: 'txt' found, wanted: 'number' or 'text'"),
        ('[report]\nlang = "de"\n', r"\[report\] lang: 'de' found, wanted: 'en'"),
        ('[report]\nid = "../x"\n', r"\[report\] id: '../x' found, wanted: letters"),
        ("a = 1\nx = = 3\n", r"audit.toml:2: not TOML: Invalid value"),
        ('[author]\npurpse = "x"\n', r"\[author\] purpse: unknown key; did you mean 'purpose'\?"),
        ('[author]\npurpose = "absent.md"\n', r"\[author\] purpose: absent.md: No such file"),
        ('[subject]\ntrust = "yes"\n', r"\[subject\] trust: 'yes' found, wanted: sha256"),
        ("[subject]\ntrust = 1\n", r"\[subject\] trust: 1 found, wanted: sha256"),
        ("quantizers = [1]\n", r"\[quantizers\] 0: 1 found, wanted: a table"),
        ("explainers = 1\n", r"explainers: 1 found, wanted: a list"),
        ("[[quantizers]]\nbits = 4\n", r"\[quantizers\] 0.name: missing"),
        ("subject = 1\n", r"subject: 1 found, wanted: a table, \[subject\]"),
        ('[quantizers]\nname = "symmetric"\n', r"quantizers: \{.*\} found, wanted: a list"),
        ("[run]\njobs = 0\n", r"\[run\] jobs: 0 found, wanted: 1 or more"),
    ],
)
def test_complaints(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_command_line_lies_over_the_file() -> None:
    base = {"subject": {"cutoff": 0.5, "positive": "a"}, "run": {"seed": 1}}
    over = {"subject": {"cutoff": 0.2, "positive": None}, "run": {"bits": None}, "report": {"lang": "zh"}}
    assert laid_over(base, over) == {
        "subject": {"cutoff": 0.2, "positive": "a"},
        "run": {"seed": 1},
        "report": {"lang": "zh"},
    }


def test_date_from_source_date_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert audit_date(validated({}, "")) == "2001-09-09"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    with pytest.raises(Refused, match="SOURCE_DATE_EPOCH: 'soon'"):
        audit_date(validated({}, ""))
