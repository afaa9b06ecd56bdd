"""Charts with one value per row: bullet bars, dots with intervals, histograms and dumbbells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qaudit.core.numbers import is_percent, one
from qaudit.rendering.charts.svg import SIZE, Drawing, Scale, longest, tick_labels, ticks
from qaudit.rendering.text import width
from qaudit.rendering.verdict_marks import marker

WIDE = 672.0
ROW = 17.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A row of a dot chart. `low` and `high` are the ends of the interval; `cells` are the texts of the columns at the right."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    cells: tuple[str, ...] = ()
    verdict: str = "no_limit"


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of a dumbbell chart: values of the reference and of the candidate under assessment.

    `low` and `high` are the interval of the candidate's value; `floor` is the noise baseline around the reference.
    """

    name: str
    before: float | None
    after: float | None
    low: float | None = None
    high: float | None = None
    floor: tuple[float, float] | None = None
    cells: tuple[str, ...] = ()


def bullet(
    value: float,
    at_most: float | None,
    at_least: float | None,
    verdict: str,
    title: str,
    wide: float = 96,
    bound: float | None = None,
) -> Markup:
    """A bullet bar: the allowed range in pale blue, limits as ticks, and a marker whose shape shows the verdict.

    A line leads from the observed value to `bound`, the end of the interval that was compared with the limit.
    """
    draw = Drawing(wide, 14, title, "bullet")
    limits = [x for x in (at_least, at_most) if x is not None]
    anchor = limits[-1] if limits else value
    far = max((value if bound is None else bound, value), key=lambda x: abs(x - anchor))
    reach = max(abs(far - anchor) * 1.3, abs(anchor) * 0.45, 1e-12) if anchor or far else 1.0
    low, high = min([*limits, value, far]) - reach, max([*limits, value, far]) + reach
    if at_least is None and min(value, anchor, far) >= 0:
        low = 0.0
    scale = Scale(low, high, 4, wide - 4)
    draw.rect("track", 4, 5, wide - 8, 4, 2)
    if limits:
        start = 4.0 if at_least is None else scale(at_least)
        end = wide - 4 if at_most is None else scale(at_most)
        draw.rect("allow", start, 5, max(end - start, 0), 4, 2)
    for limit in limits:
        draw.line("tick", scale(limit), 1.5, scale(limit), 12.5)
    if bound is not None:
        draw.line("qs", scale(value), 7, scale(bound), 7)
    draw.mark(marker(verdict), verdict, scale(value), 7, 3.6)
    return draw.done()


def _columns(draw: Drawing, heads: Sequence[str], rows: Sequence[Sequence[str]], right: float, top: float) -> float:
    """Draw right-aligned columns that end at `right`, from the last to the first. Returns the x at which they begin."""
    for index in reversed(range(len(heads))):
        cells = [row[index] if index < len(row) else "" for row in rows]
        draw.text(right, top - 6, heads[index], "tm", "end")
        for i, cell in enumerate(cells):
            draw.text(right, top + ROW * i + 12.3, cell, "t" if index == 0 else "tm", "end")
        right -= max([width(t, SIZE) for t in [*cells, heads[index]]]) + 14
    return right


def _axis(draw: Drawing, scale: Scale, marks: Sequence[float], labels: Sequence[str], top: float, bottom: float) -> None:
    for mark, label in zip(marks, labels, strict=True):
        draw.line("grid", scale(mark), top, scale(mark), bottom)
        draw.text(scale(mark), bottom + 13, label, "tm", "middle")


def _range(values: Sequence[float | None], zero: bool) -> tuple[float, float]:
    known = [v for v in values if v is not None]
    if zero or not known:
        known.append(0.0)
    low, high = min(known), max(known)
    # An interval that ends just below 0 must not add a whole step of empty axis.
    return (0.0 if low < 0 and -low < 0.06 * high else low), high


def dots(
    rows: Sequence[Dot], title: str, axis: str, unit: str, heads: Sequence[str] = (), limit: tuple[str, float] | None = None,
    sign: bool = False,
) -> Markup:  # fmt: skip
    """One dot with its interval per row. limit = ("at most" | "at least", value) tints the zone beyond the limit."""
    top, high = 30.0, 30 + ROW * len(rows)
    draw = Drawing(WIDE, high + 36, title)
    left = longest([r.name for r in rows], 170) + 12
    for index, _ in enumerate(rows):
        if index % 2:
            draw.rect("stripe", 0, top + ROW * index, WIDE, ROW)
    right = _columns(draw, heads, [r.cells for r in rows], WIDE - 4, top) - 8
    values = [x for r in rows for x in (r.value, r.low, r.high)] + ([limit[1]] if limit else [])
    marks = ticks(*_range(values, True), 4)
    scale = Scale(marks[0], marks[-1], left, right)
    if limit:
        end = scale.end if limit[0] == "at most" else scale.start
        draw.rect("forb", scale(limit[1]), top, end - scale(limit[1]), high - top)
    _axis(draw, scale, marks, tick_labels(marks, is_percent(unit), sign), top, high)
    draw.line("axis", scale(0), top, scale(0), high)
    if limit:
        _limit(draw, scale, limit[1], f"limit {one(limit[1], unit)}", top, high)
    for index, row in enumerate(rows):
        _dot(draw, scale, row, top + ROW * index + ROW / 2, left)
    draw.text((left + right) / 2, high + 30, axis, "tm", "middle")
    return draw.done()


def _limit(draw: Drawing, scale: Scale, value: float, label: str, top: float, bottom: float) -> None:
    x = scale(value)
    draw.line("lim", x, top - 6, x, bottom)
    near_right = x + width(label, SIZE) > scale.end
    draw.text(x + (-4 if near_right else 4), top - 8, label, "tl", "end" if near_right else "start")


def _dot(draw: Drawing, scale: Scale, row: Dot, y: float, left: float) -> None:
    draw.text(left - 10, y + 3.8, row.name, "t", "end", room=172)
    if row.value is None:
        draw.text(left + 6, y + 3.8, "not assessed", "tm")
        return
    if row.low is not None and row.high is not None:
        draw.line("qs", scale(row.low), y, scale(row.high), y)
    draw.mark(marker(row.verdict), row.verdict, scale(row.value), y, 3.8)


def histogram(
    edges: Sequence[tuple[float, float]],
    shares: Sequence[float],
    title: str,
    axis: str,
    limit: float | None = None,
    unit: str = "",
) -> Markup:
    """Bars of `shares` (0 to 1) over the bins [low, high). A share above 0 is at least one pixel high, so that it can be seen."""
    tall, top, left = 150.0, 16.0, 46.0
    draw = Drawing(WIDE, top + tall + 36, title)
    up = ticks(0, max([*shares, 1e-6]), 3)
    y = Scale(0, up[-1], top + tall, top)
    for mark, label in zip(up, tick_labels(up, True), strict=True):
        draw.line("grid", left, y(mark), WIDE - 4, y(mark))
        draw.text(left - 6, y(mark) + 3.8, label, "tm", "end")
    low, high = edges[0][0], edges[-1][1]
    x = Scale(low, high if high > low else low + 1, left, WIDE - 24)
    for (a, b), share in zip(edges, shares, strict=True):
        tall_bar = max(y(0) - y(share), 1.0) if share > 0 else 0.0
        draw.rect("q", x(a) + 0.5, y(0) - tall_bar, max(x(b) - x(a) - 1, 1), tall_bar)
    draw.line("axis", left, y(0), WIDE - 4, y(0))
    marks = [m for m in ticks(x.low, x.high, 6) if x.low <= m <= x.high * (1 + 1e-9)]
    for mark, label in zip(marks, tick_labels(marks), strict=True):
        draw.text(x(mark), y(0) + 14, label, "tm", "middle")
    draw.text((left + WIDE) / 2, y(0) + 31, axis, "tm", "middle")
    return draw.done()


def dumbbell(rows: Sequence[Pair], title: str, axis: str, heads: Sequence[str], unit: str = "") -> Markup:
    """A dumbbell chart: ring = reference, dot with interval = candidate under assessment, grey band = noise baseline."""
    top, bottom = 46.0, 46 + ROW * len(rows)
    draw = Drawing(WIDE, bottom + 36, title)
    left = longest([r.name for r in rows], 170) + 12
    for index, _ in enumerate(rows):
        if index % 2:
            draw.rect("stripe", 0, top + ROW * index, WIDE, ROW)
    right = _columns(draw, heads, [r.cells for r in rows], WIDE - 4, top) - 10
    marks = ticks(*_range([v for r in rows for v in (r.before, r.after, r.low, r.high, *(r.floor or ()))], True), 4)
    scale = Scale(marks[0], marks[-1], left, right)
    _axis(draw, scale, marks, tick_labels(marks, is_percent(unit)), top, bottom)
    draw.line("axis", scale(0), top, scale(0), bottom)
    for index, row in enumerate(rows):
        _dumbbell(draw, scale, row, top + ROW * index + ROW / 2, left)
    _key(draw, left, 12, any(r.floor for r in rows), any(r.low is not None for r in rows))
    draw.text((left + right) / 2, bottom + 30, axis, "tm", "middle")
    return draw.done()


def _dumbbell(draw: Drawing, scale: Scale, row: Pair, y: float, left: float) -> None:
    draw.text(left - 10, y + 3.8, row.name, "t", "end", room=172)
    if row.floor:
        draw.rect("floor", scale(row.floor[0]), y - 5.5, max(scale(row.floor[1]) - scale(row.floor[0]), 1), 11, 2)
    if row.before is not None and row.after is not None:
        draw.line("os", scale(row.before), y, scale(row.after), y)
    if row.low is not None and row.high is not None:
        draw.line("qs", scale(row.low), y, scale(row.high), y)
    if row.before is not None:
        draw.mark("circle", "o", scale(row.before), y, 4.4)
    if row.after is not None:
        draw.mark("circle", "q", scale(row.after), y, 3.2)


def _key(draw: Drawing, x: float, y: float, floor: bool, interval: bool) -> None:
    draw.mark("circle", "o", x + 5, y - 3.6, 4.2)
    draw.text(x + 14, y, "reference", "tm")
    x += 14 + width("reference", SIZE) + 18
    draw.mark("circle", "q", x + 5, y - 3.6, 3.4)
    label = "judged, line = interval" if interval else "judged"
    draw.text(x + 14, y, label, "tm")
    x += 14 + width(label, SIZE) + 18
    if floor:
        draw.rect("floor", x, y - 9, 18, 10, 2)
        draw.text(x + 24, y, "spread of the reference", "tm")


def drift(rows: Sequence[Dot], floors: Sequence[tuple[float, float] | None], title: str, heads: Sequence[str]) -> Markup:
    """The drift of each explanation as a dot, and the noise baseline as a grey band.

    Every row has its own scale from 0, because explanations have different distances, which cannot be compared.
    """
    top, bottom = 46.0, 46 + ROW * len(rows)
    draw = Drawing(WIDE, bottom + 8, title)
    left = longest([r.name for r in rows], 250) + 12
    for index, _ in enumerate(rows):
        if index % 2:
            draw.rect("stripe", 0, top + ROW * index, WIDE, ROW)
    right = _columns(draw, heads, [r.cells for r in rows], WIDE - 4, top) - 10
    for index, (row, floor) in enumerate(zip(rows, floors, strict=True)):
        y = top + ROW * (index + 0.5)
        scale = Scale(0.0, 1.08 * max(row.value or 0.0, floor[1] if floor else 0.0) or 1.0, left, right)
        draw.text(left - 10, y + 3.8, row.name, "t", "end", room=252)
        draw.line("grid", left, y, right, y)
        if floor:
            draw.rect("floor", scale(floor[0]), y - 5.5, max(scale(floor[1]) - scale(floor[0]), 1.5), 11, 2)
        if row.value is not None:
            draw.mark("circle", "q", scale(row.value), y, 3.8)
    draw.line("axis", left, top, left, bottom)
    draw.mark("circle", "q", left + 5, 8.4, 3.8)
    draw.text(left + 14, 12, "drift, reference to judged", "tm")
    x = left + 14 + width("drift, reference to judged", SIZE) + 18
    draw.rect("floor", x, 3, 18, 10, 2)
    draw.text(x + 24, 12, "floor", "tm")
    return draw.done()
