"""The PDF: both standards hold, report.json inside, the same bytes every time, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zlib
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pypdf
import pytest
from reports import GOLDEN, typed

from qaudit.core.evidence import canonical_json
from qaudit.rendering.custom_template.source import read_custom_template
from qaudit.rendering.html import page
from qaudit.rendering.pdf import LONGEST_DATA, PdfFile, make_pdf, refusal
from qaudit.sandbox.job import Job
from qaudit.sandbox.tasks import render
from qaudit.seal.pdf_attachment import attached

validation = pytest.importorskip("page")
MEMO = Path(__file__).parent.parent.parent / "examples" / "third_party_template" / "memo"
FONTS = Path(__file__).parent.parent.parent / "report_templates" / "fonts"
CODE = """
import hashlib, json, sys
from qaudit.core.evidence import canonical_json
from qaudit.rendering.html import page
from qaudit.rendering.pdf import make_pdf
from qaudit.report.reading import parse_report
content = open(sys.argv[1], "rb").read()
html, plain = page(parse_report(content), pdf=True), json.loads(content)
print(hashlib.sha256(make_pdf(html, canonical_json(plain).encode(), plain["audit"]["date"]).data).hexdigest())
"""


def latin() -> str:
    """The golden report in scripts that the shipped fonts hold: a machine without Chinese fonts makes the same PDF."""
    return GOLDEN.read_text(encoding="utf-8").replace("客户年龄", "client_age")


@pytest.fixture(scope="module")
def made() -> PdfFile:
    report = json.loads(latin())
    return make_pdf(page(typed(report), pdf=True), canonical_json(report).encode("utf-8"), report["audit"]["date"])


@pytest.mark.parametrize("profile", ["ua1", "3a"])
def test_standards(made: PdfFile, profile: str, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(made.data)
    said = str(validation.validate_pdf(path, profile=profile))
    failed = set(re.findall(r"\[(PDF[A-Z0-9-]+)\]", said))
    assert "Rules:" in said
    # a false alarm of the validator where stream data ends in a carriage return: the lengths are checked below
    assert failed <= {"PDFA3A-STREAM-LENGTH-001"}, said


@pytest.fixture(scope="module")
def laid_out() -> PdfFile:
    """The same report as a template of others lays it out."""
    report = json.loads(latin())
    html = page(typed(report), pdf=True, custom_template=asdict(read_custom_template(MEMO)))
    return make_pdf(html, canonical_json(report).encode("utf-8"), report["audit"]["date"])


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["ua1", "3a"])
def test_standards_with_a_template_of_others(laid_out: PdfFile, profile: str, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(laid_out.data)
    said = str(validation.validate_pdf(path, profile=profile))
    assert "Rules:" in said
    assert set(re.findall(r"\[(PDF[A-Z0-9-]+)\]", said)) <= {"PDFA3A-STREAM-LENGTH-001"}, said


def test_stream_lengths_are_right(made: PdfFile) -> None:
    found = list(re.finditer(rb"/Length (\d+)[^>]*>>\s*stream\r?\n", made.data))
    assert len(found) > 20
    for match in found:
        end = match.end() + int(match.group(1))
        assert made.data[end : end + 12].lstrip(b"\r\n").startswith(b"endstream")


def streams(data: bytes) -> list[bytes]:
    out = []
    for match in re.finditer(rb"/Length (\d+)[^>]*>>\s*stream\r?\n", data):
        raw = data[match.end() : match.end() + int(match.group(1))]
        try:
            out.append(zlib.decompress(raw))
        except zlib.error:
            out.append(raw)
    return out


def test_report_json_is_inside_and_nothing_was_fetched(made: PdfFile) -> None:
    report = json.loads(latin())
    assert canonical_json(report).encode() in streams(made.data)
    text = canonical_json(report).encode()
    assert attached(made.data, len(text)) == text
    assert [(each.name, each.content) for each in pypdf.PdfReader(io.BytesIO(made.data)).attachment_list] == [
        ("report.json", text)
    ]
    assert made.refused == ()
    assert made.glyphs == ()


WOFF = "data:font/woff2;base64,d09GMg=="
OUTSIDE = {
    "picture": '<img alt="x" src="https://example.org/a.png">',
    "file": '<img alt="x" src="file:///etc/hostname">',
    "style": "<style>@import url(http://127.0.0.1/a.css)</style>",
    "font": "<style>@font-face{font-family:a;src:url(http://127.0.0.1/a.woff2)}p{font-family:a}</style>",
    "in an SVG": '<svg width="9" height="9"><image href="file:///etc/hostname" width="9" height="9"/></svg>',
    "attachment": '<link rel="attachment" href="file:///etc/hostname">',
    "object": '<object data="http://127.0.0.1/a.svg"></object>',
    "raster": '<img alt="x" src="data:image/png;base64,iVBORw0KGgo=">',
    "page": '<img alt="x" src="data:text/html,hello">',
    "long": f'<img alt="x" src="data:image/svg+xml,{"x" * LONGEST_DATA}">',
}


@pytest.mark.parametrize("how", OUTSIDE)
def test_what_lies_outside_is_refused_and_recorded(how: str) -> None:
    found = make_pdf(f'<html lang="en"><head><title>t</title></head><body>{OUTSIDE[how]}<p>x</p></body></html>', b"{}", None)
    assert len(found.refused) >= 1
    assert b"root:" not in found.data


@pytest.mark.parametrize("url", [WOFF, "data:image/svg+xml,%3Csvg/%3E"])
def test_what_the_pages_use_is_opened(url: str) -> None:
    assert refusal(url) == ""


def test_a_refusal_fails_the_pdf_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "make_pdf", lambda *_: PdfFile(b"%PDF", ("file:///etc/hostname: only data: is opened",), ()))
    answer, arrays = render.work(Job({"formats": ["html", "pdf"]}, {"report": np.frombuffer(latin().encode(), np.uint8)}, {}))
    assert answer["skipped"] == [["pdf", "not fetched: file:///etc/hostname: only data: is opened"]]
    assert sorted(arrays) == ["html"]


@pytest.mark.slow
def test_same_bytes_under_another_hash_seed_time_zone_and_no_system_fonts(made: PdfFile, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(latin(), encoding="utf-8")
    # no system font either: the shipped fonts alone make the pages
    (tmp_path / "fonts.conf").write_text(f"<fontconfig><dir>{tmp_path}</dir><cachedir>{tmp_path}</cachedir></fontconfig>")
    hidden = {"FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", **hidden}
    out = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "report.json")], env=environment, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == hashlib.sha256(made.data).hexdigest()


@pytest.mark.parametrize("date_given", [None, "1700000000"])
def test_same_bytes_at_another_time_without_the_subset_library(monkeypatch: pytest.MonkeyPatch, date_given: str | None) -> None:
    monkeypatch.setattr("weasyprint.pdf.fonts.harfbuzz_subset", None)
    if date_given:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", date_given)
    font = base64.b64encode((FONTS / "inter-400.woff2").read_bytes()).decode()
    face = f"@font-face{{font-family:f;src:url(data:font/woff2;base64,{font})}}p{{font-family:f}}"
    html = f'<html lang="en"><head><title>t</title><style>{face}</style></head><body><p>text</p></body></html>'
    found = []
    for now in (1_000_000_000, 2_000_000_000):
        monkeypatch.setattr("fontTools.misc.timeTools.time", SimpleNamespace(time=lambda now=now: now))
        found.append(make_pdf(html, b"{}", None).data)
    assert any(b"/FontFile" in each for each in streams(found[0]))
    assert found[0] == found[1]
    assert os.environ.get("SOURCE_DATE_EPOCH") == date_given
