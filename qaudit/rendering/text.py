"""Names as readers may see them, and how wide they are in the shipped fonts."""

from __future__ import annotations

import io
import re
import unicodedata
from functools import cache

from fontTools.ttLib import TTFont

from qaudit.rendering.assets import font_bytes

LONGEST = 80
HIDDEN = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


def visible(text: object, longest: int = LONGEST) -> str:
    """`text` with control, bidi and zero-width characters shown as <U+202E>, cut at `longest` characters with an ellipsis."""
    out = []
    for char in str(text)[: 4 * longest]:
        category = unicodedata.category(char)
        if category in HIDDEN:
            out.append(f"<U+{ord(char):04X}>")
        elif category == "Zs":
            out.append("\u00a0" if char in "\u00a0\u202f" else " ")
        else:
            out.append(char)
    shown = "".join(out)
    return shown if len(shown) <= longest and len(str(text)) <= 4 * longest else shown[: longest - 1] + "…"


@cache
def _advances(weight: str) -> dict[int, float]:
    font = TTFont(io.BytesIO(font_bytes(weight)))
    unit = font["head"].unitsPerEm
    widths = font["hmtx"].metrics
    return {code: widths[name][0] / unit for code, name in font.getBestCmap().items()}


def sentence(text: object, longest: int = 600) -> str:
    """A finding as printed: visible, with the per cent sign closed up as everywhere on the pages."""
    return re.sub(r"(?<=\d) %", "%", visible(text, longest))


def prose(text: object, longest: int = 1200) -> list[str]:
    """Paragraphs of an author's text: blank lines part them, other white space is one blank; cut at `longest` in all."""
    out: list[str] = []
    room = longest
    for part in str(text).replace("\r\n", "\n").split("\n\n"):
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


def unknown_characters(text: str) -> list[str]:
    """Characters of `text` that no shipped font holds, sorted."""
    table = _advances("400")
    return sorted({char for char in text if ord(char) not in table and char not in "\n\r\t"})
