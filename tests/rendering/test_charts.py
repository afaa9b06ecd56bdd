"""Charts: well formed, readable by a screen reader, whole at the extremes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from markupsafe import Markup

from qaudit.rendering.charts.cases import Bar, case
from qaudit.rendering.charts.rows import Dot, Pair, bullet, dots, drift, dumbbell, histogram
from qaudit.rendering.charts.scatter import Point, frontier, scatter, upward
from qaudit.rendering.charts.tree import leaves, question, tree
from qaudit.report.explanations import Node

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '<script>&"\u202e客户' + "very_long_" * 20


def checked(drawn: Markup) -> ET.Element:
    """Parse; the title is the first child; nothing lies outside; no style attribute."""
    root = ET.fromstring(str(drawn))
    wide, high = float(root.get("width", 0)), float(root.get("height", 0))
    assert root[0].tag == f"{SVG}title"
    assert root[0].text
    assert not root.findall(f".//{SVG}script")
    for mark in root.iter():
        assert "style" not in mark.attrib
        for key, most in (("x", wide), ("cx", wide), ("x1", wide), ("x2", wide), ("y", high), ("cy", high), ("y1", high)):
            if key in mark.attrib:
                assert -0.01 <= float(mark.attrib[key]) <= most + 0.01, (mark.tag, mark.attrib)
        for value in mark.attrib.values():
            assert not re.search(r"\d\.\d{3}", value) or mark.get("fill-opacity"), value
    return root


def texts(root: ET.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("value", "most", "least"), [(0.0, 0.0, None), (0.5, 0.1, None), (0.86, None, 0.85), (-3.0, 1.0, -1.0), (5.0, None, None)]
)
def test_bullets(value: float, most: float | None, least: float | None) -> None:
    checked(bullet(value, most, least, "within", "title"))


def test_no_flip_at_all_still_draws_an_axis() -> None:
    root = checked(dots([Dot(f"g{i}", 0.0, 0.0, 0.0, ("0.00%", "9")) for i in range(4)], "t", "axis", "share", ("Rate", "Rows")))
    assert "0%" in texts(root)


def test_limits_tint_the_forbidden_side() -> None:
    rows = [Dot("a", 0.01, 0.0, 0.03, ("1%",)), Dot(EVIL, None)]
    right = checked(dots(rows, "t", "x", "share", ("Rate",), ("at most", 0.02)))
    forbidden = next(node for node in right.iter(f"{SVG}rect") if node.get("class") == "forb")
    limit = next(node for node in right.iter(f"{SVG}line") if node.get("class") == "lim")
    assert forbidden.get("x") == limit.get("x1")
    assert "not assessed" in texts(right)
    left = checked(dots(rows, "t", "x", "share", ("Rate",), ("at least", 0.02)))
    forbidden = next(node for node in left.iter(f"{SVG}rect") if node.get("class") == "forb")
    assert float(forbidden.get("x", 0)) < float(limit.get("x1", 0))


def test_histogram_bars_are_proportional() -> None:
    root = checked(histogram([(0, 1), (1, 2), (2, 3), (3, 4)], [0.5, 0.25, 0.0, 1e-6], "t", "x"))
    tall = [float(node.get("height", 0)) for node in root.iter(f"{SVG}rect") if node.get("class") == "q"]
    assert tall[0] == pytest.approx(2 * tall[1], abs=0.02)
    assert tall[2] == 0
    assert tall[3] == 1


def test_dumbbell_with_forty_long_names() -> None:
    pairs = [
        Pair(f"{EVIL}{i}", 0.1 / (i + 1), 0.09 / (i + 1), 0.0, 0.1, (0.05, 0.11), ("0.1", "0.09", "1 → 2", "▲ 1"))
        for i in range(40)
    ]
    root = checked(dumbbell(pairs, EVIL, "axis", ("Reference", "Judged", "Rank", "Move")))
    assert any(text.endswith("…") for text in texts(root))
    assert "<U+202E>" in root[0].text or "\u202e" in (root[0].text or "")


def test_scatter_of_thirty_with_zero_loss() -> None:
    points = [Point(f"c{i}", f"series{i % 7}", 2 + i % 9, 0.0 if i % 5 == 0 else 0.4 / (i + 1) ** 2, i == 3) for i in range(30)]
    root = checked(scatter(points, "t", "bits", "loss", "share"))
    assert "0%" in texts(root)
    assert any(text.startswith("judged: c3") for text in texts(root))
    checked(scatter([Point("only", "s", 8, 0.0, True)], "t", "bits", "loss", "share"))


def test_log_axis_only_for_wide_ranges() -> None:
    assert not upward([0.1, 0.2], "share", 100, 0).log
    wide = upward([0.0, 0.001, 0.4], "share", 100, 0)
    assert wide.log
    assert wide(0.0) == 100
    assert 100 > wide(0.001) > wide(0.4) >= 0


def test_frontier_is_what_nothing_beats() -> None:
    points = [Point(str(i), "s", x, y) for i, (x, y) in enumerate([(2, 5), (3, 4), (3, 6), (4, 4), (5, 1)])]
    slow = [p for p in points if not any(o.x <= p.x and o.y <= p.y and (o.x, o.y) != (p.x, p.y) for o in points)]
    assert sorted(p.name for p in frontier(points, True)) == sorted(p.name for p in slow)


def test_cases_mark_a_turned_sign() -> None:
    root = checked(case([Bar("a", 0.5, -0.1), Bar("b", 0.2, 0.3), Bar(EVIL, None, 0.1)], "t", 0.5))
    assert sum(node.get("class") == "forb" for node in root.iter(f"{SVG}rect")) == 1


def test_drift_rows_have_their_own_scale() -> None:
    root = checked(drift([Dot("a", 0.5), Dot("b", 5e-6), Dot("c", 0.0)], [(0.1, 0.2), (0.0, 1e-6), (0.0, 0.0)], "t", ("Drift",)))
    at = [float(node.get("cx", 0)) for node in root.iter(f"{SVG}circle")][:3]
    assert at[0] == pytest.approx(at[1])
    assert at[2] < at[1]


def node(**fields: Any) -> Node:
    leaf = {"feature": None, "threshold": None, "categories": None, "missing_left": False, "left": -1, "right": -1}
    return Node(**{**leaf, "rows": 1, "label": "class 0", "share": 0.7, "agreement": 0.75, **fields})


def deep(depth: int, nodes: list[Node], classes: int) -> int:
    index = len(nodes)
    nodes.append(node(rows=2**depth, label=f"class {index % classes}"))
    if depth:
        asked = {"feature": EVIL if depth == 1 else f"f{depth}", "threshold": 12345.678, "missing_left": True}
        children = {"left": deep(depth - 1, nodes, classes), "right": deep(depth - 1, nodes, classes)}
        nodes[index] = node(rows=2**depth, label=f"class {index % classes}", **asked, **children)
    return index


@pytest.mark.parametrize(("depth", "classes"), [(1, 2), (4, 26), (0, 2)])
def test_trees(depth: int, classes: int) -> None:
    nodes: list[Node] = []
    deep(depth, nodes, classes)
    assert len(leaves(nodes)) == 2**depth
    root = checked(tree(nodes, [f"class {i}" for i in range(classes)], "t"))
    assert f"L{2**depth}" in texts(root)


def test_questions() -> None:
    assert question(node(feature="income", threshold=32700.0, missing_left=True), True) == "income ≤ 32.7k *"
    many = node(feature="state", categories=("a", "b", "c", "d", "e"))
    assert question(many) == "state is a, b, c or 2 more"
