"""A PDF in the layout of report.pdf, small and quickly made: an empty page with report.json attached."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pydyf

Change = Callable[[pydyf.PDF, dict[str, Any]], None]


def tiny_pdf(report: bytes, change: Change = lambda pdf, parts: None) -> bytes:
    """The PDF. `change` sees it before it is written, with its parts: file, entry, tree, names."""
    pdf = pydyf.PDF()
    content = pydyf.Stream([b"0 0 m"], compress=True)
    pdf.add_object(content)
    pdf.add_page(
        pydyf.Dictionary(
            {"Type": "/Page", "Parent": pdf.pages.reference, "MediaBox": pydyf.Array([0, 0, 9, 9]), "Contents": content.reference}
        )
    )
    file = pydyf.Stream([report], {"Type": "/EmbeddedFile", "Subtype": "/application#2fjson"}, compress=True)
    pdf.add_object(file)
    entry = attachment(file)
    pdf.add_object(entry)
    tree = pydyf.Dictionary({"Names": pydyf.Array([pydyf.String("report.json"), entry.reference])})
    pdf.add_object(tree)
    names = pydyf.Dictionary({"EmbeddedFiles": tree.reference})
    pdf.catalog.update({"Names": names, "AF": pydyf.Array([entry.reference])})
    change(pdf, {"file": file, "entry": entry, "tree": tree, "names": names})
    out = io.BytesIO()
    pdf.write(out, version=b"1.7", identifier=b"x", compress=True)
    return out.getvalue()


def attachment(file: pydyf.Stream, name: str = "report.json") -> pydyf.Dictionary:
    """The file specification of an embedded file."""
    named = {"F": pydyf.String(name), "UF": pydyf.String(name)}
    return pydyf.Dictionary({"Type": "/Filespec", **named, "EF": pydyf.Dictionary({"F": file.reference})})
