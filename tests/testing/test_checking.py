"""The driver, `qaudit.testing` and what the author is shown; every check has its place in the documentation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from plants import FAULTS, QUANTIZER, planted

from qaudit.cli.main import main
from qaudit.core.tensor import QType, QuantizedTensor
from qaudit.engine.sweep import predict
from qaudit.errors import Refused
from qaudit.plugin_host.discovery import from_file
from qaudit.testing import refs_of
from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.catalogue import BY_ID, CHECKS, PAGE, checks_of
from qaudit.testing.checks.quantized_tensors import excess
from qaudit.testing.checks.runner import check_plugin, lines

ROOT = Path(__file__).parent.parent.parent
CLIPS = planted(QUANTIZER, [*FAULTS["clips a tenth of the range"][1], (", idempotent=True", "")])


def written(folder: Path, source: str) -> Path:
    file = folder / "planted.py"
    file.write_text(source, encoding="utf-8")
    return file


def test_every_check_is_documented_and_only_those() -> None:
    headings = re.findall(r"^## ([A-F]\d+)$", (ROOT / PAGE).read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [check.id for check in CHECKS]


def test_there_are_about_two_dozen_for_a_quantizer() -> None:
    assert len(checks_of("quantizer")) == 26
    assert {check.id for check in CHECKS} == set(BY_ID)
    assert all("\n" not in check.why and len(check.why) < 80 for check in CHECKS)


def test_an_expected_failure_is_shown_with_its_reason(tmp_path: Path) -> None:
    (ref,) = from_file(written(tmp_path, CLIPS))
    found = check_plugin(ref, {"B9": "clipping is the method"}, only=("B5", "B9"))
    assert [(one.id, one.status) for one in found.results] == [("B5", "passed"), ("B9", "expected")]
    assert found.passed
    assert lines(found.results[1], found.expected, tmp_path)[-1].strip() == "expected: clipping is the method"


def test_the_plugin_may_declare_it_itself_and_the_listing_shows_it(tmp_path: Path) -> None:
    file = written(tmp_path, CLIPS + '\nqaudit_expected_failures = {"B9": "clipping is the method"}\n')
    (ref,) = from_file(file)
    assert check_plugin(ref, only=("B9",)).passed
    told = CliRunner().invoke(main, ["plugins", "--plugin", str(file)])
    assert "quantizer planted: check B9 is expected to fail: clipping is the method" in told.output
    rows = json.loads(CliRunner().invoke(main, ["plugins", "--plugin", str(file), "--json"]).output)
    assert next(row for row in rows if row["name"] == "planted")["expected_failures"] == {"B9": "clipping is the method"}


def test_an_expectation_that_is_no_longer_true_fails(tmp_path: Path) -> None:
    (ref,) = from_file(written(tmp_path, QUANTIZER))
    found = check_plugin(ref, {"B9": "clipping is the method"}, only=("B9",))
    assert not found.passed
    assert found.results[0].seen == ("expected to fail, and passed: take it off the list",)


@pytest.mark.parametrize(
    ("expected", "message"), [({"D1": "no"}, "no check of a quantizer"), ({"B9": " "}, "a reason is wanted")]
)
def test_a_wrong_expectation_is_refused(expected: dict[str, str], message: str, tmp_path: Path) -> None:
    (ref,) = from_file(written(tmp_path, QUANTIZER))
    with pytest.raises(ValueError, match=message):
        check_plugin(ref, expected, only=("A3",))


def test_the_command_says_what_why_and_where(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["plugins", "check", str(written(tmp_path, CLIPS))])
    assert told.exit_code == 1
    block = told.output[told.output.index("FAILED   B9") :].splitlines()
    assert block[1].strip().startswith("layer0.weight: claims to keep the largest magnitude, lost it")
    assert "why:  no error is larger than a lost peak" in told.output
    assert f"look: {tmp_path / 'planted.py'}:8; docs/plugin-checks.md#b9" in told.output
    assert told.output.splitlines()[-1].endswith("1 failed, 3 not run")


def test_the_command_prints_json(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["plugins", "check", str(written(tmp_path, QUANTIZER)), "--json"])
    assert told.exit_code == 0
    (found,) = json.loads(told.output)
    assert found["passed"]
    assert [check["id"] for check in found["checks"]] == list(checks_of("quantizer"))


@pytest.mark.parametrize("word", ["no_such_plugin", "./nowhere.py"])
def test_no_such_plugin_is_one_line_and_two(word: str) -> None:
    told = CliRunner().invoke(main, ["plugins", "check", word])
    assert told.exit_code == 2
    assert len(told.stderr.splitlines()) == 1


def test_a_plugin_of_another_contract_is_named_and_refused(tmp_path: Path) -> None:
    (ref,) = from_file(written(tmp_path, QUANTIZER + "\nqaudit_spec = 7\n"))
    assert ref.spec == 7
    found = check_plugin(ref, only=("A1",))
    assert found.results[0].seen == ("unpackaged was written for plugin contract 7, this qaudit has contract 1",)
    computed = written(tmp_path, QUANTIZER + "\nqaudit_spec = 3 + 4\n")  # not seen without importing
    assert not check_plugin(from_file(computed)[0], only=("A1",)).passed


@pytest.mark.slow
def test_pytest_gets_one_test_a_check(tmp_path: Path) -> None:
    written(tmp_path, CLIPS)
    (tmp_path / "test_it.py").write_text(
        "from qaudit.testing import check_quantizer\n"
        "test = check_quantizer('planted.py')\n"
        "test_known = check_quantizer('planted.py', expected_failures={'B9': 'clipping is the method'})\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path / "test_it.py"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "FAILED" in done.stdout
    assert "1 failed" in done.stdout
    assert "1 xfailed" in done.stdout
    assert "claims to keep the largest magnitude, lost it" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_module_a_record_and_a_name_stand_for_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, QUANTIZER.replace("import os, socket, time", ""))
    monkeypatch.syspath_prepend(str(tmp_path))
    import planted as module  # type: ignore[import-not-found]

    (record,) = module.qaudit_offer_quantizers(None)
    assert [ref.name for ref in refs_of(module)] == [ref.name for ref in refs_of(record)] == ["planted"]
    assert [ref.kind for ref in refs_of("symmetric")] == ["quantizer"]
    with pytest.raises(Refused, match="did you mean 'symmetric'"):
        refs_of("symetric")


def test_the_bound_is_half_a_step_where_the_value_is_in_range() -> None:
    values = np.array([0.24, 0.26, 3.4, 9.0])
    tensor = QuantizedTensor(np.array([0, 0, 3, 3]), scale=1.0, qtype=QType(3))
    assert np.count_nonzero(excess(values, tensor, 0.5)) == 0
    off = QuantizedTensor(np.array([0, 1, 2, 3]), scale=1.0, qtype=QType(3))
    assert np.flatnonzero(excess(values, off, 0.5)).tolist() == [1]  # 3.4 and 9.0 lie outside: codes end at 3
    table = QuantizedTensor(np.array([0, 1, 1, 1]), scale=2.0, qtype=QType(1, signed=False), table=np.array([0.0, 1.0]))
    assert np.flatnonzero(excess(values, table, 0.5)).tolist() == [1]
    masked = QuantizedTensor(np.array([3, 3, 3, 3]), scale=1.0, qtype=QType(3), mask=np.zeros(4, dtype=bool))
    assert not excess(values, masked, 0.5).any()


def test_toy_trees_are_chains_with_the_leaves_asked_for() -> None:
    program = toy_subjects.tree(np.array([5.0, 6.0, 7.0]), np.array([0.0, 1.0]))
    assert program.problems() == []
    assert predict(program, np.array([[-1.0], [0.5], [2.0]]))[:, 0].tolist() == [5.0, 6.0, 7.0]
    for name, each in {**toy_subjects.plain(), **toy_subjects.special()}.items():
        wrong = [line for line in each.problems() if "scores for" not in line]
        assert wrong == [], name
