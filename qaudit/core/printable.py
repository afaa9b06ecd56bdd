"""Makes foreign text harmless for a terminal, a log or a table."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """`text` with control, bidi and zero-width characters shown by number (<U+202E>) and every blank as a space.

    A name from a file or a plugin can then neither move the cursor nor reverse the direction of the text around it.
    """
    return text if text.isascii() and text.isprintable() else "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char == " " or unicodedata.category(char)[0] not in "CZ":
        return char
    return " " if unicodedata.category(char) == "Zs" else f"<U+{ord(char):04X}>"
