"""Renders the pages of a report in a child process, because the PDF engine is a large body of foreign code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.errors import Refused
from qaudit.rendering.custom_template.sandbox import CustomTemplateError, checked
from qaudit.rendering.custom_template.source import STYLES
from qaudit.rendering.custom_template.styles import scoped
from qaudit.rendering.html import page
from qaudit.rendering.pdf import MissingEngine, make_pdf
from qaudit.report.reading import parse_report
from qaudit.sandbox.job import Job

NO_ENGINE = "no PDF: the text engine Pango was not found; install libpango-1.0-0, libpangoft2-1.0-0 and libharfbuzz-subset0"


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """The bytes of the requested formats as uint8 arrays.

    Request: {"file": what errors call the report, "formats": ["html", "pdf"], "lang": "en", "custom_template": template or null};
    array "report": the bytes of report.json.
    Answer: {"skipped": [[by, reason]], "notes": [text], "custom_template": why it is not used, or ""}; arrays "html", "pdf".
    Without a format the custom template is only checked, and there is no report. Raises Refused for a report that does not fit.
    """
    try:
        return _rendered(job)
    except CustomTemplateError as error:
        return {"skipped": [], "notes": [], "custom_template": str(error)}, {}


def _rendered(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    formats: list[str] = job.request["formats"]
    lang, template = job.request.get("lang", "en"), job.request.get("custom_template")
    arrays: dict[str, NDArray[Any]] = {}
    skipped: list[list[str]] = []
    notes: list[str] = []
    job.phase("render")
    if template and not formats:
        checked(template["files"])
        scoped(template["files"].get(STYLES, ""))
    if not formats:
        return {"skipped": [], "notes": [], "custom_template": ""}, {}
    content = np.asarray(job.arrays["report"], dtype=np.uint8).tobytes()
    try:
        report = parse_report(content)
    except Refused as error:
        raise Refused(f"{job.request.get('file', 'report.json')}: {error}") from None
    if "html" in formats:
        arrays["html"] = _bytes(page(report, lang=lang, custom_template=template).encode("utf-8"))
    if "pdf" in formats:
        try:
            html = page(report, pdf=True, lang=lang, custom_template=template)
            # The attachment is the report as it was given, also where it is of an older format.
            document = make_pdf(html, content.removesuffix(b"\n"), report.audit.date)
            notes = list(document.glyphs)
            if document.refused:
                # A page that loads something from outside shows more than this report, so it is refused.
                skipped.append(["pdf", f"not fetched: {'; '.join(document.refused[:3])}"])
            else:
                arrays["pdf"] = _bytes(document.data)
        except MissingEngine:
            skipped.append(["pdf", NO_ENGINE])
    return {"skipped": skipped, "notes": notes, "custom_template": ""}, arrays


def _bytes(data: bytes) -> NDArray[Any]:
    return np.frombuffer(data, dtype=np.uint8)
