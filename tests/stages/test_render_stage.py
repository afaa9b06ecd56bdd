"""The render stage: files whole or absent, what cannot be made is a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qaudit.errors import Refused
from qaudit.rendering.pdf import MissingEngine
from qaudit.stages.render import render
from qaudit.units.job import Failure, Job, Outcome
from qaudit.units.tasks import render as task

GOLDEN = Path(__file__).parent.parent / "golden" / "report.json"


def report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


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
    with pytest.raises(Refused, match="format: 'docx' is not known; known: html, pdf"):
        render(report(), tmp_path, formats=("docx",))


def test_the_task_answers_in_bytes() -> None:
    phases: list[str] = []
    answer, arrays = task.work(Job({"report": report(), "formats": ["html"], "lang": "en"}, {}, {}, phases.append))
    assert phases == ["render"]
    assert answer == {"skipped": [], "notes": []}
    assert arrays["html"].dtype == np.uint8
    assert bytes(arrays["html"][:9]) == b"<!DOCTYPE"
