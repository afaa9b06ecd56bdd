"""One plugin of each kind and one report, of contract 1 and format 1: never edited, always read."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from qaudit.cli.main import main
from qaudit.inputs.audit_toml import validated
from qaudit.pipeline.rerun import rerun
from qaudit.pipeline.run import run
from qaudit.pipeline.stages.previous import compare, read_report
from qaudit.pipeline.stages.seal import seal, verify
from qaudit.report.formats import FORMAT
from qaudit.seal.pdf_attachment import attached

FOSSILS = Path(__file__).parent / "fossils"
PLUGINS = ("quantizer.py", "explainer.py", "format.py", "framework.toml", "framework.py")


def test_no_fossil_was_edited() -> None:
    """A changed contract has a new number and new fossils beside these."""
    lines = (FOSSILS / "digests.txt").read_text().splitlines()
    wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {
        path.relative_to(FOSSILS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOSSILS.rglob("*")
        if path.is_file() and path.suffix in (".py", ".toml", ".json", ".pdf")
    }
    assert found == wanted


@pytest.mark.slow
@pytest.mark.parametrize("folder", [pytest.param("format_1", marks=pytest.mark.slow), "format_1/sealed"])
def test_a_report_of_format_1_is_rendered(folder: str, tmp_path: Path) -> None:
    source = FOSSILS / folder / "report.json"
    done = CliRunner().invoke(main, ["render", str(source), "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report.html").read_text("utf-8")
    content = json.loads(source.read_text("utf-8"))
    assert content["format"] == 1
    assert content["audit"]["id"] in page
    assert content["subject"]["name"] in page
    inside = attached((tmp_path / "report.pdf").read_bytes(), source.stat().st_size)
    assert inside == source.read_bytes().removesuffix(b"\n")


def test_a_sealed_folder_of_format_1_verifies(tmp_path: Path) -> None:
    """Written by version 0.1.0: report.json, report.pdf with the report inside, and seal.json."""
    folder = FOSSILS / "format_1" / "sealed"
    status, lines = verify(folder)
    assert (status, lines[-1]) == ("verified", "matches its seal; the seal bears no signature")
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "report.json").write_bytes((folder / "report.json").read_bytes().replace(b'"format":1', b'"format":2'))
    assert verify(copy) == ("does not match", ["report.json: changed since the seal"])


def test_a_report_of_format_1_is_an_earlier_report() -> None:
    earlier, digest = read_report(FOSSILS / "format_1" / "sealed" / "report.json")
    assert earlier.format == FORMAT
    assert earlier.audit.id == "fossil"
    assert digest.startswith("sha256:")
    again = compare(earlier, earlier, digest)
    assert (again.id, again.kept, again.moved, again.inputs) == ("fossil", 1, (), ())


def test_a_sealed_report_of_a_later_format_is_refused_in_one_line(tmp_path: Path) -> None:
    content = json.loads((FOSSILS / "format_1" / "sealed" / "report.json").read_bytes()) | {"format": FORMAT + 1}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    said = f"report.json: format {FORMAT + 1} found, this version of qaudit reads 1 to {FORMAT}"
    inputs = {"model": content["subject"]["digest"].removeprefix("sha256:")}
    seal(tmp_path, inputs, audit="fossil", version="9")
    assert verify(tmp_path) == ("could not verify", [said])
    done = CliRunner().invoke(main, ["render", str(path), "-o", str(tmp_path / "pages")])
    assert done.exit_code == 2
    assert done.output.strip().endswith(said)
    assert len(done.output.strip().splitlines()) == 1


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


def test_a_sealed_folder_of_format_1_can_be_repeated_as_far_as_its_inputs_are_there() -> None:
    status, lines = rerun(FOSSILS / "format_1" / "sealed")
    assert status == "could not verify"
    assert re.match(r"holdout: no file of sha256 [0-9a-f]{64} ", lines[0])
