"""`qaudit gate`: the exit code of a finished report by the rule of a run, in one line a limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from reports import golden, smallest

from qaudit.cli.main import main
from qaudit.pipeline.stages.seal import seal

FOSSILS = Path(__file__).parent.parent / "fossils"


def call(path: Path) -> Result:
    return CliRunner().invoke(main, ["gate", str(path)])


def written(folder: Path, verdicts: dict[str, str], permit: str = "fail", failed: bool = False) -> Path:
    """The golden report with these verdicts, and no other limit."""
    report = golden()
    report["assessments"] = [each for each in report["assessments"] if each["limit"]["id"] in verdicts]
    for each in report["assessments"]:
        each["verdict"] = verdicts[each["limit"]["id"]]
    report["outcome"]["not_demonstrable"] = permit
    if not failed:
        report["skipped"] = [row for row in report["skipped"] if row["kind"] != "failed"]
    path = folder / "report.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("verdicts", "permit", "failed", "code"),
    [
        ({"Q1": "within", "Q4": "near"}, "fail", False, 0),
        ({}, "fail", False, 0),
        ({"Q1": "within", "Q4": "outside"}, "fail", False, 1),
        ({"T1": "not_demonstrable", "Q4": "outside", "L2": "not_assessed"}, "fail", True, 1),
        ({"T1": "not_demonstrable"}, "fail", False, 2),
        ({"T1": "not_demonstrable"}, "pass", False, 0),
        ({"T1": "not_demonstrable", "L2": "not_assessed"}, "pass", False, 2),
        ({"Q1": "within"}, "fail", True, 2),
    ],
)
def test_the_exit_code_is_that_of_the_rule(
    tmp_path: Path, verdicts: dict[str, str], permit: str, failed: bool, code: int
) -> None:
    done = call(written(tmp_path, verdicts, permit, failed))
    assert done.exit_code == code, done.output
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == [each for each in ("Q1", "Q4", "T1", "L2") if each in verdicts]
    assert lines[-1].endswith(f"(exit code {code})")
    assert ('not_demonstrable = "pass"' in lines[-1]) == (permit == "pass" and "not_demonstrable" in verdicts.values())


def test_a_line_holds_observed_bound_limit_and_verdict(tmp_path: Path) -> None:
    done = call(written(tmp_path, {"Q2": "near", "L2": "not_assessed", "T1": "not_demonstrable"}))
    near, agreement, missing, last = done.stdout.splitlines()
    assert near == "Q2: observed 0.84% (6 of 714), at most 1.74% in such rows (95%), limit at most 2.00%: near"
    assert agreement.startswith(
        "T1: observed 86.10% (238 rows), at least 83.10% in such rows (95%), limit at least 85.00%: not demonstrable with 2"
    )
    assert missing == "L2: limit at least 0.7000: not assessed; nothing was measured for local_r2"
    assert last == "1 of 3 limits within or near; not demonstrable: T1; not assessed: L2 (exit code 2)"


def test_a_folder_must_hold_what_its_seal_says(tmp_path: Path) -> None:
    path = written(tmp_path, {"Q1": "within"})
    refused = call(tmp_path)
    assert refused.exit_code == 2
    assert len(refused.output.splitlines()) == 1
    content = golden()
    digests = {"model": content["subject"]["digest"], "policy": content["policy"]["digest"]}
    digests |= {role: entry["digest"] for role, entry in content["data"]["roles"].items()}
    inputs = {role: digest.removeprefix("sha256:") for role, digest in digests.items()}
    seal(tmp_path, inputs, audit=content["audit"]["id"], version=content["qaudit"])
    assert call(tmp_path).exit_code == 0
    path.write_text(path.read_text().replace('"within"', '"near"'))
    changed = call(tmp_path)
    assert changed.exit_code == 2
    assert changed.output == f"qaudit: {tmp_path}: does not match: report.json: changed since the seal\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the report cannot be read (No such file or directory)"),
        (b"{", "not a report.json: no JSON"),
        (b'{"format": 99}', "format 99 found, this version of qaudit reads 1 to 3"),
        (json.dumps(smallest() | {"judged": 1}).encode(), "judged: input should be a valid string, 1 found"),
        (
            (FOSSILS / "format_1" / "report.json").read_bytes(),
            "format 1 found, whose verdicts follow an older rule; run the audit",
        ),
        (
            (FOSSILS / "format_2" / "report.json").read_bytes(),
            "format 2 found, whose verdicts follow an older rule; run the audit",
        ),
    ],
    ids=["missing", "torn", "later", "wrong", "format 1", "format 2"],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    done = call(path)
    assert done.exit_code == 2
    assert done.output.startswith(f"qaudit: {path}: {message}")
    assert len(done.output.splitlines()) == 1
