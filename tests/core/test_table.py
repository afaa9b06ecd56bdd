"""Tables of raw columns, and foreign text made fit to print."""

from __future__ import annotations

import numpy as np
import pytest

from qaudit.core.printable import printable
from qaudit.core.table import Table

TABLE = Table({"n": np.array([1.0, np.nan, 3.0]), "t": np.array(["a", None, "c"], dtype=object)})


def test_a_table_knows_its_columns() -> None:
    assert TABLE.names == ("n", "t")
    assert TABLE.rows == 3
    assert Table({}).rows == 0
    assert (TABLE.kind("n"), TABLE.kind("t")) == ("number", "text")


def test_parts_of_a_table() -> None:
    taken = TABLE.take(np.array([2, 0]))
    assert taken.columns["n"].tolist() == [3.0, 1.0]
    assert taken.columns["t"].tolist() == ["c", "a"]
    assert TABLE.take(slice(0, 1)).columns["t"].tolist() == ["a"]
    assert TABLE.select(("t", "n")).names == ("t", "n")
    assert TABLE.select(("t",)).names == ("t",)


def test_replaced_columns_leave_the_others() -> None:
    changed = TABLE.replaced(n=np.zeros(3), new=np.ones(3))
    assert changed.names == ("n", "t", "new")
    assert changed.columns["n"].tolist() == [0.0, 0.0, 0.0]
    assert changed.columns["t"] is TABLE.columns["t"]
    assert np.isnan(TABLE.columns["n"][1])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("", ""),
        ("Größe π", "Größe π"),
        ("a\nb", "a<U+000A>b"),
        ("\x1b[31m", "<U+001B>[31m"),
        ("a\u202eb", "a<U+202E>b"),
        ("zero\u200bwidth", "zero<U+200B>width"),
        ("no\u00a0break", "no break"),
        ("line\u2028end", "line<U+2028>end"),
        ("\U000e0001", "<U+E0001>"),
        ("é \t", "é <U+0009>"),
    ],
)
def test_what_would_move_the_cursor_is_shown_by_number(text: str, shown: str) -> None:
    assert printable(text) == shown
