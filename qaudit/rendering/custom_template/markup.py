"""What a third-party template printed, read as HTML and written anew from an allowlist: nothing else gets onto the page.

The parser mends what is open or crossed, so that no closing tag of a template reaches an element of ours. Identifiers and classes
get a prefix, so that neither our styles nor our script mean them. Our own sections stand between pieces of it, never in one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import tinyhtml5

from qaudit.rendering.custom_template.sandbox import GuestError
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
    """A stretch of the template between two of our sections, or the anchor of one of ours. `headings`: (id, text) of each h2."""

    markup: str = ""
    section: str = ""
    headings: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Walk:
    """What one pass over the tree has met; `sections` are the anchors of ours that a link may name."""

    sections: Collection[str]
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)
    elements: int = 0


def pieces(text: str, sections: Collection[str]) -> list[Piece]:
    """The template's output in reading order; `sections` are the anchors of ours that may be placed. Raises GuestError."""
    try:
        tree = tinyhtml5.parse("<!DOCTYPE html>" + text, namespace_html_elements=False)
    except RecursionError as error:
        raise GuestError("the template prints elements nested too deep") from error
    head, body = tree.find("head"), tree.find("body")
    if head is not None and len(head):
        raise GuestError(_not_allowed(head[0]))
    if body is None:
        raise GuestError("the template prints no body")
    walk = _Walk((*sections, "result"))
    found = list(_split(body, walk, sections))
    placed = [piece.section for piece in found if piece.section]
    if doubled := [name for name in placed if placed.count(name) > 1]:
        raise GuestError(f'<{PLACE} name="{doubled[0]}"> stands twice')
    for target in walk.links:
        if target not in walk.ids and target not in placed and target != "result":
            raise GuestError(f"href '#{harmless(target)}': no id of the template and no placed section has this name")
    return found


def _split(body: Any, walk: _Walk, sections: Collection[str]) -> Iterator[Piece]:
    """Our sections, and what stands between them."""
    written = [_text(body.text)]
    for child in body:
        if child.tag == PLACE:
            yield from _piece(written, walk)
            written = [_text(child.tail)]
            yield Piece(section=_placed(child, sections))
        else:
            _write(child, walk, written, 0)
            written.append(_text(child.tail))
    yield from _piece(written, walk)


def _piece(written: list[str], walk: _Walk) -> Iterator[Piece]:
    markup = "".join(written).strip()
    if markup:
        yield Piece(markup=markup, headings=tuple(walk.headings))
    walk.headings.clear()


def _placed(element: Any, sections: Collection[str]) -> str:
    """The anchor that a place names."""
    name = str(element.get("name", ""))
    if name not in sections:
        raise GuestError(f'<{PLACE} name="{harmless(name[:60])}">: no such section; there are {", ".join(sections)}')
    if len(element) or (element.text or "").strip():
        raise GuestError(f'<{PLACE} name="{name}">: is not closed; write </{PLACE}> right after it')
    return name


def _write(element: Any, walk: _Walk, out: list[str], depth: int) -> None:
    """The element as markup, and all below it."""
    tag = element.tag
    if not isinstance(tag, str):
        return  # a comment
    walk.elements += 1
    if tag == PLACE:
        raise GuestError(f"<{PLACE}> stands inside another element; it must stand alone, between the others")
    if tag not in ELEMENTS:
        raise GuestError(_not_allowed(element))
    if walk.elements > MOST_ELEMENTS or depth > DEEPEST:
        raise GuestError(f"the template prints more than {MOST_ELEMENTS} elements, or more than {DEEPEST} inside each other")
    given = {name: _attribute(tag, name, value, walk) for name, value in sorted(element.attrib.items())}
    if tag == "h2":
        given.setdefault("id", f"{PREFIX}-heading-{walk.elements}")
        walk.headings.append((given["id"], harmless("".join(element.itertext()))[:120]))
    written = "".join(f' {name}="{html.escape(value)}"' for name, value in given.items())
    out.append(f"<{tag}{written}>")
    if tag in _VOID:
        return
    out.append(_text(element.text))
    for child in element:
        _write(child, walk, out, depth + 1)
        out.append(_text(child.tail))
    out.append(f"</{tag}>")


def _attribute(tag: str, name: Any, value: str, walk: _Walk) -> str:
    """The value as it is written. Raises GuestError."""
    kept = _value(str(name), value, walk) if isinstance(name, str) and name in _ATTRIBUTES else None
    if kept is None:
        wanted = _ATTRIBUTES.get(str(name))
        why = f"wanted: {wanted}" if wanted else f"the attributes of a template are {', '.join(_ATTRIBUTES)}"
        raise GuestError(f'<{tag} {harmless(str(name)[:40])}="{harmless(value[:60])}">: {why}')
    return kept


def _value(name: str, value: str, walk: _Walk) -> str | None:
    """The value of a known attribute as it is written; None where it is not what is wanted."""
    if name == "title":
        return harmless(value)
    if name == "class":
        names = value.split()
        return " ".join(PREFIX + each for each in names) if all(map(_NAME.fullmatch, names)) else None
    if name == "id" and _NAME.fullmatch(value) and value not in walk.ids and value not in walk.sections:
        walk.ids.add(value)
        return PREFIX + value
    if name == "href" and value.startswith("#"):
        walk.links.append(value[1:])
        return value if value[1:] in walk.sections else f"#{PREFIX}{value[1:]}"
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
