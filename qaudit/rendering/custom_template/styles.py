"""Restricts the styles of a custom template to a list of properties and to the elements of the template.

Every selector is placed below the element that contains the template and can only select its descendants. No allowed property can
move or cover anything outside of that element, load an address, or write into the margins of a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import tinycss2

from qaudit.rendering.custom_template.markup import ELEMENTS, PREFIX
from qaudit.rendering.custom_template.sandbox import CustomTemplateError
from qaudit.rendering.custom_template.source import STYLES
from qaudit.rendering.text import harmless

HOLDER = ".custom-template-body"
_SIDES = ("", "-top", "-right", "-bottom", "-left")
_BOX = [f"{name}{side}" for name in ("border", "margin", "padding") for side in _SIDES]
_LINES = [f"border{side}-{what}" for side in _SIDES for what in ("color", "style", "width")]
PROPERTIES = frozenset((
    *(*_BOX, *_LINES, "border-collapse", "border-radius", "border-spacing", "box-sizing"),
    *("height", "min-height", "max-height", "width", "min-width", "max-width", "table-layout", "caption-side", "vertical-align"),
    *("background", "background-color", "color", "font-size", "font-style", "font-variant-numeric", "font-weight", "hyphens"),
    *("letter-spacing", "line-height", "list-style-type", "text-align", "text-decoration", "text-indent", "text-transform"),
    *("overflow-wrap", "white-space", "word-break", "orphans", "widows", "break-after", "break-before", "break-inside"),
    *("align-content", "align-items", "align-self", "justify-content", "justify-items", "display", "flex", "flex-basis"),
    *("flex-direction", "flex-flow", "flex-grow", "flex-shrink", "flex-wrap", "gap", "column-gap", "row-gap", "column-count"),
    *("column-rule", "columns", "grid-column", "grid-row", "grid-template-columns"),
))  # fmt: skip
FUNCTIONS = ("rgb", "rgba", "hsl", "hsla", "repeat", "minmax")
_WORD = re.compile(r"[A-Za-z-]{1,40}")
_SIMPLE = re.compile(
    r"(?P<step>\s*>\s*|\s+)|(?P<class>\.[A-Za-z][A-Za-z0-9_-]{0,60})|(?P<element>[A-Za-z][A-Za-z0-9]*)|(?P<any>\*)"
    r"|(?P<state>:(?:first-child|last-child|only-child|first-of-type|last-of-type|nth-child\((?:odd|even|[0-9n+ ]{1,12})\)))"
)


def scoped(text: str) -> str:
    """The style sheet with every rule below HOLDER. Raises CustomTemplateError with the line and what is not allowed."""
    return "\n".join(_rules(tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True), False))


def _rules(nodes: Any, inside: bool) -> Iterator[str]:
    for node in nodes:
        if node.type == "qualified-rule":
            prelude = tinycss2.serialize(node.prelude).replace("/**/", "")  # the serializer writes it between adjacent tokens
            selectors = [_selector(selector, node) for selector in prelude.split(",")]
            yield f"{','.join(selectors)}{{{';'.join(_declarations(node))}}}"
        elif node.type == "at-rule" and not inside and _media(node):
            inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
            yield f"@media {_media(node)}{{{''.join(_rules(inner, True))}}}"
        else:
            name = f"@{node.at_keyword}" if node.type == "at-rule" else getattr(node, "message", node.type)
            raise _wrong(node, f"{name}: rules of elements and classes, and @media print or screen, are wanted")


def _media(node: Any) -> str:
    kind = tinycss2.serialize(node.prelude).strip().lower()
    return kind if node.lower_at_keyword == "media" and kind in ("print", "screen") and node.content is not None else ""


def _selector(text: str, node: Any) -> str:
    """The selector below HOLDER, with a prefix before each of its classes."""
    out, position, text = [], 0, " ".join(text.split())
    while position < len(text):
        match = _SIMPLE.match(text, position)
        if match is None or (match.lastgroup == "element" and match[0].lower() not in ELEMENTS):
            raise _wrong(node, f"selector {text!r}: elements, .classes, > and :first-child and the like are wanted")
        out.append(f".{PREFIX}{match[0][1:]}" if match.lastgroup == "class" else match[0].lower())
        position = match.end()
    if not out or out[0].strip() in (">", "") or out[-1].strip() in (">", ""):
        raise _wrong(node, f"selector {text!r}: an element or a class at either end is wanted")
    return f"{HOLDER} {''.join(out)}"


def _declarations(node: Any) -> Iterator[str]:
    for declaration in tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True):
        if declaration.type != "declaration":
            raise _wrong(
                declaration,
                f"{getattr(declaration, 'message', declaration.type)}: declarations such as color: #123456 are wanted",
            )
        if declaration.lower_name not in PROPERTIES:
            raise _wrong(
                declaration,
                f"property {declaration.name!r} is not among those of a template (docs/write-a-template.md lists them)",
            )
        _harmless_value(declaration.value, declaration)
        yield f"{declaration.lower_name}:{tinycss2.serialize(declaration.value).strip()}"


def _harmless_value(tokens: Any, declared: Any) -> None:
    """Check that a value has only words, colours, numbers from 0 to 10,000, and allowed functions of these.

    Quoted text is refused, because it could close the style element. Raises CustomTemplateError.
    """
    for token in tokens:
        kind = token.type
        if kind == "function" and token.lower_name in FUNCTIONS:
            _harmless_value(token.arguments, declared)
            continue
        allowed = kind in ("hash", "whitespace", "comment") or (kind == "literal" and token.value in ",/")
        allowed |= kind in ("number", "percentage", "dimension") and 0 <= token.value <= 10_000
        allowed |= kind == "ident" and _WORD.fullmatch(token.value) is not None
        if not allowed:
            shown = tinycss2.serialize([token])[:60]
            raise _wrong(declared, f"{declared.name}: {shown!r}: words, colours and numbers from 0 to 10000 are wanted")


def _wrong(node: Any, what: str) -> CustomTemplateError:
    return CustomTemplateError(harmless(f"{STYLES}, line {node.source_line}: {what}"))
