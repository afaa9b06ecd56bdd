"""Makes names printable, and measures their width in the shipped fonts."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from fontTools.ttLib import TTFont

from qaudit.rendering.assets import font_bytes

LONGEST = 80
HIDDEN = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Characters of other categories that print nothing: fillers, joiners, the empty braille cell."""
SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
MOST_MARKS = 4
"""Combining marks on one letter; a taller pile covers the lines around it."""
TWINS = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425"
    "\u03bf\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijsdABEKMHOPCTXoABEZHIKMNOPTYX",
)
"""Cyrillic and Greek letters drawn like Latin ones."""
_ALIKE: ContextVar[frozenset[str]] = ContextVar("alike", default=frozenset())


def code(char: str) -> str:
    """The code point of a character as text, such as <U+202E>."""
    return f"<U+{ord(char):04X}>"


def is_invisible(char: str) -> bool:
    """Whether a character is invisible or changes the text around it: control, bidi, zero-width and filler characters."""
    number = ord(char)
    return unicodedata.category(char) in HIDDEN or char in BLANKS or any(first <= number <= last for first, last in SELECTORS)


def visible(text: object, longest: int = LONGEST) -> str:
    """`text` with control, bidi and zero-width characters shown as <U+202E>, cut at `longest` characters with an ellipsis.

    Of names that look alike (see `look_alikes`) the characters that make them differ are shown by number too.
    """
    whole = str(text)
    if whole in _ALIKE.get():
        shown = "".join(_with_code_points(char) for char in whole[: 4 * longest])
    elif whole.isascii() and whole.isprintable():
        shown = whole[: 4 * longest]
    else:
        shown = harmless(whole[: 4 * longest])
    return shown if len(shown) <= longest and len(whole) <= 4 * longest else shown[: longest - 1] + "…"


def harmless(text: str, keep: str = "") -> str:
    """`text` with its invisible characters, except those in `keep`, shown by code point.

    Other white space becomes a blank, and long sequences of combining marks are cut.
    """
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if char in keep:
            out.append(char)
        elif is_invisible(char):
            out.append(code(char))
        elif unicodedata.category(char) == "Zs":
            out.append("\u00a0" if char in "\u00a0\u202f" else " ")
        elif marks <= MOST_MARKS:
            out.append(char)
        elif marks == MOST_MARKS + 1:
            out.append("…")
    return "".join(out)


def _with_code_points(char: str) -> str:
    return code(char) if char.isspace() or is_invisible(char) or folded(char) != char else char


def folded(text: str) -> str:
    """A form of `text` that is equal for names that look alike.

    Compatibility forms become the plain ones, Cyrillic and Greek letters the Latin ones of the same shape; invisible characters
    and blanks are dropped.
    """
    plain = unicodedata.normalize("NFKC", text).translate(TWINS)
    return "".join(char for char in plain if not is_invisible(char) and not char.isspace())


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that look the same, sorted."""
    by_shape: dict[str, set[str]] = {}
    for name in names:
        by_shape.setdefault(folded(name), set()).add(name)
    return sorted(sorted(group) for group in by_shape.values() if len(group) > 1)


@contextmanager
def look_alikes(names: Iterable[str]) -> Iterator[list[list[str]]]:
    """A context in which `visible` distinguishes the names that look alike; its value is the groups of such names."""
    groups = alike(names)
    token = _ALIKE.set(frozenset(name for group in groups for name in group))
    try:
        yield groups
    finally:
        _ALIKE.reset(token)


@cache
def _advances(weight: str) -> dict[int, float]:
    font = TTFont(io.BytesIO(font_bytes(weight)))
    unit = font["head"].unitsPerEm
    widths = font["hmtx"].metrics
    return {code: widths[name][0] / unit for code, name in font.getBestCmap().items()}


def sentence(text: object, longest: int = 600) -> str:
    """A finding as it is printed: without invisible characters, and with the per cent sign as everywhere on the pages."""
    return re.sub(r"(?<=\d) %", "%", visible(text, longest))


def in_words(name: object, longest: int = 60) -> str:
    """The name of a plugin or of a kind of value as words: "drop_column" -> "Drop column"."""
    text = str(name)[: 4 * longest].replace("_", " ").strip()
    return visible(text[:1].upper() + text[1:] if text else name, longest)


def settings_text(settings: Mapping[str, object]) -> str:
    """Settings of a plugin in alphabetical order: "depth 4, repeats 5"."""
    return ", ".join(f"{visible(key.replace('_', ' '), 30)} {visible(value, 30)}" for key, value in sorted(settings.items()))


def prose(text: object, longest: int = 1200) -> list[str]:
    """The paragraphs of an author's text, which blank lines separate.

    Other white space becomes one blank; `longest` characters in all.
    """
    out: list[str] = []
    room = longest
    for part in str(text)[: 4 * longest].replace("\r\n", "\n").split("\n\n"):
        shown = visible(" ".join(part.split()), max(room, 1))
        if shown and room > 0:
            out.append(shown)
            room -= len(shown)
    return out


def width(text: str, size: float, weight: str = "400") -> float:
    """The width of `text` at `size` by the advance widths of the shipped font; for characters that it lacks, one em if wide,
    else 0.62.
    """
    table = _advances(weight)
    total = 0.0
    for char in text:
        known = table.get(ord(char))
        if known is None:
            wide = unicodedata.east_asian_width(char) in "WF"
            known = 0.0 if unicodedata.combining(char) else 1.0 if wide else 0.62
        total += known
    return total * size


def cut(text: object, room: float, size: float, weight: str = "400") -> str:
    """`visible(text)` shortened with an ellipsis until it fits `room`."""
    shown = visible(text)
    if width(shown, size, weight) <= room:
        return shown
    while shown and width(shown + "…", size, weight) > room:
        shown = shown[:-1]
    return shown.rstrip() + "…"
