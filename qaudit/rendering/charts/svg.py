"""An SVG builder. Every mark has a class, which the page styles on screen, and attributes with its colours for the PDF."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from qaudit.core.numbers import MINUS, compact
from qaudit.rendering.text import cut, harmless, width
from qaudit.rendering.verdict_marks import fills

FONT = "Qaudit Sans"
LONGEST_TITLE = 8_000
SIZE = 10.8
"""Text size in CSS pixels: 8.1 pt on paper."""

LOOK = {
    "t": 'fill="#1b2430"',
    "tm": 'fill="#556170"',
    "tl": 'fill="#8e1230"',
    "grid": 'stroke="#dde3e9" stroke-width="1"',
    "axis": 'stroke="#1b2430" stroke-width="1.1"',
    "tick": 'stroke="#1b2430" stroke-width="1.6"',
    "q": 'fill="#0b62a4"',
    "qs": 'stroke="#0b62a4" stroke-width="1.5" fill="none"',
    "o": 'fill="#ffffff" stroke="#6b7785" stroke-width="1.5"',
    "os": 'stroke="#9aa5b1" stroke-width="1.5" fill="none"',
    "lim": 'stroke="#8e1230" stroke-width="1.1" stroke-dasharray="4 3"',
    "forb": 'fill="#f7e6ea"',
    "allow": 'fill="#bcd4e8"',
    "track": 'fill="#e6eaee"',
    "floor": 'fill="#dfe5eb"',
    "band": 'stroke="#c3d0dc" fill="none"',
    "box": 'fill="#ffffff" stroke="#6b7785" stroke-width="0.9"',
    "stripe": 'fill="#f2f5f8"',
    "front": 'stroke="#9aa5b1" stroke-width="1.2" stroke-dasharray="2 3" fill="none"',
    "weak": 'fill="#8a7443"',
    **fills(),
    "s0": 'fill="#3a5f8a"',
    "s1": 'fill="#7a4f96"',
    "s2": 'fill="#23807a"',
    "s3": 'fill="#8a6238"',
    "s4": 'fill="#5d6b7a"',
    "s5": 'fill="#a0567a"',
}
SHAPES = ("circle", "square", "diamond", "up", "down", "cross")
CROSS = [(x * s, y * s) for s in (1, -1) for x, y in ((-1.1, -0.5), (-0.5, -1.1), (0, -0.6), (0.5, -1.1), (1.1, -0.5), (0.6, 0))]


def number(value: float) -> str:
    """A coordinate as text with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


@dataclass(slots=True)
class Drawing:
    """An SVG of `wide` x `high` CSS pixels. `title` is read by screen readers: it states the finding and the numbers."""

    wide: float
    high: float
    title: str
    kind: str = ""
    parts: list[str] = field(default_factory=list)

    def add(self, tag: str, look: str, **attributes: float | str) -> None:
        """Add one element. Numbers are rounded; an underscore in the name of an attribute becomes a hyphen."""
        text = " ".join(
            f'{name.replace("_", "-")}="{number(value) if isinstance(value, int | float) else escape(value)}"'
            for name, value in attributes.items()
        )
        self.parts.append(f'<{tag} class="{look}" {LOOK[look]} {text}/>')

    def rect(self, look: str, x: float, y: float, w: float, h: float, rx: float = 0) -> None:
        """Add a rectangle; with a negative width it extends to the left."""
        x, w = (x + w, -w) if w < 0 else (x, w)
        rounded: dict[str, float | str] = {"rx": rx} if rx else {}
        self.add("rect", look, x=x, y=y, width=w, height=h, **rounded)

    def line(self, look: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """Add a straight line."""
        self.add("line", look, x1=x1, y1=y1, x2=x2, y2=y2)

    def path(self, look: str, d: str, **more: float | str) -> None:
        """Add a path."""
        self.add("path", look, d=d, **more)

    def mark(self, shape: str, look: str, x: float, y: float, r: float = 4) -> None:
        """Add a marker of radius `r` centred at (x, y)."""
        if shape == "circle":
            self.add("circle", look, cx=x, cy=y, r=r)
        elif shape == "square":
            self.rect(look, x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8)
        else:
            corners = {
                "diamond": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
                "up": [(0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
                "down": [(0, 1.2), (1.15, -0.9), (-1.15, -0.9)],
                "cross": CROSS,
            }[shape]
            steps = "L".join(f"{number(x + a * r)} {number(y + b * r)}" for a, b in corners)
            self.path(look, f"M{steps}Z")

    def text(
        self, x: float, y: float, text: object, look: str = "t", anchor: str = "start", weight: str = "400", size: float = SIZE,
        room: float | None = None,
    ) -> None:  # fmt: skip
        """Add text with its baseline at y, cut with an ellipsis where it is wider than `room`."""
        shown = cut(text, room if room is not None else 10_000, size, weight)
        self.parts.append(
            f'<text class="{look}" {LOOK[look]} x="{number(x)}" y="{number(y)}" font-family="{FONT}" font-size="{number(size)}" '
            f'font-weight="{weight}" text-anchor="{anchor}">{escape(shown)}</text>'
        )

    def done(self) -> Markup:
        """The SVG element."""
        kind = f' class="chart {self.kind}"' if self.kind else ' class="chart"'
        title = escape(harmless(self.title[:LONGEST_TITLE]))
        return Markup(
            f'<svg{kind} xmlns="http://www.w3.org/2000/svg" width="{number(self.wide)}" height="{number(self.high)}" '
            f'viewBox="0 0 {number(self.wide)} {number(self.high)}" role="img"><title>{title}</title>'
            + "".join(self.parts)
            + "</svg>"
        )


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover [low, high]; a range of no width is widened around its value."""
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = 0.0, 1.0
    low, high = min(low, high), max(low, high)
    if high - low <= max(1e-12 * max(abs(low), abs(high)), 1e-300):
        high = 0.0 if abs(high) < 1e-300 else high
        low, high = (0.0, 1.0) if high == 0 else (min(0.0, 2 * low), max(0.0, 2 * high))
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) + 0.0 for i in range(first, last + 1)]


def tick_labels(values: Sequence[float], percent: bool = False, sign: bool = False) -> list[str]:
    """Labels of ticks with as many decimals as their distance needs."""
    shown = [v * 100 if percent else v for v in values]
    if not percent and max((abs(v) for v in shown), default=0) >= 1e4:
        return [compact(v) for v in shown]
    steps = [b - a for a, b in itertools.pairwise(shown)] or [1.0]
    places = next((p for p in range(9) if all(abs(round(s, p) - s) < abs(s) * 1e-6 for s in steps)), None)
    if places is None:
        return [compact(v) + ("%" if percent else "") for v in shown]
    labels = [(f"{v:+.{places}f}" if sign and v else f"{v:.{places}f}").replace("-", MINUS) for v in shown]
    return [label + "%" if percent else label for label in labels]


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis that maps data in [low, high] to pixels in [start, end]; values outside are clipped."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def longest(labels: Sequence[object], most: float, size: float = SIZE, weight: str = "400") -> float:
    """The width in pixels that the longest of `labels` needs, at most `most`."""
    return min(most, max((width(cut(label, most, size, weight), size, weight) for label in labels), default=0.0))
