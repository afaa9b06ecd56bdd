"""verify reads the report.json inside report.pdf: it is the one beside it, the only attachment, and nothing in the file acts."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pydyf
import pypdf
import pytest
from mutants import mutant, mutants
from tampered import FOLDER, FORGED, MODEL, REPORT, acting, plain, repacked, tampered
from tiny_pdf import tiny_pdf

from qaudit.pipeline.stages.seal import seal
from qaudit.rendering.pdf import make_pdf
from qaudit.seal.pdf_attachment import FORBIDDEN, ForbiddenContent, UnknownLayout, attached
from qaudit.seal.verification import check


def sealed(folder: Path, pdf: bytes) -> tuple[str, list[str]]:
    """What is said of a folder whose seal has the digests of REPORT and of this PDF."""
    (folder / "report.json").write_bytes(REPORT)
    (folder / "report.pdf").write_bytes(pdf)
    seal(folder, {"model": MODEL}, audit="A1", version="0.1.0")
    return check(folder)


def as_others_see(pdf: bytes) -> list[tuple[str, bytes]]:
    """Every attachment that pypdf finds: the independent reader."""
    return [(each.name, each.content) for each in pypdf.PdfReader(io.BytesIO(pdf)).attachment_list]


@pytest.mark.parametrize("name", sorted(tampered()))
def test_tampered(name: str, tmp_path: Path) -> None:
    data, answer, line = tampered()[name]
    status, lines = sealed(tmp_path, data)
    assert status == answer, lines
    assert lines[0].startswith(line)


def test_published_files_have_their_answers(tmp_path: Path) -> None:
    expected = json.loads((FOLDER / "expected.json").read_bytes())
    assert {path.name for path in FOLDER.iterdir()} == {*expected, "expected.json", "report.json"}
    assert (FOLDER / "report.json").read_bytes() == REPORT
    assert expected == {f"{name}.pdf": {"answer": answer, "line": line} for name, (_, answer, line) in tampered().items()}
    for name, wanted in expected.items():
        status, lines = sealed(tmp_path, (FOLDER / name).read_bytes())
        assert (status, lines[0][: len(wanted["line"])]) == (wanted["answer"], wanted["line"]), name


def test_the_independent_reader_sees_what_the_tampering_was(tmp_path: Path) -> None:
    """The refused files are no nonsense: somebody who opens them would be shown another report."""
    found = {name: data for name, (data, _, _) in tampered().items()}
    assert as_others_see(found["plain"]) == [("report.json", REPORT[:-1])]
    for name in ("other-report", "later-revision"):
        assert as_others_see(found[name]) == [("report.json", FORGED[:-1])]
    assert [name for name, _ in as_others_see(found["two-listed"])] == ["report.json", "more.json"]
    assert as_others_see(found["nested-list"]) == [("report.json", REPORT[:-1])]


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_nothing_that_acts(name: str) -> None:
    for pdf in (acting(name, "1"), acting("More", f"[<</S /{name}>>]"), acting("More", f"/#{ord(name[0]):02x}{name[1:]}")):
        with pytest.raises(ForbiddenContent, match=f"^holds /{name}$"):
            attached(pdf, 1000)


def test_a_text_that_only_looks_so_is_no_action() -> None:
    assert attached(acting("More", r"(/OpenAction \) /JS)"), 1000) == REPORT[:-1]


UNCLEAR = (
    "1 1 R",
    "1.0 0 R",
    "1 0.0 R",
    "1 false R",
    "/A 0 R",
    "/A#4",
    "/A#zz",
    "1_0",
    "+-1",
    "1e3",
    "12345678901",
    "nil",
    "<<1 2>>",
    "<</A>>",
)
UNCLEAR += ("[1>>", "<</A 1]", "]", ">>", "(", ")", "(a(b)c)", "<0g>", "{", "}", "% 1")


@pytest.mark.parametrize("value", UNCLEAR)
def test_what_readers_may_understand_in_two_ways(value: str) -> None:
    with pytest.raises(UnknownLayout):
        attached(acting("More", value), 1000)


@pytest.mark.parametrize(
    "value", ["1 0 R", "-1.5", "[.5 2. +3]", "<00Ff>", "<<>>", "[]", "(a\\(b)", "/A#20b", "/", "true", "null"]
)
def test_what_all_readers_understand(value: str) -> None:
    assert attached(acting("More", value), 1000) == REPORT[:-1]


@pytest.mark.parametrize("swollen", ["attachment", "objects"])
def test_a_bomb_is_not_blown_up(swollen: str) -> None:
    if swollen == "attachment":
        assert len(attached(tiny_pdf(bytes(2**26)), 100)) == 101
        return
    with pytest.raises(UnknownLayout):
        attached(repacked(plain(), b"ObjStm", lambda data: data + b" " * 2**26), 100)


def small_page() -> bytes:
    """As the renderer makes it, with fonts, tags and metadata."""
    html = '<html lang="en"><head><title>t</title></head><body><h1 id="a">x</h1><p><a href="#a">y</a></p></body></html>'
    return make_pdf(html, REPORT[:-1], "2026-11-24").data


def test_600_mutants_under_a_matching_seal(tmp_path: Path) -> None:
    """Damage in the bytes, and damage inside its streams packed anew under right lengths and checksums."""
    whole, draw = {"tiny": plain(), "page": small_page()}, random.Random(9)
    damaged = [data for _, data in mutants(whole, 300, seed=9)]
    for number in range(300):
        kind = (b"ObjStm", b"ObjStm", b"XRef", b"EmbeddedFile")[number % 4]
        damaged.append(repacked(whole[("tiny", "page")[number // 4 % 2]], kind, lambda data: mutant(data, draw)))
    answers = []
    for data in damaged:
        status, lines = sealed(tmp_path, data)
        assert lines
        answers.append(status)
        if status == "verified":
            assert as_others_see(data) == [("report.json", REPORT[:-1])]
    assert set(answers) == {"verified", "does not match", "could not verify"}


def test_the_reader_of_one_layout_refuses_the_other_that_its_writer_knows() -> None:
    pdf, out = pydyf.PDF(), io.BytesIO()
    pdf.write(out)
    with pytest.raises(UnknownLayout):
        attached(out.getvalue(), 100)
