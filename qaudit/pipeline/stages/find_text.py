"""Intervals and names inside the sentences of findings: the same text on every machine, numbers printed as on the pages."""

from __future__ import annotations

from qaudit.core.catalogue.measures import is_signed
from qaudit.core.evidence import Evidence
from qaudit.core.numbers import one, span


def interval(row: Evidence) -> str:
    """ "95% interval 0.10% to 2.00%", or that there is none."""
    if row.interval is None:
        return "no interval"
    ends = span(row.interval.low, row.interval.high, row.unit, is_signed(row.measure))
    return f"{one(100 * row.interval.level)}% interval {ends}"


def in_words(name: str) -> str:
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
