"""How axes and names are printed, and how wide they are."""

from __future__ import annotations

import io
import itertools
import math

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from qaudit.rendering.assets import FONTS, font_bytes, templates
from qaudit.rendering.charts.svg import tick_labels, ticks
from qaudit.rendering.table import bin_edges
from qaudit.rendering.text import cut, prose, visible, width


@given(st.floats(-1e9, 1e9, allow_subnormal=False), st.floats(-1e9, 1e9, allow_subnormal=False), st.integers(2, 8))
def test_ticks_cover_the_range_at_even_steps(low: float, high: float, count: int) -> None:
    marks = ticks(low, high, count)
    assert 2 <= len(marks) <= count + 3
    slack = 1e-6 * max(abs(low), abs(high)) + 1e-299
    assert marks[0] <= min(low, high) + slack
    assert marks[-1] >= max(low, high) - slack
    steps = [b - a for a, b in itertools.pairwise(marks)]
    assert all(math.isclose(s, steps[0], rel_tol=1e-6) for s in steps)
    labels = tick_labels(marks)
    assert len(set(labels)) == len(labels)


def test_a_range_of_no_width_still_has_an_axis() -> None:
    assert ticks(0, 0, 4)[0] == 0
    assert ticks(0, 0, 4)[-1] == 1
    assert ticks(0.5, 0.5, 4)[-1] >= 0.5


def test_hidden_characters_are_shown() -> None:
    assert visible("a\u202eb\u200bc\x1b") == "a<U+202E>b<U+200B>c<U+001B>"
    assert visible("x" * 200) == "x" * 79 + "…"
    assert prose("one\ntwo\n\n three\u202e ") == ["one two", "three<U+202E>"]


@given(st.text(max_size=300))
def test_visible_text_has_no_control_characters_and_is_short(text: str) -> None:
    shown = visible(text)
    assert len(shown) <= 80
    assert not any(ord(c) < 32 or c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200e\u200f" for c in shown)


@given(st.text(alphabet="abcWi .,≤→é客", max_size=40), st.sampled_from(["400", "500", "600"]))
def test_width_is_the_sum_of_the_fonts_advances(text: str, weight: str) -> None:
    font = TTFont(io.BytesIO(font_bytes(weight)))
    names, advances = font.getBestCmap(), font["hmtx"].metrics
    slow = sum(advances[names[ord(c)]][0] / font["head"].unitsPerEm if ord(c) in names else 1.0 for c in text)
    assert math.isclose(width(text, 10, weight), 10 * slow, abs_tol=1e-9)


@given(st.text(alphabet="abcdefgWM客 ", min_size=1, max_size=60), st.floats(20, 300))
def test_cut_text_fits(text: str, room: float) -> None:
    shown = cut(text, room, 10.8)
    assert width(shown, 10.8) <= room
    assert shown == visible(text) or shown.endswith("…")


def test_shipped_fonts_hold_what_the_templates_print() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(templates().rglob("*.j2"))) + "≤≥→τ▲▼✓−–…²×|"
    for face in FONTS:
        known = TTFont(io.BytesIO(font_bytes(face))).getBestCmap()
        assert ord(" ") in known
        assert ord("客") not in known
        assert face != "400" or [char for char in text if ord(char) not in known and char not in "\n\r\t"] == []


@pytest.mark.parametrize("text", ["0.01 to 0.02", "[0.01, 0.02)", "0.01..0.02", "1e-2 to 2e-2"])
def test_ends_of_a_bin(text: str) -> None:
    assert bin_edges(text) == (0.01, 0.02)


def test_negative_and_broken_bins() -> None:
    assert bin_edges("-1.5e-05 to -1e-06") == (-1.5e-05, -1e-06)
    assert bin_edges("nothing") is None
