"""docs/sample: the pages are what `qaudit render` makes of the committed report.json."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from commandline import qaudit

from qaudit.pipeline.environment import environment

SAMPLE = Path(__file__).parent.parent / "docs" / "sample"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("sample")
    answer = qaudit("render", SAMPLE / "report.json", "-o", at, home=at, cwd=at)
    assert answer.code == 0, answer.err
    return at


def test_the_html_is_byte_for_byte_the_committed_one(rendered: Path) -> None:
    assert (rendered / "report.html").read_bytes() == (SAMPLE / "report.html").read_bytes()


def test_the_pdf_is_the_committed_one_where_its_makers_are_the_same(rendered: Path) -> None:
    """The bytes of a PDF depend on the PDF engine; with other versions it is still a PDF with the same report attached."""
    made, committed = (rendered / "report.pdf").read_bytes(), (SAMPLE / "report.pdf").read_bytes()
    recorded = json.loads((SAMPLE / "report.json").read_text(encoding="utf-8"))["environment"]["pdf"]
    if recorded == environment()["pdf"]:
        assert made == committed
    assert made.startswith(b"%PDF-")
    assert 0.5 < len(made) / len(committed) < 2.0


def test_the_picture_is_page_one() -> None:
    content = (SAMPLE / "page1.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert height / width == pytest.approx(297 / 210, rel=0.01)
