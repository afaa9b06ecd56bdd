"""The report.json inside report.pdf, read from a file that may be a stranger's; and that nothing in that file acts."""

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
"""What acts when a reader opens, prints or clicks; other ways to hold or name a file; encryption. Links inside the PDF remain."""


class NotOurs(Exception):
    """The file has not the layout of our PDFs: what it holds cannot be said."""


class Holds(Exception):
    """The file has the layout, but holds another attachment, more than one or none, or something that acts."""


def attached(pdf: bytes, longest: int) -> bytes:
    """The bytes of report.json, the only attachment; at most one more than `longest` of them. Raises NotOurs or Holds."""
    try:
        names: Counter[str] = Counter()
        table, root = objects(pdf, names)
        if acting := sorted(FORBIDDEN & names.keys()):
            raise Holds(f"holds /{acting[0]}")
        counts = [names[each] for each in ("EmbeddedFiles", "Filespec", "EF", "EmbeddedFile")]
        if set(counts) != {1}:
            raise Holds(f"holds {max(counts) if all(counts) else 'no'} attachments, wanted: {NAME} alone")
        return inflated(_only(table, root), longest)
    except MALFORMED as error:
        raise NotOurs("not laid out as qaudit lays out a PDF: damaged, edited, or made by another program") from error


def _only(table: dict[int, Any], root: Ref) -> Stream:
    """The stream of the one attachment, by the way that a PDF reader goes: catalogue, name tree, file specification."""

    def followed(value: Any) -> Any:
        return table[value.number] if isinstance(value, Ref) else value

    tree = followed(followed(followed(root)["Names"])["EmbeddedFiles"])
    label, place = tree["Names"]
    entry = followed(place)
    if {label, entry["F"], entry["UF"]} != {NAME.encode()}:
        raise Holds(f"holds another attachment than {NAME}")
    stream = followed(entry["EF"]["F"])
    laid_out = (tree.keys(), entry["Type"], entry["EF"].keys(), stream.about["Type"])
    if laid_out != ({"Names"}, "Filespec", {"F"}, "EmbeddedFile"):
        raise ValueError
    return stream  # type: ignore[no-any-return]
