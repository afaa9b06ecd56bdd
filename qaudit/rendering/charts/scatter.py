"""Scatter charts of two trade-offs: bits against loss, and size of an explanation against fidelity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qaudit.core.numbers import compact, is_percent
from qaudit.rendering.charts.rows import WIDE
from qaudit.rendering.charts.svg import SHAPES, SIZE, Drawing, Scale, tick_labels, ticks
from qaudit.rendering.text import cut, width


@dataclass(frozen=True, slots=True)
class Point:
    """One candidate; `series` is its quantizer or explainer. `judged` marks the candidate under assessment."""

    name: str
    series: str
    x: float
    y: float
    judged: bool = False


@dataclass(frozen=True, slots=True)
class YAxis:
    """The y axis. It is logarithmic where positive values span more than a factor of 30, with 0 on its own line at the bottom."""

    marks: tuple[float, ...]
    labels: tuple[str, ...]
    log: bool
    bottom: float
    top: float

    def __call__(self, value: float) -> float:
        if not self.log:
            return Scale(self.marks[0], self.marks[-1], self.bottom, self.top)(value)
        if value <= 0:
            return self.bottom
        share = (math.log10(value) - math.log10(self.marks[1])) / (math.log10(self.marks[-1]) - math.log10(self.marks[1]))
        return self.bottom - 16 + share * (self.top - self.bottom + 16)


def upward(values: Sequence[float], unit: str, bottom: float, top: float, near: bool = False) -> YAxis:
    """The y axis for `values`. `near` begins near the smallest value, for shares that are close together."""
    positive = [v for v in values if v > 0]
    if positive and min(values) >= 0 and max(positive) / min(positive) > 30:
        first, last = math.floor(math.log10(min(positive)) + 1e-9), math.ceil(math.log10(max(positive)) - 1e-9)
        first = max(first, last - 8)
        marks = (0.0, *(10.0**p for p in range(first, last + 1)))
        names = [compact(m * 100) + "%" if is_percent(unit) else compact(m) for m in marks]
        return YAxis(marks, tuple(names), True, bottom, top)
    low = min([*values, *([] if near and values else [0.0])])
    if near and values and max(values) == low:
        values = [low - 0.05 * abs(low), low]
        low = values[0]
    linear = ticks(low, max([*values, 0.0] if not near else values or [1.0]), 4)
    return YAxis(tuple(linear), tuple(tick_labels(linear, is_percent(unit))), False, bottom, top)


def frontier(points: Sequence[Point], best_low: bool) -> list[Point]:
    """The Pareto frontier: points that no other point beats on both axes, sorted by x.

    Smaller x is better; smaller y is better where `best_low`, otherwise larger y.
    """
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, p.y if best_low else -p.y, p.name)):
        if not best or (point.y < best[-1].y if best_low else point.y > best[-1].y):
            best.append(point)
    return best


def scatter(
    points: Sequence[Point], title: str, across: str, up: str, unit: str, best_low: bool = True, near: bool = False,
    tall: float = 190.0,
) -> Markup:  # fmt: skip
    """One mark per point with shape and colour by series; the candidate under assessment has a ring and its name.

    The dotted line connects the points of the Pareto frontier.
    """
    series = sorted({p.series for p in points})
    judged = next((p.name for p in points if p.judged), None)
    top, left, right = 46.0 + 16 * _legend_rows(series, judged), 56.0, WIDE - 16
    draw = Drawing(WIDE, top + tall + 38, title)
    _legend(draw, series, judged)
    y = upward([p.y for p in points], unit, top + tall, top, near)
    draw.text(0, top - 14, up, "tm")
    for mark, label in zip(y.marks, y.labels, strict=True):
        draw.line("grid", left, y(mark), right, y(mark))
        draw.text(left - 7, y(mark) + 3.8, label, "tm", "end")
    marks = ticks(0, max([p.x for p in points], default=1.0), 6)
    x = Scale(marks[0], marks[-1], left, right)
    for mark, label in zip(marks, tick_labels(marks), strict=True):
        draw.text(x(mark), top + tall + 15, label, "tm", "middle")
    draw.line("axis", left, top + tall, right, top + tall)
    _frontier_line(draw, [(x(p.x), y(p.y)) for p in frontier(points, best_low)])
    for point in sorted(points, key=lambda p: (p.judged, p.name)):
        index = series.index(point.series)
        if point.judged:
            draw.mark("circle", "o", x(point.x), y(point.y), 8)
        draw.mark(SHAPES[index % 6], f"s{index % 6}", x(point.x), y(point.y), 4)
    draw.text((left + right) / 2, top + tall + 33, across, "tm", "middle")
    return draw.done()


def _frontier_line(draw: Drawing, spots: Sequence[tuple[float, float]]) -> None:
    if len(spots) > 1:
        steps = [f"M{spots[0][0]:.2f} {spots[0][1]:.2f}"]
        steps += [f"H{px:.2f}V{py:.2f}" for px, py in spots[1:]]
        draw.path("front", "".join(steps))


def _entries(series: Sequence[str], judged: str | None) -> list[tuple[str, float]]:
    names = [cut(name, 180, SIZE) for name in series] + ([cut(f"judged: {judged}", 300, SIZE, "600")] if judged else [])
    return [(name, 34 + width(name, SIZE, "600")) for name in names]


def _legend_rows(series: Sequence[str], judged: str | None) -> int:
    """The number of rows of the legend beyond the first."""
    room, rows = 0.0, 0
    for _, step in _entries(series, judged):
        if room + step > WIDE and room:
            rows, room = rows + 1, 0.0
        room += step
    return rows


def _legend(draw: Drawing, series: Sequence[str], judged: str | None) -> None:
    x, y = 0.0, 12.0
    for index, (name, step) in enumerate(_entries(series, judged)):
        if x + step > WIDE and x:
            x, y = 0.0, y + 16
        if index < len(series):
            draw.mark(SHAPES[index % 6], f"s{index % 6}", x + 6, y - 3.6, 4)
            draw.text(x + 16, y, name, "tm")
        else:
            draw.mark("circle", "o", x + 7, y - 3.6, 6)
            draw.text(x + 18, y, name, "t", weight="600")
        x += step
