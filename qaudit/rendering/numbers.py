"""Numbers as they are printed: true minus sign, same decimals down a column, units said once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

MINUS = "\u2212"
PERCENT = {"share", "fraction", "rate", "proportion", "percent"}
WHOLE = {"count", "rows", "nodes", "leaves", "parameters", "evaluations", "levels"}
NONE = "\u2013"


def whole(value: float) -> str:
    """12345 -> "12,345"."""
    return f"{value:,.0f}".replace("-", MINUS)


def decimals(values: Iterable[float | None]) -> int:
    """Decimals for numbers that stand together, from the largest: 0 for whole numbers, 4 for ordinary metrics."""
    known = [abs(v) for v in values if v is not None and math.isfinite(v)]
    if all(v == round(v) for v in known):
        return 0
    top = max(known)
    if top >= 1:
        return max(1, 3 - math.floor(math.log10(top)))
    return 4 if top >= 0.002 else min(9, 1 - math.floor(math.log10(top)))


def fixed(value: float | None, places: int, sign: bool = False) -> str:
    """A number with `places` decimals; a dash for None; never "-0.00"."""
    if value is None:
        return NONE
    text = f"{value:+,.{places}f}" if sign else f"{value:,.{places}f}"
    if not any(c in "123456789" for c in text):
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def is_percent(unit: str) -> bool:
    """Whether values of `unit` are shares that print as per cent."""
    return unit in PERCENT


def column(values: Sequence[float | None], unit: str = "", sign: bool = False) -> list[str]:
    """Every value of a column, with the same decimals; shares print as per cent, their signed changes as percentage points."""
    if is_percent(unit):
        top = max((abs(v) for v in values if v is not None), default=0.0)
        places = 2 if top >= 1e-4 or top == 0 else 4
        mark = " pp" if sign else "%"
        return [NONE if v is None else fixed(v * 100, places, sign) + mark for v in values]
    if unit in WHOLE and all(v is None or v == round(v) for v in values):
        return [fixed(v, 0, sign) for v in values]
    if unit == "bytes":
        return [NONE if v is None else size(v) for v in values]
    places = 1 if unit == "dB" else 2 if unit == "bits" else decimals(values)
    return [fixed(v, places, sign) for v in values]


def one(value: float | None, unit: str = "", sign: bool = False) -> str:
    """One number with its unit."""
    text = column([value], unit, sign)[0]
    if value and not unit and not any(c in "123456789" for c in text):
        text = f"{value:.1e}".replace("-", MINUS)  # a p-value of 1e-12 is not 0.000000000
    return text if value is None or unit not in ("dB", "bits") else f"{text} {unit}"


def span(low: float | None, high: float | None, unit: str = "", sign: bool = False) -> str:
    """An interval as "a to b"."""
    if low is None or high is None:
        return NONE
    a, b = column([low, high], unit, sign)
    return f"{a} to {b}"


def size(value: float) -> str:
    """Bytes in the unit that reads best."""
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= factor:
            return f"{value / factor:,.1f} {unit}"
    return f"{value:,.0f} B"


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
