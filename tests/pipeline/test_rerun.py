"""verify --rerun: the audit once more from inputs of the same digests; bit-exact, within the declared tolerance, or differs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from commandline import qaudit
from sklearn.linear_model import LogisticRegression

from qaudit.core.evidence import Evidence, Interval
from qaudit.inputs.audit_toml import settings_of, table_of, validated
from qaudit.pipeline import commands, run
from qaudit.pipeline.progress import Reporter
from qaudit.pipeline.rerun import ABSOLUTE, RELATIVE, grade_rows, rerun
from qaudit.pipeline.stages.seal import seal
from qaudit.storage.digests import file_sha256
from qaudit.storage.durable_files import write_json

POLICY = """
name = "small"
version = "1"
set = 2026-11-01
[[limit]]
id = "L1"
measure = "flip_rate"
at_most = 0.5
use = "value"
reason = "test"
"""
JUDGE = "symmetric(axis='tensor',bits=4)"
Forge = Callable[[dict[str, Any], dict[str, Any]], None]


def row(value: float | None, n: int = 5, high: float | None = None, **about: str) -> Evidence:
    interval = None if high is None else Interval(0.0, high, 0.95, "m")
    return Evidence("flips", None if value is None else float(value), "rows", interval, n, about, "x", "limits")


@pytest.mark.parametrize(
    ("one", "other", "grade"),
    [
        (row(0.1), row(0.1), "bit-exact"),
        (row(None), row(None), "bit-exact"),
        (row(0.1), row(0.1 + 1e-18), "bit-exact"),
        (row(0.1), row(np.nextafter(0.1, 1)), "within tolerance"),
        (row(1e6), row(1e6 * (1 + RELATIVE / 2)), "within tolerance"),
        (row(0.0), row(ABSOLUTE / 2), "within tolerance"),
        (row(1e6), row(1e6 * (1 + 3 * RELATIVE)), "differs"),
        (row(0.0), row(ABSOLUTE * 2), "differs"),
        (row(0.1), row(None), "differs"),
        (row(0.1), row(0.1, n=6), "differs"),
        (row(0.1, high=1.0), row(0.1, high=1.1), "differs"),
        (row(0.1, high=1.0), row(0.1), "differs"),
    ],
)
def test_grades(one: Evidence, other: Evidence, grade: str) -> None:
    assert grade_rows([one], [other]) == [(grade, True)]
    assert grade_rows([other], [one]) == [(grade, True)]


def test_rows_are_matched_by_what_they_are_about() -> None:
    a, b = row(1.0, feature="a"), row(2.0, feature="b")
    assert grade_rows([a, b], [b, a]) == [("bit-exact", True)] * 2
    assert grade_rows([a, b], [a]) == [("bit-exact", True), ("differs", False)]
    assert grade_rows([a, a], [a]) == [("bit-exact", True), ("differs", False)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its rows, a policy, and the sealed report of an audit of them."""
    folder = tmp_path_factory.mktemp("rerun")
    draw = np.random.default_rng(0)
    X = pd.DataFrame(draw.normal(size=(80, 3)), columns=["a", "b", "c"])
    y = np.where(X["a"] - X["b"] + draw.normal(scale=0.3, size=80) > 0, "yes", "no")
    model = LogisticRegression().fit(X, y)
    skops.io.dump(model, folder / "model.skops")
    joblib.dump(model, folder / "model.joblib")
    X.assign(answer=y).to_csv(folder / "rows.csv", index=False)
    (folder / "policy.toml").write_text(POLICY)
    audited(folder, "model.skops", folder / "out")
    return folder


def audited(folder: Path, model: str, out: Path, *trust: str) -> None:
    flags: dict[str, Any] = {
        "subject": {"target": "answer", "positive": "yes", "trust": list(trust)},
        "quantizers": ["symmetric"],
        "explainers": ["permutation"],
        "run": {"bits": [4]},
        "policy": {"file": str(folder / "policy.toml"), "judge": JUDGE},
        "report": {"formats": ["html"], "date": "2026-11-24"},
    }
    settings = settings_of(str(folder / model), str(folder / "rows.csv"), flags)
    run.run(settings, output=out, reporter=Reporter(quiet=True), results="none")


@pytest.fixture
def copy(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sealed folder alone, as it is sent to somebody with another registry."""
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(files / "out", tmp_path / "sent"))


def forged(folder: Path, change: Forge) -> None:
    """Change report or seal and seal again: what anybody can do to an unsigned report."""
    report = json.loads((folder / "report.json").read_bytes())
    sealed = json.loads((folder / "seal.json").read_bytes())
    change(report, sealed)
    write_json(folder / "report.json", report)
    seal(folder, sealed["inputs"], audit=sealed["audit"], version=sealed["qaudit"], repeat=sealed["repeat"])


def again(folder: Path, *inputs: Path, **more: Any) -> tuple[str, list[str]]:
    return rerun(folder, inputs=inputs, reporter=Reporter(quiet=True), **more)


def nudged(factor: float) -> Forge:
    def change(report: dict[str, Any], sealed: dict[str, Any]) -> None:
        found = [each for each in report["evidence"] if each["measure"] == "sqnr_db"]
        found[0]["value"] *= factor

    return change


@pytest.mark.slow
def test_the_same_audit_is_bit_exact(files: Path, copy: Path) -> None:
    before = sorted(copy.rglob("*"))
    status, lines = again(copy, files)
    assert status == "verified", lines
    assert lines[0].endswith("0 within tolerance (relative 1e-09, absolute 1e-12), 0 differ")
    assert int(lines[0].split()[1]) > 50
    findings = json.loads((copy / "report.json").read_text())["findings"]
    assert [line.split(":")[:2] for line in lines[1 : 1 + len(findings)]] == [[each["code"], " bit-exact"] for each in findings]
    assert lines[1 + len(findings)] == "limit L1: within, repeated: within"
    assert sorted(copy.rglob("*")) == before, "nothing is written"


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "status"), [(1 + 1e-12, "verified"), (1.001, "does not match")])
def test_a_value_that_nobody_measured(factor: float, status: str, files: Path, copy: Path) -> None:
    forged(copy, nudged(factor))
    found, lines = again(copy, files)
    assert found == status, lines
    assert (" 1 within tolerance" in lines[0]) == (status == "verified")
    assert lines[0].endswith(", 1 differ") == (status == "does not match")


@pytest.mark.slow
def test_a_verdict_that_was_not_reached(files: Path, copy: Path) -> None:
    def change(report: dict[str, Any], sealed: dict[str, Any]) -> None:
        report["assessments"][0]["verdict"] = "outside"

    forged(copy, change)
    status, lines = again(copy, files)
    assert status == "does not match"
    assert "limit L1: outside, repeated: within" in lines


@pytest.mark.slow
def test_altered_files_are_not_repeated(files: Path, copy: Path) -> None:
    (copy / "report.html").write_text("other")
    assert again(copy, files) == ("does not match", ["report.html: changed since the seal"])


@pytest.mark.slow
def test_inputs_are_found_by_digest_or_not_at_all(files: Path, copy: Path, tmp_path: Path) -> None:
    status, lines = again(copy)
    assert status == "could not verify"
    assert lines[0].startswith("holdout: no file of sha256 ")
    assert "(rows.csv)" in lines[0]
    (tmp_path / "rows.csv").write_text("a,b,c,answer\n1,2,3,yes\n")
    assert again(copy)[0] == "could not verify", "another file under the recorded name is not taken"
    (tmp_path / "rows.csv").write_bytes((files / "rows.csv").read_bytes())
    assert again(copy)[1][0].startswith("model: no file of sha256 ")
    said = {"model": str(files / "model.skops"), "holdout": str(files / "rows.csv"), "target": "answer", "positive": "yes"}
    commands.register("small", validated(table_of(said), "test"))
    assert again(copy, files / "policy.toml")[0] == "verified", "the registry has model and rows"


@pytest.mark.slow
def test_a_seal_gives_no_trust_and_no_path(files: Path, copy: Path, tmp_path: Path) -> None:
    digest = f"sha256:{file_sha256(files / 'model.joblib')}"
    audited(files, "model.joblib", tmp_path / "code", digest)
    status, lines = again(tmp_path / "code", files)
    assert status == "could not verify"
    assert f"pass --trust {digest}" in lines[0]
    assert again(tmp_path / "code", files, trust=[digest])[0] == "verified"

    def change(report: dict[str, Any], sealed: dict[str, Any]) -> None:
        told = sealed["repeat"]
        told["settings"]["policy"]["file"] = "/dev/zero"
        told["settings"]["subject"] |= {"model": "/dev/zero", "trust": [digest]}
        told["settings"]["run"]["plugins"] = ["/dev/zero"]
        told["files"]["holdout"] = "../../../../dev/zero"

    forged(copy, change)
    assert again(copy, files)[0] == "could not verify", "a recorded name is a name, not a path"
    assert again(copy, files, files / "rows.csv")[0] == "verified"


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda report, sealed: sealed["repeat"].clear(),
        lambda report, sealed: sealed["repeat"].update(files={"anything": "x"}),
        lambda report, sealed: sealed["repeat"].update(settings=[]),
        lambda report, sealed: sealed["repeat"]["settings"].update(quantizers=[{"name": "nobody"}]),
        lambda report, sealed: report.pop("environment"),
        lambda report, sealed: report.update(evidence=[1]),
    ],
)
def test_a_seal_of_nonsense_could_not_verify(change: Forge, files: Path, copy: Path) -> None:
    forged(copy, change)
    status, lines = again(copy, files)
    assert status == "could not verify"
    assert len(lines) == 1


@pytest.mark.slow
def test_the_command(files: Path, copy: Path, tmp_path: Path) -> None:
    done = qaudit("verify", copy, "--rerun", "--inputs", files, "--json", home=tmp_path / "home", cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["status"] == "verified"
    assert qaudit("verify", copy, "--rerun", home=tmp_path / "home", cwd=tmp_path).code == 2
