"""Charts of single cases: bars of contributions with the reference as a ring, as small multiples on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qaudit.core.numbers import column
from qaudit.rendering.charts.svg import Drawing, Scale, longest

ROW = 19.0
WIDE = 328.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One feature of a case: its contribution in the reference and in the candidate under assessment.

    A contribution is None where the feature is not among those shown for that model. `feature_value` is its value in the
    row, where values are shown.
    """

    name: str
    before: float | None
    after: float | None
    feature_value: str = ""


def case(bars: Sequence[Bar], title: str, reach: float) -> Markup:
    """The chart of one case: bars show the candidate, rings the reference; rows in which the sign changes are tinted.

    `reach` is the largest |contribution| of all cases, so that their charts share one scale.
    """
    top = 20.0
    draw = Drawing(WIDE, top + ROW * len(bars) + 6, title, "case")
    value_width = longest(["value", *(b.feature_value for b in bars)], 58) if any(b.feature_value for b in bars) else 0.0
    name_width = longest([b.name for b in bars], 108 - 0.6 * value_width)
    left = name_width + 8 + (value_width + 8 if value_width else 0.0)
    before, after = column([b.before for b in bars], "", True), column([b.after for b in bars], "", True)
    before_width = max(longest([*before, "reference"], 70), 44.0)
    right = WIDE - 8 - before_width - max(longest([*after, "judged"], 70), 44.0) - 12
    scale = Scale(-reach or -1.0, reach or 1.0, left + 8, right - 4)
    draw.text(WIDE - 2, 11, "judged", "tm", "end")
    second = WIDE - 2 - max(longest([*after, "judged"], 70), 44.0) - 10
    draw.text(second, 11, "reference", "tm", "end")
    if value_width:
        draw.text(left, 11, "value", "tm", "end")
    for index, bar in enumerate(bars):
        y = top + ROW * index
        if bar.before is not None and bar.after is not None and bar.before * bar.after < 0:
            draw.rect("forb", 0, y, WIDE, ROW)
        draw.text(name_width + 2, y + 13, bar.name, "t", "end", room=name_width + 2)
        if value_width:
            draw.text(left, y + 13, bar.feature_value, "tm", "end", room=value_width + 2)
        if bar.after is not None:
            draw.rect("q", scale(0), y + 4.5, scale(bar.after) - scale(0), ROW - 9)
        if bar.before is not None:
            draw.mark("circle", "o", scale(bar.before), y + ROW / 2, 3.8)
        draw.text(second, y + 13, before[index], "tm", "end")
        draw.text(WIDE - 2, y + 13, after[index], "t", "end")
    draw.line("axis", scale(0), top - 2, scale(0), top + ROW * len(bars))
    return draw.done()
