"""Numbers and names inside the sentences of findings: the same text on every machine."""

from __future__ import annotations

from qaudit.core.evidence import Evidence

MINUS = "\u2212"


def percent(value: float | None, *, sign: bool = False) -> str:
    """A share as on the pages: 0.01226 -> "1.23%", with `sign` "+1.23 pp"; what is tiny with its figures: 1e-7 -> "1.00e-05%"."""
    whole = 100 * (value or 0.0)
    text = f"{abs(whole):.2f}" if whole == 0 or abs(whole) >= 0.005 else f"{abs(whole):.2e}"
    lead = "" if whole == 0 else MINUS if whole < 0 else "+" if sign else ""
    return f"{lead}{text}{' pp' if sign else '%'}"


def number(value: float | None, *, sign: bool = False) -> str:
    """Three significant digits, whole numbers whole."""
    return _digits(value or 0.0, sign)


def interval(row: Evidence) -> str:
    """ "95% interval 0.10% to 2.00%", or that there is none."""
    if row.interval is None:
        return "no interval"
    show = percent if row.unit == "share" else number
    signed = row.measure.endswith("_change")
    low, high = show(row.interval.low, sign=signed), show(row.interval.high, sign=signed)
    return f"{number(100 * row.interval.level)}% interval {low} to {high}"


def spoken(name: str) -> str:
    """A plugin or what it measures in plain words: "drop_column" -> "Drop column"."""
    return named(name.replace("_", " ").strip().capitalize() or name)


def distance(name: str) -> str:
    """What a drift is about: "loss_change size" -> "loss change, size"."""
    of, _, kind = name.rpartition(" ")
    return named(f"{of.replace('_', ' ')}, {kind}" if of else kind.replace("_", " "))


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
