"""Formats numbers for pages and sentences: with a true minus sign, equal decimals within a column, and units only once.

A value that is not 0 never prints as 0: alone it gets the decimals or the power of ten that it needs, in a column of larger
values it prints as "<0.01".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

MINUS = "\u2212"
PERCENT = {"share", "fraction", "rate", "proportion", "percent"}
WHOLE = {"count", "rows", "nodes", "leaves", "parameters", "evaluations", "levels"}
NONE = "\u2013"
MOST_DECIMALS = 9


def whole(value: float) -> str:
    """12345 -> "12,345"."""
    return f"{value:,.0f}".replace("-", MINUS)


def decimals(values: Iterable[float | None]) -> int:
    """Decimals for numbers that stand together, from the largest: 0 for whole numbers, 4 for ordinary metrics, two digits of what
    is small, at most MOST_DECIMALS."""
    known = [abs(v) for v in values if v is not None and math.isfinite(v)]
    if all(v == round(v) for v in known):
        return 0
    top = max(known)
    if top >= 1:
        return max(1, 3 - math.floor(math.log10(top)))
    return 4 if top >= 0.002 else _two_digits(top)


def _two_digits(value: float) -> int:
    return min(MOST_DECIMALS, 1 - math.floor(math.log10(value)))


def fixed(value: float | None, places: int, sign: bool = False) -> str:
    """A number with `places` decimals; a dash for None, never "-0.00"; "<0.01" where it is not 0 and would print as 0."""
    if value is None:
        return NONE
    text = f"{value:+,.{places}f}" if sign else f"{value:,.{places}f}"
    if not _is_zero(text) or not math.isfinite(value):
        return text.replace("-", MINUS)
    if value == 0:
        return text.lstrip("+-")
    least = f"{10.0**-places:.{places}f}"
    return f">{MINUS}{least}" if value < 0 else f"<{'+' if sign else ''}{least}"


def _is_zero(text: str) -> bool:
    return not any(c in "123456789" for c in text)


def _scientific(value: float | None, sign: bool) -> str:
    """Two digits and the power of ten: 1.5e-12. For columns in which every number is tiny."""
    if value is None or value == 0:
        return NONE if value is None else "0"
    text = f"{value:+.1e}" if sign else f"{value:.1e}"
    return text.replace("-", MINUS)


def _cells(values: Sequence[float | None], places: int, sign: bool) -> list[str]:
    """Every value with `places` decimals, or as a power of ten where all of them would print as 0 with MOST_DECIMALS."""
    top = max((abs(v) for v in values if v is not None), default=0.0)
    if top and _is_zero(f"{top:.{MOST_DECIMALS}f}"):
        return [_scientific(v, sign) for v in values]
    return [fixed(v, places, sign) for v in values]


def is_percent(unit: str) -> bool:
    """Whether values of `unit` are shares that print as per cent."""
    return unit in PERCENT


def column(values: Sequence[float | None], unit: str = "", sign: bool = False) -> list[str]:
    """Every value of a column, with the same decimals; shares print as per cent, their signed changes as percentage points."""
    if is_percent(unit):
        top = max((abs(v) for v in values if v is not None), default=0.0)
        places = 2 if top >= 1e-4 or top == 0 else _two_digits(100 * top)
        cells = _cells([None if v is None else 100 * v for v in values], places, sign)
        return [cell if cell == NONE else cell + (" pp" if sign else "%") for cell in cells]
    if unit in WHOLE and all(v is None or v == round(v) for v in values):
        return [fixed(v, 0, sign) for v in values]
    if unit == "bytes":
        return [NONE if v is None else size(v) for v in values]
    return _cells(values, 1 if unit == "dB" else 2 if unit == "bits" else decimals(values), sign)


def one(value: float | None, unit: str = "", sign: bool = False) -> str:
    """One number with its unit."""
    text = column([value], unit, sign)[0]
    return text if value is None or unit not in ("dB", "bits") else f"{text} {unit}"


def span(low: float | None, high: float | None, unit: str = "", sign: bool = False) -> str:
    """An interval as "a to b"."""
    if low is None or high is None:
        return NONE
    a, b = column([low, high], unit, sign)
    return f"{a} to {b}"


def size(value: float) -> str:
    """A number of bytes in a suitable unit."""
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= factor:
            return f"{value / factor:,.1f} {unit}"
    return f"{value:,.0f} B"


def setting(value: float) -> str:
    """A number that someone chose, in its shortest form: 0.5."""
    return f"{value:g}".replace("-", MINUS)


def compact(value: float) -> str:
    """A number on an axis or in a tree: short, with k and M."""
    if value == 0:
        return "0"
    size = abs(value)
    for suffix, factor in (("M", 1e6), ("k", 1e4)):
        if size >= factor:
            scale = 1e6 if suffix == "M" else 1e3
            return f"{value / scale:.4g}{suffix}".replace("-", MINUS)
    text = f"{value:.4g}" if size >= 1e-4 else f"{value:.1e}"
    return text.replace("-", MINUS)


def capped(kept: int, everything: int, what: str) -> str:
    """ "50 of 5,000 rows, all in report.json."; empty where nothing is left out."""
    return f"{whole(kept)} of {whole(everything)} {what}, all in report.json." if kept < everything else ""
