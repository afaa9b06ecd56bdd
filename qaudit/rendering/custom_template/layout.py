"""The order of the parts of a report with a custom template: page one always comes first, then the order of the template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from qaudit.core.catalogue.sections import SECTIONS
from qaudit.rendering.custom_template.markup import Piece, pieces
from qaudit.rendering.custom_template.sandbox import text_of
from qaudit.rendering.custom_template.source import STYLES
from qaudit.rendering.custom_template.styles import scoped
from qaudit.rendering.text import visible

FIRST = "result"
_LINK = re.compile(r'<a(?: class="[^"]*")? href="#([^"]*)">(.*?)</a>', re.DOTALL)
_ID = re.compile(r'\bid="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a report in reading order: sections by anchor, and pieces of the template.

    `sheet` is the template's style sheet; `note` has name, digest and omitted sections, which page one states.
    """

    parts: tuple[Piece, ...]
    sheet: str = ""
    note: Mapping[str, Any] | None = None


DEFAULT = Layout(tuple(Piece(section=anchor) for anchor in SECTIONS))


def lay_out(custom_template: Mapping[str, Any], report: Mapping[str, Any], view: Mapping[str, Any], pdf: bool) -> Layout:
    """The layout that a template describes. `custom_template` has name, digest and files. Raises CustomTemplateError."""
    free = [anchor for anchor in SECTIONS if anchor != FIRST]
    section_keys = ("anchor", "number", "name", "verdict", "word", "findings", "missing")
    values = {
        "report": report,
        "headline": {key: view["headline"][key] for key in ("tone", "head", "text")},
        "sections": [{key: section[key] for key in section_keys} for section in view["sections"]],
        "pdf": pdf,
    }
    parts = pieces(text_of(custom_template["files"], values), free)
    placed = {piece.section for piece in parts}
    omitted = [section for section in view["sections"] if section["anchor"] in free and section["anchor"] not in placed]
    note = {
        "name": visible(custom_template["name"], 60),
        "digest": custom_template["digest"],
        "left": [f"{section['number']} {section['name']}" for section in omitted],
    }
    return Layout((Piece(section=FIRST), *parts), scoped(custom_template["files"].get(STYLES, "")), note)


def contents(layout: Layout, view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of the table of contents: the sections that the template places, and its own headings."""
    entries: list[dict[str, Any]] = []
    for part in layout.parts:
        if part.section:
            entries.append(view["by"][part.section])
        entries += [{"anchor": anchor, "number": "", "name": text, "verdict": None} for anchor, text in part.headings]
    return entries


def marked(part: Piece) -> Markup:
    """The markup of a piece. It needs no escaping, since `pieces` has rewritten it from an allowlist."""
    return Markup(part.markup)


def linked(page: str) -> str:
    """The page without links whose target is missing: a template may omit sections to which other sections link."""
    ids = set(_ID.findall(page))
    return _LINK.sub(lambda match: match[0] if match[1] in ids else match[2], page)
