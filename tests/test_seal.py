"""verify says yes to what was sealed and to nothing else, and never ends in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qaudit import store
from qaudit.errors import Refused
from qaudit.stages.seal import EXITS, NAME, seal
from qaudit.stages.seal import verify as verify_in_child
from qaudit.units.job import Failure, Outcome
from qaudit.units.sealed import check as verify

MODEL = "ab" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store.write_json(tmp_path / "report.json", {"audit": {"id": "A1"}, "subject": {"digest": MODEL}})
    store.write_text(tmp_path / "report.html", "<p>page</p>")
    store.write_bytes(tmp_path / "report.pdf", b"%PDF-1.7 page")
    seal(tmp_path, {"model": MODEL, "holdout": "cd" * 32}, audit="A1", version="0.1.0")
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
    assert verify(folder) == ("does not match", ["report.html: missing"])


def test_unsealed_report_beside_the_seal_shows(folder: Path) -> None:
    store.remove(folder / NAME)
    (folder / "report.pdf").rename(folder / "kept")
    seal(folder, {"model": MODEL}, audit="A1", version="0.1.0")
    assert verify(folder)[0] == "verified"
    (folder / "kept").rename(folder / "report.pdf")
    assert verify(folder) == ("does not match", ["report.pdf: not sealed"])


def test_seal_of_another_run_shows(folder: Path) -> None:
    seal(folder, {"model": MODEL}, audit="A2", version="0.1.0")
    assert verify(folder)[0] == "does not match"
    seal(folder, {"model": "ef" * 32}, audit="A1", version="0.1.0")
    assert verify(folder)[0] == "does not match"


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
    monkeypatch.setattr("qaudit.units.runner.run", lambda *args, **kwargs: Outcome({}, {}, late))
    status, lines = verify_in_child(folder)
    assert status == "could not verify"
    assert lines == ["timed out after 20 s while reading"]
    assert EXITS[status] == 2
