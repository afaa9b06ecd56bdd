"""Reads the report.json that is attached to report.pdf, and refuses a PDF with active content.

The file may come from anybody, so nothing in it is trusted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from qaudit.seal.pdf_objects import MALFORMED, Ref, Stream, inflated, objects

NAME: Final = "report.json"
FORBIDDEN: Final = frozenset((
    "AA", "AcroForm", "Collection", "Encrypt", "FileAttachment", "GoTo3DView", "GoToE", "GoToR", "ImportData", "JS",
    "JavaScript", "Launch", "Movie", "OpenAction", "Ref", "Rendition", "ResetForm", "RichMedia", "Screen", "Sound",
    "SubmitForm", "Thread", "URI", "XFA",
))  # fmt: skip
"""Names of PDF features that are refused: actions, scripts and forms, other ways to embed or reference files, and encryption.

Links from one place of the PDF to another are allowed.
"""


class UnknownLayout(Exception):
    """The file does not have the layout of a PDF made by qaudit, so its content cannot be verified."""


class ForbiddenContent(Exception):
    """The file has the layout, but its attachments are not exactly one report.json, or it has active content."""


def attached(pdf: bytes, longest: int) -> bytes:
    """The bytes of report.json, which must be the only attachment. Raises UnknownLayout or ForbiddenContent.

    At most `longest` + 1 bytes are unpacked: one byte too many is enough to see that it is another file.
    """
    try:
        names: Counter[str] = Counter()
        table, root = objects(pdf, names)
        if forbidden := sorted(FORBIDDEN & names.keys()):
            raise ForbiddenContent(f"holds /{forbidden[0]}")
        counts = [names[name] for name in ("EmbeddedFiles", "Filespec", "EF", "EmbeddedFile")]
        if set(counts) != {1}:
            raise ForbiddenContent(f"holds {max(counts) if all(counts) else 'no'} attachments, wanted: {NAME} alone")
        return inflated(_attached_stream(table, root), longest)
    except MALFORMED as error:
        raise UnknownLayout("not laid out as qaudit lays out a PDF: damaged, edited, or made by another program") from error


def _attached_stream(table: dict[int, Any], root: Ref) -> Stream:
    """The stream of the only attachment, reached as a PDF reader does: catalogue, name tree, file specification.

    Raises ForbiddenContent for another name, and one of MALFORMED for another structure.
    """

    def resolved(value: Any) -> Any:
        return table[value.number] if isinstance(value, Ref) else value

    tree = resolved(resolved(resolved(root)["Names"])["EmbeddedFiles"])
    label, reference = tree["Names"]
    entry = resolved(reference)
    if {label, entry["F"], entry["UF"]} != {NAME.encode()}:
        raise ForbiddenContent(f"holds another attachment than {NAME}")
    stream = resolved(entry["EF"]["F"])
    structure = (tree.keys(), entry["Type"], entry["EF"].keys(), stream.about["Type"])
    if structure != ({"Names"}, "Filespec", {"F"}, "EmbeddedFile"):
        raise ValueError
    return stream  # type: ignore[no-any-return]
