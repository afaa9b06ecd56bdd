"""Parses the output of a custom template as HTML and rewrites it from an allowlist of elements and attributes.

The parser closes open elements and repairs wrong nesting, so that no closing tag of a template can end an element of the report.
Identifiers and classes get a prefix, so that the styles and the script of the report do not apply to them. Sections of the report
stand between pieces of the template, never inside one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import tinyhtml5

from qaudit.rendering.custom_template.sandbox import CustomTemplateError
from qaudit.rendering.text import harmless

PLACE = "qaudit-section"
PREFIX = "x-"
MOST_ELEMENTS, DEEPEST = 50_000, 60
ELEMENTS = (
    *(
        "a",
        "abbr",
        "b",
        "bdi",
        "blockquote",
        "br",
        "caption",
        "code",
        "col",
        "colgroup",
        "dd",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
    ),
    *("figure", "h2", "h3", "h4", "hr", "i", "li", "ol", "p", "pre", "section", "small", "span", "strong", "sub", "sup", "table"),
    *("tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
)
_VOID = ("br", "col", "hr")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
_ATTRIBUTES = {
    "class": "names of classes",
    "id": "a name",
    "title": "",
    "lang": "a language tag",
    "colspan": "a number up to 100",
    "rowspan": "a number up to 100",
    "scope": "row, col, rowgroup or colgroup",
    "span": "a number up to 100",
    "start": "a number up to 100",
    "href": "# and the name of a section or of an id in the template",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Either a piece of the template between two sections of the report, or the anchor of one section.

    `headings` has (id, text) of each h2 of the piece.
    """

    markup: str = ""
    section: str = ""
    headings: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Traversal:
    """State of one pass over the element tree; `sections` are the anchors of the report to which a link may point."""

    sections: Collection[str]
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)
    elements: int = 0


def pieces(text: str, sections: Collection[str]) -> list[Piece]:
    """The output of the template in reading order; `sections` are the anchors that it may place. Raises CustomTemplateError."""
    try:
        tree = tinyhtml5.parse("<!DOCTYPE html>" + text, namespace_html_elements=False)
    except RecursionError as error:
        raise CustomTemplateError("the template prints elements nested too deep") from error
    head, body = tree.find("head"), tree.find("body")
    if head is not None and len(head):
        raise CustomTemplateError(_not_allowed(head[0]))
    if body is None:
        raise CustomTemplateError("the template prints no body")
    traversal = _Traversal((*sections, "result"))
    parts = list(_split(body, traversal, sections))
    placed = [piece.section for piece in parts if piece.section]
    if duplicates := [name for name in placed if placed.count(name) > 1]:
        raise CustomTemplateError(f'<{PLACE} name="{duplicates[0]}"> stands twice')
    for target in traversal.links:
        if target not in traversal.ids and target not in placed and target != "result":
            raise CustomTemplateError(f"href '#{harmless(target)}': no id of the template and no placed section has this name")
    return parts


def _split(body: Any, traversal: _Traversal, sections: Collection[str]) -> Iterator[Piece]:
    """The sections of the report, and the pieces of the template between them."""
    written = [_text(body.text)]
    for child in body:
        if child.tag == PLACE:
            yield from _piece(written, traversal)
            written = [_text(child.tail)]
            yield Piece(section=_placed(child, sections))
        else:
            _write(child, traversal, written, 0)
            written.append(_text(child.tail))
    yield from _piece(written, traversal)


def _piece(written: list[str], traversal: _Traversal) -> Iterator[Piece]:
    markup = "".join(written).strip()
    if markup:
        yield Piece(markup=markup, headings=tuple(traversal.headings))
    traversal.headings.clear()


def _placed(element: Any, sections: Collection[str]) -> str:
    """The anchor of the section that a placeholder element names."""
    name = str(element.get("name", ""))
    if name not in sections:
        raise CustomTemplateError(f'<{PLACE} name="{harmless(name[:60])}">: no such section; there are {", ".join(sections)}')
    if len(element) or (element.text or "").strip():
        raise CustomTemplateError(f'<{PLACE} name="{name}">: is not closed; write </{PLACE}> right after it')
    return name


def _write(element: Any, traversal: _Traversal, out: list[str], depth: int) -> None:
    """Append the markup of an element and its descendants to `out`."""
    tag = element.tag
    if not isinstance(tag, str):
        return  # a comment
    traversal.elements += 1
    if tag == PLACE:
        raise CustomTemplateError(f"<{PLACE}> stands inside another element; it must stand alone, between the others")
    if tag not in ELEMENTS:
        raise CustomTemplateError(_not_allowed(element))
    if traversal.elements > MOST_ELEMENTS or depth > DEEPEST:
        raise CustomTemplateError(
            f"the template prints more than {MOST_ELEMENTS} elements, or more than {DEEPEST} inside each other"
        )
    attributes = {name: _attribute(tag, name, value, traversal) for name, value in sorted(element.attrib.items())}
    if tag == "h2":
        attributes.setdefault("id", f"{PREFIX}-heading-{traversal.elements}")
        traversal.headings.append((attributes["id"], harmless("".join(element.itertext()))[:120]))
    attribute_text = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    out.append(f"<{tag}{attribute_text}>")
    if tag in _VOID:
        return
    out.append(_text(element.text))
    for child in element:
        _write(child, traversal, out, depth + 1)
        out.append(_text(child.tail))
    out.append(f"</{tag}>")


def _attribute(tag: str, name: Any, value: str, traversal: _Traversal) -> str:
    """The value of an attribute as it is written to the page. Raises CustomTemplateError."""
    allowed = _value(str(name), value, traversal) if isinstance(name, str) and name in _ATTRIBUTES else None
    if allowed is None:
        expected = _ATTRIBUTES.get(str(name))
        reason = f"wanted: {expected}" if expected else f"the attributes of a template are {', '.join(_ATTRIBUTES)}"
        raise CustomTemplateError(f'<{tag} {harmless(str(name)[:40])}="{harmless(value[:60])}">: {reason}')
    return allowed


def _value(name: str, value: str, traversal: _Traversal) -> str | None:
    """The value of a known attribute as it is written to the page; None where it is not allowed."""
    if name == "title":
        return harmless(value)
    if name == "class":
        names = value.split()
        return " ".join(PREFIX + part for part in names) if all(map(_NAME.fullmatch, names)) else None
    if name == "id" and _NAME.fullmatch(value) and value not in traversal.ids and value not in traversal.sections:
        traversal.ids.add(value)
        return PREFIX + value
    if name == "href" and value.startswith("#"):
        traversal.links.append(value[1:])
        return value if value[1:] in traversal.sections else f"#{PREFIX}{value[1:]}"
    if name == "scope":
        return value if value in ("row", "col", "rowgroup", "colgroup") else None
    if name == "lang":
        return value if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", value) else None
    return value if name in ("colspan", "rowspan", "span", "start") and re.fullmatch(r"[1-9][0-9]?|100", value) else None


def _text(text: str | None) -> str:
    return html.escape(harmless(text or "", "\n\t"), quote=False)


def _not_allowed(element: Any) -> str:
    tag = harmless(str(element.tag).rpartition("}")[2][:40])
    return f"<{tag}> is not among the elements of a template: {', '.join(ELEMENTS)}, {PLACE}"
