"""Numbers and names inside the sentences of findings: the same text on every machine."""

from __future__ import annotations

from qaudit.core.evidence import Evidence

MINUS = "\u2212"


def percent(value: float | None, *, sign: bool = False) -> str:
    """A share in per cent, three significant digits: 0.01226 -> "1.23 %"."""
    return f"{_digits(100 * (value or 0.0), sign)} %"


def number(value: float | None, *, sign: bool = False) -> str:
    """Three significant digits, whole numbers whole."""
    return _digits(value or 0.0, sign)


def interval(row: Evidence) -> str:
    """ "95 % interval 0.1 % to 2 %", or that there is none."""
    if row.interval is None:
        return "no interval"
    show = percent if row.unit == "share" else number
    signed = row.measure.endswith("_change")
    low, high = show(row.interval.low, sign=signed), show(row.interval.high, sign=signed)
    return f"{number(100 * row.interval.level)} % interval {low} to {high}"


def named(text: str, most: int = 80) -> str:
    """A foreign name on one line, cut where it is long."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _digits(value: float, sign: bool) -> str:
    whole = value == round(value) and abs(value) < 1e15
    text = f"{abs(value):.0f}" if whole else _significant(abs(value))
    if not any(c in "123456789" for c in text):
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def _significant(value: float) -> str:
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    # scientific notation for what is tiny; figures of a large number stay whole
    return f"{value:.0f}" if value >= 1 else f"{value:.2e}"
