"""The render stage: files whole or absent, what cannot be made is a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reports import content, golden

from qaudit.errors import Refused
from qaudit.pipeline.stages.render import check_custom_template, render
from qaudit.rendering.custom_template.source import ENTRY, CustomTemplate
from qaudit.rendering.pdf import MissingEngine
from qaudit.sandbox.job import Failure, Job, Outcome
from qaudit.sandbox.tasks import render as task


def report() -> bytes:
    return content(golden())


def direct(name: str, request: dict[str, Any], arrays: dict[str, Any], **more: Any) -> Outcome:
    assert name == "render"
    return Outcome(*task.work(Job(request, arrays)))


def test_html_through_a_real_child(tmp_path: Path) -> None:
    lines: list[str] = []
    done = render(report(), tmp_path, formats=("html",), progress=lines.append)
    assert done.skipped == ()
    assert done.files == (tmp_path / "report.html",)
    assert done.files[0].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert lines == ["render html"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html"]


def test_without_the_engine_html_is_made_and_the_package_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise MissingEngine("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(task, "make_pdf", missing)
    done = render(report(), tmp_path, run=direct)
    assert [p.name for p in done.files] == ["report.html"]
    assert [(s.stage, s.by, s.kind) for s in done.skipped] == [("render", "pdf", "failed")]
    assert "libpango-1.0-0" in done.skipped[0].reason


def test_a_child_that_fails_is_a_row(tmp_path: Path) -> None:
    def failing(*_: object, **__: object) -> Outcome:
        return Outcome({}, {}, Failure("timed out", "render", "no answer in 300 s", "plugin"))

    done = render(report(), tmp_path, formats=("pdf",), run=failing)
    assert done.files == ()
    assert done.skipped[0].reason == "timed out: no answer in 300 s"
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="unknown format 'docx'; known: html, pdf"):
        render(report(), tmp_path, formats=("docx",))


def test_the_task_answers_in_bytes() -> None:
    phases: list[str] = []
    answer, arrays = task.work(
        Job({"formats": ["html"], "lang": "en"}, {"report": np.frombuffer(report(), np.uint8)}, {}, phases.append)
    )
    assert phases == ["render"]
    assert answer == {"skipped": [], "notes": [], "custom_template": ""}
    assert arrays["html"].dtype == np.uint8
    assert bytes(arrays["html"][:9]) == b"<!DOCTYPE"


def template(text: str) -> CustomTemplate:
    return CustomTemplate("acme", "sha256:" + "ab" * 32, {ENTRY: text})


def test_a_template_lays_the_page_out(tmp_path: Path) -> None:
    done = render(report(), tmp_path, formats=("html",), custom_template=template("<h2>Memo</h2>"))
    assert done.skipped == ()
    text = done.files[0].read_text(encoding="utf-8")
    assert "laid out by the template <b><bdi>acme</bdi></b>" in text
    assert "Memo</h2>" in text


def test_a_template_that_fails_is_a_row_and_the_page_is_made_without_it(tmp_path: Path) -> None:
    done = render(report(), tmp_path, formats=("html",), custom_template=template("{{ report.nothing.more }}"))
    assert [(row.stage, row.by) for row in done.skipped] == [("render", "template acme")]
    assert "UndefinedError" in done.skipped[0].reason
    assert done.skipped[0].reason.endswith("; html is laid out without it")
    plain = render(report(), tmp_path / "..", formats=("html",)).files[0].read_bytes()
    assert done.files[0].read_bytes() == plain


def test_a_template_that_comes_to_no_end_is_a_row_and_the_page_is_made_without_it(tmp_path: Path) -> None:
    def slow(name: str, request: dict[str, Any], arrays: dict[str, Any], **more: Any) -> Outcome:
        if request["custom_template"]:
            return Outcome({}, {}, Failure("timed out", "render", "no answer in 300 s", "plugin"))
        return direct(name, request, arrays)

    done = render(report(), tmp_path, formats=("html",), run=slow, custom_template=template("x"))
    assert done.skipped[0].reason == "timed out: no answer in 300 s; html is laid out without it"
    assert [path.name for path in done.files] == ["report.html"]


def test_a_template_that_fails_is_refused_before_any_page_where_no_other_pages_are_wanted(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def counted(name: str, request: dict[str, Any], arrays: dict[str, Any], **more: Any) -> Outcome:
        asked.append(request["formats"])
        return direct(name, request, arrays)

    with pytest.raises(Refused, match=r"^memo: template\.html\.j2: UndefinedError"):
        render(report(), tmp_path, run=counted, custom_template=template("{{ report.nothing.more }}"), refused_as="memo")
    assert asked == [["html"]]
    assert list(tmp_path.iterdir()) == []


def test_the_short_texts_are_made_without_a_child_and_whatever_the_template(tmp_path: Path) -> None:
    def none(*_: object, **__: object) -> Outcome:
        raise AssertionError("no child is needed")

    done = render(report(), tmp_path, formats=("junit", "md"), run=none, custom_template=template("{{ report.nothing.more }}"))
    assert [path.name for path in done.files] == ["report.md", "report.junit.xml"]
    first = [path.read_bytes() for path in done.files]
    assert [path.read_bytes() for path in render(report(), tmp_path, formats=("md", "junit"), run=none).files] == first
    with pytest.raises(Refused, match=r"^r\.json: not a report"):
        render(b"{}x", tmp_path, name="r.json", formats=("md",))


def test_a_template_is_looked_into_before_any_work_and_not_run(tmp_path: Path) -> None:
    (tmp_path / ENTRY).write_text("{{ 1 / 0 }}")
    assert check_custom_template(tmp_path).files == {ENTRY: "{{ 1 / 0 }}"}
    (tmp_path / ENTRY).write_text("<p>\n{{ 'x' | safe }}")
    with pytest.raises(Refused, match=r"template: template\.html\.j2, line 2: filter 'safe' is not among"):
        check_custom_template(tmp_path)
    (tmp_path / ENTRY).write_text("<p>x</p>")
    (tmp_path / "template.css").write_text("p { position: fixed }")
    with pytest.raises(Refused, match=r"template: template\.css, line 1: property 'position'"):
        check_custom_template(tmp_path)
