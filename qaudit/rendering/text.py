"""Names as readers may see them, and how wide they are in the shipped fonts."""

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
    """A character by its number: <U+202E>."""
    return f"<U+{ord(char):04X}>"


def unseen(char: str) -> bool:
    """Whether a character prints nothing of its own or turns what stands beside it: control, bidi, zero-width, filler."""
    number = ord(char)
    return unicodedata.category(char) in HIDDEN or char in BLANKS or any(first <= number <= last for first, last in SELECTORS)


def visible(text: object, longest: int = LONGEST) -> str:
    """`text` with control, bidi and zero-width characters shown as <U+202E>, cut at `longest` characters with an ellipsis.

    Of names that look alike (see `look_alikes`) the characters that make them differ are shown by number too.
    """
    whole = str(text)
    if whole in _ALIKE.get():
        shown = "".join(_told_apart(char) for char in whole[: 4 * longest])
    elif whole.isascii() and whole.isprintable():
        shown = whole[: 4 * longest]
    else:
        shown = harmless(whole[: 4 * longest])
    return shown if len(shown) <= longest and len(whole) <= 4 * longest else shown[: longest - 1] + "…"


def harmless(text: str, keep: str = "") -> str:
    """`text` with every unseen character but those in `keep` by number, other blanks as blanks, piles of marks cut down."""
    out: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if char in keep:
            out.append(char)
        elif unseen(char):
            out.append(code(char))
        elif unicodedata.category(char) == "Zs":
            out.append("\u00a0" if char in "\u00a0\u202f" else " ")
        elif marks <= MOST_MARKS:
            out.append(char)
        elif marks == MOST_MARKS + 1:
            out.append("…")
    return "".join(out)


def _told_apart(char: str) -> str:
    return code(char) if char.isspace() or unseen(char) or folded(char) != char else char


def folded(text: str) -> str:
    """What `text` looks like: compatibility forms as the plain ones, twins as Latin, unseen characters and blanks dropped."""
    plain = unicodedata.normalize("NFKC", text).translate(TWINS)
    return "".join(char for char in plain if not unseen(char) and not char.isspace())


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that look the same, sorted."""
    by_shape: dict[str, set[str]] = {}
    for name in names:
        by_shape.setdefault(folded(name), set()).add(name)
    return sorted(sorted(group) for group in by_shape.values() if len(group) > 1)


@contextmanager
def look_alikes(names: Iterable[str]) -> Iterator[list[list[str]]]:
    """While open, `visible` tells the look-alikes among `names` apart; gives their groups."""
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
    """A finding as printed: visible, with the per cent sign closed up as everywhere on the pages."""
    return re.sub(r"(?<=\d) %", "%", visible(text, longest))


def spoken(name: object, longest: int = 60) -> str:
    """A plugin or a kind of value in plain words: "drop_column" -> "Drop column"."""
    text = str(name)[: 4 * longest].replace("_", " ").strip()
    return visible(text[:1].upper() + text[1:] if text else name, longest)


def settings_text(settings: Mapping[str, object]) -> str:
    """Settings of a plugin in alphabetical order: "depth 4, repeats 5"."""
    return ", ".join(f"{visible(key.replace('_', ' '), 30)} {visible(value, 30)}" for key, value in sorted(settings.items()))


def prose(text: object, longest: int = 1200) -> list[str]:
    """Paragraphs of an author's text: blank lines part them, other white space is one blank; cut at `longest` in all."""
    out: list[str] = []
    room = longest
    for part in str(text)[: 4 * longest].replace("\r\n", "\n").split("\n\n"):
        shown = visible(" ".join(part.split()), max(room, 1))
        if shown and room > 0:
            out.append(shown)
            room -= len(shown)
    return out


def width(text: str, size: float, weight: str = "400") -> float:
    """Width of `text` at `size`, from the shipped font's advance widths; other scripts count one em where wide, else 0.62."""
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
