"""One plugin of each kind and one report, of contract 1 and format 1: never edited, always read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from qaudit.cli.main import main
from qaudit.inputs.audit_toml import validated
from qaudit.pipeline.run import run
from qaudit.pipeline.stages.seal import verify

FOSSILS = Path(__file__).parent / "fossils"
PLUGINS = ("quantizer.py", "explainer.py", "format.py", "framework.toml", "framework.py")


def test_no_fossil_was_edited() -> None:
    """A changed contract has a new number and new fossils beside these."""
    lines = (FOSSILS / "digests.txt").read_text().splitlines()
    wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {
        path.relative_to(FOSSILS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOSSILS.rglob("*")
        if path.is_file() and path.suffix in (".py", ".toml", ".json")
    }
    assert found == wanted


def test_a_report_of_format_1_is_rendered(tmp_path: Path) -> None:
    source = FOSSILS / "format_1" / "report.json"
    done = CliRunner().invoke(main, ["render", str(source), "-o", str(tmp_path), "--format", "html"])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report.html").read_text("utf-8")
    content = json.loads(source.read_text("utf-8"))
    assert content["audit"]["id"] in page
    assert content["subject"]["name"] in page


def test_plugins_of_contract_1_make_an_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    X = pd.DataFrame(draw.normal(size=(80, 2)), columns=["a", "b"])
    X.assign(answer=np.where(X["a"] > X["b"], "yes", "no")).to_csv(tmp_path / "holdout.csv", index=False)
    model = {"fossil": 1, "features": ["a", "b"], "classes": ["no", "yes"], "weight": [2.0, -1.9], "bias": 0.1}
    (tmp_path / "model.json").write_text(json.dumps(model))
    given = {
        "subject": {"model": "model.json", "target": "answer", "positive": "yes"},
        "data": {"holdout": "holdout.csv"},
        "quantizers": [{"name": "fossil_quantizer"}],
        "explainers": [{"name": "fossil_explainer"}],
        "policy": {"judge": "fossil_quantizer(bits=8)"},
        "report": {"frameworks": ["fossil_framework", "fossil_framework_code"], "formats": ["html"], "date": "2026-11-24"},
        "run": {"plugins": [str(FOSSILS / "spec_1" / name) for name in PLUGINS]},
    }
    done = run(validated(given, ""), output=tmp_path / "out", results="none")
    assert [row for row in done.report["skipped"] if row["kind"] == "failed"] == []
    assert done.exit_code == 0
    assert verify(tmp_path / "out")[0] == "verified"
    assert done.report["subject"]["format"] == "fossil_format"
    assert done.report["subject"]["lowering"]["proved"]
    assert [each["id"] for each in done.report["candidates"]] == ["fossil_quantizer(bits=8)"]
    assert {each["explainer"] for each in done.report["explanations"]} == {"fossil_explainer"}
    assert [each["id"] for each in done.report["frameworks"]] == ["fossil_framework", "fossil_framework_code"]
