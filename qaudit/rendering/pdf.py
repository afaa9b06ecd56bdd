"""HTML -> PDF/A-3a and PDF/UA-1 in one file, with report.json attached and the same bytes every time.

WeasyPrint writes only one variant per file. ISO 14289-1 requires its own identification in the metadata beside that of ISO
19005-3, with a schema that declares it; this module adds both. The structure tree of WeasyPrint meets the other requirements.
"""

from __future__ import annotations

import gc
import logging
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from qaudit.rendering.text import harmless

VARIANT = "pdf/a-3a"
MEDIA = ("font/woff2", "image/svg+xml")
LONGEST_DATA = 400_000
"""Characters of a data: address; the longest shipped font needs a quarter of it."""
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SPACES = {
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/",
    "pdfaExtension": "http://www.aiim.org/pdfa/ns/extension/",
    "pdfaSchema": "http://www.aiim.org/pdfa/ns/schema#",
    "pdfaProperty": "http://www.aiim.org/pdfa/ns/property#",
}


class MissingEngine(Exception):
    """WeasyPrint cannot load Pango."""


@dataclass(frozen=True, slots=True)
class PdfFile:
    """The PDF; addresses that were refused, with the reason; log lines that name missing glyphs."""

    data: bytes
    refused: tuple[str, ...]
    glyphs: tuple[str, ...]


def make_pdf(html: str, attachment: bytes, day: str | None) -> PdfFile:
    """The PDF of `html` with `attachment` as report.json, every date set to `day` (YYYY-MM-DD). Raises MissingEngine."""
    weasyprint = _engine()
    refused: list[str] = []
    stamp = datetime.fromisoformat(day or "1970-01-01").replace(tzinfo=UTC)
    with _quiet() as lines, _no_collection(), _font_clock():
        fetcher = _fetcher(weasyprint, refused)
        document = weasyprint.HTML(string=html, url_fetcher=fetcher, base_url=None).render(pdf_variant=VARIANT)
        document.metadata.__class__ = _metadata_class(type(document.metadata))
        attached = weasyprint.Attachment(
            string=attachment, name="report.json", description="Every number of the report, machine-readable",
            relationship="Data", created=stamp, modified=stamp,
        )  # fmt: skip
        data = document.write_pdf(finisher=_finish, pdf_variant=VARIANT, attachments=[attached])
    glyphs = tuple(sorted({line for line in lines if "notdef" in line or "glyph" in line.lower()}))
    return PdfFile(data, tuple(refused), glyphs)


def _engine() -> Any:
    try:
        import weasyprint  # the only place: loading it fails where Pango is missing, and HTML must go on without it
    except (ImportError, OSError) as error:
        raise MissingEngine(str(error).splitlines()[0]) from error
    return weasyprint


def _fetcher(weasyprint: Any, refused: list[str]) -> Any:
    from weasyprint.urls import URLFetcher

    class DataOnly(URLFetcher):  # type: ignore[misc]
        """Opens data: addresses of the media types that the pages use, up to a size; records and refuses all others.

        Callers must look at the record, since the engine ignores the exception inside an SVG and leaves the picture out.
        """

        def fetch(self, url: str, headers: Any = None) -> Any:
            if why := refusal(url):
                refused.append(f"{harmless(url[:80])}: {why}")
                raise ValueError(f"not fetched: {why}")
            return super().fetch(url, headers)

    return DataOnly(allowed_protocols={"data"})


def refusal(url: str) -> str:
    """Why `url` is refused; empty for a data: address of a known media type with at most LONGEST_DATA characters."""
    head = url[:80].partition(",")[0]
    if not head.startswith("data:"):
        return "only data: is opened"
    kind = head.removeprefix("data:").partition(";")[0]
    if kind not in MEDIA:
        return f"media type {harmless(kind) or 'not given'} is not among {', '.join(MEDIA)}"
    return "" if len(url) <= LONGEST_DATA else f"longer than {LONGEST_DATA} characters"


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Collect the log lines of the engine, so that nothing is printed."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, handler = logging.getLogger("weasyprint"), Keep()
    before = (logger.handlers[:], logger.propagate, logger.level)
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.WARNING)
    try:
        yield lines
    finally:
        logger.handlers, logger.propagate = before[0], before[1]
        logger.setLevel(before[2])


@contextmanager
def _font_clock() -> Iterator[None]:
    """A fixed time for fontTools, which writes the time into a font of which it makes a subset.

    It does so where HarfBuzz cannot.
    """
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection: layout makes millions of objects that stay alive, so collecting only costs time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _metadata_class(base: type[Any]) -> type[Any]:
    class Both(base):  # type: ignore[misc]
        """Uncompressed metadata that identifies PDF/UA-1 as well as PDF/A-3a."""

        __slots__ = ()

        def generate_rdf_metadata(self, *args: Any, **kwargs: Any) -> bytes:
            return _with_ua(super().generate_rdf_metadata(*args, **kwargs))

        def include_in_pdf(self, pdf: Any, variant: Any, version: Any, conformance: Any, compress: Any) -> Any:
            return super().include_in_pdf(pdf, variant, version, conformance, False)

    return Both


def _with_ua(xmp: bytes) -> bytes:
    """The RDF with pdfuaid:part = 1 and the extension schema that declares it."""
    for prefix, address in {**SPACES, "rdf": RDF}.items():
        ET.register_namespace(prefix, address)
    root = ET.fromstring(xmp)
    about = {f"{{{RDF}}}about": ""}
    part = ET.SubElement(root, f"{{{RDF}}}Description", about)
    ET.SubElement(part, f"{{{SPACES['pdfuaid']}}}part").text = "1"
    holder = ET.SubElement(root, f"{{{RDF}}}Description", about)
    bag = ET.SubElement(ET.SubElement(holder, f"{{{SPACES['pdfaExtension']}}}schemas"), f"{{{RDF}}}Bag")
    schema = ET.SubElement(bag, f"{{{RDF}}}li", {f"{{{RDF}}}parseType": "Resource"})
    for key, text in (("schema", "PDF/UA identification schema"), ("namespaceURI", SPACES["pdfuaid"]), ("prefix", "pdfuaid")):
        ET.SubElement(schema, f"{{{SPACES['pdfaSchema']}}}{key}").text = text
    series = ET.SubElement(ET.SubElement(schema, f"{{{SPACES['pdfaSchema']}}}property"), f"{{{RDF}}}Seq")
    entry = ET.SubElement(series, f"{{{RDF}}}li", {f"{{{RDF}}}parseType": "Resource"})
    described = (("name", "part"), ("valueType", "Integer"), ("category", "internal"), ("description", "Part of ISO 14289"))
    for key, text in described:
        ET.SubElement(entry, f"{{{SPACES['pdfaProperty']}}}{key}").text = text
    return bytes(ET.tostring(root, encoding="utf-8"))


def _finish(document: Any, pdf: Any) -> None:
    """Set the scope of every header cell: Column in a table head, else Row."""
    by_number = {f"{o.number} {o.generation} R".encode(): o for o in pdf.objects if hasattr(o, "number")}

    def parent(element: Any) -> Any:
        reference = element.get("P")
        return by_number.get(reference if isinstance(reference, bytes) else str(reference).encode()) if reference else None

    for element in pdf.objects:
        if not isinstance(element, dict) or element.get("S") != "/TH":
            continue
        above, scope = parent(element), "Row"
        while above is not None and isinstance(above, dict) and above.get("S") not in ("/Table", None):
            if above.get("S") == "/THead":
                scope = "Column"
            above = parent(above)
        _set_scope(element, scope)


def _set_scope(element: Any, scope: str) -> None:
    import pydyf

    entry = pydyf.Dictionary({"O": "/Table", "Scope": f"/{scope}"})
    attributes = element.get("A")
    if attributes is None:
        element["A"] = pydyf.Array([entry])
    elif isinstance(attributes, list):
        attributes.append(entry)
    elif isinstance(attributes, dict):
        attributes["Scope"] = f"/{scope}"
