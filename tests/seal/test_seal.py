"""verify says yes to what was sealed and to nothing else, and never ends in a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_pdf import tiny_pdf

from qaudit.errors import Refused
from qaudit.pipeline.stages.seal import EXITS, NAME, seal
from qaudit.pipeline.stages.seal import verify as verify_in_child
from qaudit.sandbox.job import Failure, Outcome
from qaudit.seal.verification import check as verify
from qaudit.storage.durable_files import remove, write_bytes, write_json, write_text

MODEL, HOLDOUT = "ab" * 32, "cd" * 32
INPUTS = {"model": MODEL, "holdout": HOLDOUT}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    roles = {"holdout": {"digest": f"sha256:{HOLDOUT}"}}
    report = {"audit": {"id": "A1"}, "subject": {"digest": f"sha256:{MODEL}"}, "data": {"roles": roles}}
    write_json(tmp_path / "report.json", report)
    write_text(tmp_path / "report.html", "<p>page</p>")
    write_bytes(tmp_path / "report.pdf", tiny_pdf((tmp_path / "report.json").read_bytes()[:-1]))
    seal(tmp_path, INPUTS, audit="A1", version="0.1.0")
    return tmp_path


def test_sealed_folder_verifies(folder: Path) -> None:
    assert verify(folder)[0] == "verified"
    assert verify(folder / "report.pdf")[0] == "verified"


@pytest.mark.parametrize("name", ["report.json", "report.html", "report.pdf"])
def test_any_change_shows(name: str, folder: Path) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    assert verify(folder) == ("does not match", [f"{name}: changed since the seal"])
    path.unlink()
    assert verify(folder) == ("does not match", [f"{name}: missing"])


def test_link_to_the_same_bytes_is_no_match(folder: Path) -> None:
    real = folder / "elsewhere"
    (folder / "report.html").rename(real)
    (folder / "report.html").symlink_to(real)
    assert verify(folder) == ("does not match", ["report.html: a link"])


def test_unsealed_report_beside_the_seal_shows(folder: Path) -> None:
    remove(folder / NAME)
    (folder / "report.pdf").rename(folder / "kept")
    seal(folder, INPUTS, audit="A1", version="0.1.0")
    assert verify(folder)[0] == "verified"
    for name in ("report.pdf", "Report.PDF", "report.htm", "report.json.exe"):
        shutil.copy(folder / "kept", folder / name)
        assert verify(folder) == ("does not match", [f"{name}: not sealed"])
        (folder / name).unlink()


def test_what_else_lies_there_is_named(folder: Path) -> None:
    assert not any(line.startswith("not sealed") for line in verify(folder)[1])
    (folder / "log.txt").write_text("")
    (folder / "new\nreport\u202e.pdf").write_text("")
    assert r"not sealed, not verified: log.txt, new\x0areport\x202e.pdf" in verify(folder)[1]
    for number in range(30):
        (folder / f"x{number}").write_text("")
    assert any(line.endswith(" and 12 more") for line in verify(folder)[1])


OTHER = "report.json: is the report of another"


@pytest.mark.parametrize(
    ("audit", "inputs", "line"),
    [
        ("A2", INPUTS, "report.json: is not the report of audit A2"),
        ("A1", INPUTS | {"model": "ef" * 32}, f"{OTHER} model than the seal's"),
        ("A1", INPUTS | {"holdout": "ef" * 32}, f"{OTHER} holdout than the seal's"),
        ("A1", INPUTS | {"training": "ef" * 32}, f"{OTHER} training than the seal's"),
        ("A1", INPUTS | {"policy": "ef" * 32}, f"{OTHER} policy than the seal's"),
        ("A1", {"model": MODEL}, f"{OTHER} holdout than the seal's"),
        ("A1", {}, "seal.json: names no model"),
    ],
)
def test_seal_of_another_run_shows(audit: str, inputs: dict[str, str], line: str, folder: Path) -> None:
    seal(folder, inputs, audit=audit, version="0.1.0")
    status, lines = verify(folder)
    assert (status, lines[0]) == ("does not match", line)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "nonsense",
        "[" * 100000,
        '{"format":1,"format":1,"qaudit":"","audit":"","inputs":{},"outputs":{}}',
        '{"format":1,"qaudit":"","audit":"","inputs":{},"outputs":{}}',
        '{"format":2,"qaudit":"","audit":"","inputs":{},"outputs":{}}',
        '{"format":1,"qaudit":"","audit":"","inputs":{},"outputs":{},"more":NaN}',
    ],
)
def test_unreadable_seal_could_not_verify(text: str, folder: Path) -> None:
    (folder / NAME).write_text(text)
    assert verify(folder)[0] == "could not verify"


def test_no_seal_could_not_verify(tmp_path: Path) -> None:
    assert verify(tmp_path)[0] == "could not verify"
    assert verify(tmp_path / "absent" / "report.pdf")[0] == "could not verify"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_bytes_never_verify(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["report.json", "report.html", "report.pdf", NAME]))
    path = folder / name
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != before[place]))
    path.write_bytes(before[:place] + bytes([value]) + before[place + 1 :])
    try:
        status, lines = verify(folder)
        assert status != "verified", lines
    finally:
        path.write_bytes(before)


def test_seal_refuses_what_is_no_digest(folder: Path) -> None:
    with pytest.raises(Refused, match="64 hex digits"):
        seal(folder, {"model": "short"}, audit="A1", version="0.1.0")


def test_verify_reads_in_a_child_and_every_end_of_it_is_an_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify_in_child(folder) == verify(folder)
    assert verify_in_child(folder / "report.html")[0] == "verified"
    (folder / "report.json").write_text("[" * 10**6)
    seal(folder, {"model": MODEL}, audit="A1", version="0.1.0")
    status, lines = verify_in_child(folder)
    assert status == "could not verify"
    assert lines[0].startswith("report.json: not readable")
    # a child that is really slow is the runner's test; here, what is said of one
    late = Failure("timed out", "read", "timed out after 20 s while reading", "plugin")
    monkeypatch.setattr("qaudit.sandbox.runner.run", lambda *args, **kwargs: Outcome({}, {}, late))
    status, lines = verify_in_child(folder)
    assert status == "could not verify"
    assert lines == ["timed out after 20 s while reading"]
    assert EXITS[status] == 2
