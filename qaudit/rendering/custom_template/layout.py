"""Where a third-party template and our own sections stand: page one first and always, then what the template says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from qaudit.rendering.custom_template.markup import Piece, pieces
from qaudit.rendering.custom_template.sandbox import text_of
from qaudit.rendering.custom_template.source import STYLES
from qaudit.rendering.custom_template.styles import scoped
from qaudit.rendering.table import SECTIONS
from qaudit.rendering.text import visible

FIRST = "result"
_LINK = re.compile(r'<a(?: class="[^"]*")? href="#([^"]*)">(.*?)</a>', re.DOTALL)
_ID = re.compile(r'\bid="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Layout:
    """`parts`: sections by anchor and pieces of the template, in reading order. `told`: what page one says of the template."""

    parts: tuple[Piece, ...]
    sheet: str = ""
    told: Mapping[str, Any] | None = None


OURS = Layout(tuple(Piece(section=anchor) for anchor in SECTIONS))


def lay_out(guest: Mapping[str, Any], report: Mapping[str, Any], view: Mapping[str, Any], pdf: bool) -> Layout:
    """The layout that the template asks for; `guest` holds name, digest and files. Raises GuestError."""
    free = [anchor for anchor in SECTIONS if anchor != FIRST]
    given = ("anchor", "number", "name", "verdict", "word", "findings", "missing")
    values = {
        "report": report,
        "headline": {key: view["headline"][key] for key in ("tone", "head", "text")},
        "sections": [{key: section[key] for key in given} for section in view["sections"]],
        "pdf": pdf,
    }
    found = pieces(text_of(guest["files"], values), free)
    placed = {piece.section for piece in found}
    left = [section for section in view["sections"] if section["anchor"] in free and section["anchor"] not in placed]
    told = {
        "name": visible(guest["name"], 60),
        "digest": guest["digest"],
        "left": [f"{section['number']} {section['name']}" for section in left],
    }
    return Layout((Piece(section=FIRST), *found), scoped(guest["files"].get(STYLES, "")), told)


def contents(layout: Layout, view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of the table of contents: our sections that are placed and the template's own headings."""
    entries: list[dict[str, Any]] = []
    for part in layout.parts:
        if part.section:
            entries.append(view["by"][part.section])
        entries += [{"anchor": anchor, "number": "", "name": text, "verdict": None} for anchor, text in part.headings]
    return entries


def marked(part: Piece) -> Markup:
    """The template's markup, which `pieces` has written anew."""
    return Markup(part.markup)


def linked(page: str) -> str:
    """The page without links to places that are not on it: a template may leave out sections that others point to."""
    there = set(_ID.findall(page))
    return _LINK.sub(lambda found: found[0] if found[1] in there else found[2], page)
