"""Draws a decision tree from left to right with its leaves aligned as a table. One A4 landscape page has room for 26 leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qaudit.core.measures.surrogate import WEAK
from qaudit.core.numbers import compact, fixed, whole
from qaudit.rendering.charts.svg import SIZE, Drawing
from qaudit.rendering.text import cut, visible, width
from qaudit.report.explanations import Node

WIDE = 1000.0
TABLE = 300.0
MOST = 26


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf as a row of the table.

    `node` is its index, `share` the share of its label among the fitted rows, `agreement` the share of rows on
    which it agrees with the model, of those on which the tree was not fitted.
    """

    node: int
    label: str
    share: float | None
    rows: int
    agreement: float | None


def leaves(nodes: Sequence[Node]) -> list[Leaf]:
    """The leaves in the order in which they are drawn, from top to bottom (the yes branch is above)."""
    rows: list[Leaf] = []
    to_visit = [0] if nodes else []
    while to_visit:
        index = to_visit.pop()
        node = nodes[index]
        if node.children:
            to_visit += reversed(node.children)
        else:
            rows.append(Leaf(index, node.label, node.share, node.rows, node.agreement))
    return rows


def question(node: Node, missing: bool = False, room: float = 10_000) -> str:
    """The condition of a split, for example "income ≤ 32.7k" or "purpose is car, home".

    With `missing`, a star marks a split that sends missing values to the left. Where the text is wider than `room`, the name is
    cut and never the threshold.
    """
    if node.categories is not None:
        values = [visible(each, 24) for each in node.categories]
        condition = f" is {', '.join(values[:3])}" + (f" or {len(values) - 3} more" if len(values) > 3 else "")
        if room < 10_000 and width(condition, SIZE) > 0.7 * room:
            condition = f" in {len(values)} values" if len(values) > 1 else cut(condition, 0.7 * room, SIZE)
    else:
        condition = f" ≤ {compact(node.threshold or 0.0)}"
    condition += " *" if missing and node.missing_left else ""
    return cut(visible(node.feature, 40), room - width(condition, SIZE), SIZE) + condition


def tree(nodes: Sequence[Node], classes: Sequence[str], title: str) -> Markup:
    """The chart of a whole tree. The caller checks that it has at most MOST leaves."""
    rows = leaves(nodes)
    step = max(17.0, min(26.0, 520 / max(len(rows), 1)))
    top = 26.0
    draw = Drawing(WIDE, top + step * len(rows) + 6, title, "tree")
    spots = {leaf.node: top + step * (i + 0.5) for i, leaf in enumerate(rows)}
    depths: dict[int, int] = {}
    _place_nodes(nodes, 0, 0, spots, depths)
    inner = [i for i in spots if nodes[i].children]
    deepest = max((depths[i] for i in inner), default=0) + 1
    edge = WIDE - TABLE
    gap = (edge - 8) / max(deepest, 1)
    _bands(draw, nodes, spots, depths, gap, edge)
    for index in sorted(inner):
        _box(draw, question(nodes[index], True, gap - 30), 2 + gap * depths[index], spots[index], gap - 20)
    _table(draw, rows, classes, edge, top, step)
    return draw.done()


def _place_nodes(nodes: Sequence[Node], index: int, depth: int, spots: dict[int, float], depths: dict[int, int]) -> float:
    """Set depth and height of every node; an inner node is halfway between its children. Returns the height of `index`."""
    depths[index] = depth
    children = nodes[index].children
    if children:
        spots[index] = sum(_place_nodes(nodes, child, depth + 1, spots, depths) for child in children) / 2
    return spots[index]


def _bands(
    draw: Drawing,
    nodes: Sequence[Node],
    spots: Mapping[int, float],
    depths: Mapping[int, int],
    gap: float,
    edge: float,
) -> None:
    total = nodes[0].rows or 1
    for index in sorted(spots):
        for child, word in zip(nodes[index].children, ("yes", "no"), strict=False):
            leaf = not nodes[child].children
            x1, y1 = 2 + gap * depths[index] + min(gap - 20, 60), spots[index]
            x2, y2 = (edge if leaf else 2 + gap * depths[child]), spots[child]
            bend = min(gap * (depths[index] + 1), x2) + 2
            thick = 1 + 11 * nodes[child].rows / total
            middle = (x1 + bend) / 2
            curve = f"M{x1:.2f} {y1:.2f}C{middle:.2f} {y1:.2f} {middle:.2f} {y2:.2f} {bend:.2f} {y2:.2f}H{x2:.2f}"
            draw.path("band", curve, stroke_width=thick)
            up = y2 < y1
            draw.text(bend - 4, y2 - thick / 2 - 2 if up else y2 + thick / 2 + 9, word, "tm", "end", size=8.6)


def _box(draw: Drawing, text: str, x: float, y: float, room: float) -> None:
    shown = cut(text, room - 10, SIZE)
    draw.rect("box", x, y - 8.5, width(shown, SIZE) + 10, 17, 3)
    draw.text(x + 5, y + 3.8, shown)


def _table(draw: Drawing, rows: Sequence[Leaf], classes: Sequence[str], edge: float, top: float, step: float) -> None:
    judged = any(leaf.agreement is not None for leaf in rows)
    for x, head, anchor in (
        (8, "Leaf", "start"),
        (38, "Tree says", "start"),
        (190, "Rows", "end"),
        (296, "Agrees with model" if judged else "", "end"),
    ):
        draw.text(edge + x, 12, head, "tm", anchor)
    for index, leaf in enumerate(rows):
        y = top + step * index
        if index % 2 == 0:
            draw.rect("stripe", edge, y, TABLE, step)
        mid = y + step / 2 + 3.8
        draw.text(edge + 8, mid, f"L{index + 1}", "tm")
        known = leaf.label in classes
        draw.mark(
            "circle", "q" if known and list(classes).index(leaf.label) == len(classes) - 1 else "o", edge + 43, mid - 3.8, 3.6
        )
        draw.text(edge + 52, mid, leaf.label, "t", weight="600", room=72)
        if leaf.share is not None:
            draw.text(edge + 152, mid, f"{fixed(100 * leaf.share, 0)}%", "tm", "end")
        draw.text(edge + 190, mid, whole(leaf.rows), "t", "end")
        if leaf.agreement is not None:
            draw.rect("track", edge + 214, mid - 6, 48, 5)
            draw.rect("weak" if leaf.agreement < WEAK else "q", edge + 214, mid - 6, 48 * leaf.agreement, 5)
            weight = "600" if leaf.agreement < WEAK else "400"
            draw.text(edge + 296, mid, f"{fixed(100 * leaf.agreement, 0)}%", "t", "end", weight)
