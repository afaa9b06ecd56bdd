"""Make the pages of a report in a child: the PDF engine is large foreign code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import canonical_json
from qaudit.core.json_values import Json
from qaudit.rendering.custom_template.sandbox import GuestError, checked
from qaudit.rendering.custom_template.source import STYLES
from qaudit.rendering.custom_template.styles import scoped
from qaudit.rendering.html import page
from qaudit.rendering.pdf import MissingEngine, make_pdf
from qaudit.sandbox.job import Job

NO_ENGINE = "no PDF: the text engine Pango was not found; install libpango-1.0-0, libpangoft2-1.0-0 and libharfbuzz-subset0"


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """Bytes of the asked formats as uint8 arrays.

    Request: {"report": report.json as an object, "formats": ["html", "pdf"], "lang": "en", "guest": template or null}.
    Answer: {"skipped": [[by, reason]], "notes": [text], "guest": why the template is not used or ""}; arrays "html", "pdf".
    No format: the template is only checked.
    """
    try:
        return _made(job)
    except GuestError as error:
        return {"skipped": [], "notes": [], "guest": str(error)}, {}


def _made(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    report, formats = job.request["report"], job.request["formats"]
    lang, guest = job.request.get("lang", "en"), job.request.get("guest")
    arrays: dict[str, NDArray[Any]] = {}
    skipped: list[list[str]] = []
    notes: list[str] = []
    job.phase("render")
    if guest and not formats:
        checked(guest["files"])
        scoped(guest["files"].get(STYLES, ""))
    if "html" in formats:
        arrays["html"] = _bytes(page(report, lang=lang, guest=guest).encode("utf-8"))
    if "pdf" in formats:
        try:
            day = (report.get("audit") or {}).get("date")
            made = make_pdf(page(report, pdf=True, lang=lang, guest=guest), canonical_json(report).encode("utf-8"), day)
            notes = list(made.glyphs)
            if made.refused:
                # a page that asks for something from outside is not the page of this report
                skipped.append(["pdf", f"not fetched: {'; '.join(made.refused[:3])}"])
            else:
                arrays["pdf"] = _bytes(made.data)
        except MissingEngine:
            skipped.append(["pdf", NO_ENGINE])
    return {"skipped": skipped, "notes": notes, "guest": ""}, arrays


def _bytes(data: bytes) -> NDArray[Any]:
    return np.frombuffer(data, dtype=np.uint8)
