"""Whatever the model of a report accepts makes a page: after the check at the border no value ends in a traceback."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest
from reports import Json, golden, typed

from qaudit.errors import Refused
from qaudit.rendering.html import page
from qaudit.report.model import Report

Place = tuple[str | int, ...]
OTHERS: dict[type, list[Any]] = {
    bool: [True, False],
    int: [0, 1, 10**12, 2**53 - 1, None],
    float: [0.0, -0.0, 0.5, -1.0, 1e308, -1e308, 5e-324, None],
    str: ["", "x", "\u202e", "a" * 5000, "{{ x }}", "__class__", None],
    dict: [{}, None],
    type(None): [0.5, "x", 1, [], -1e308],
}


def places(value: Any, here: Place = ()) -> dict[Place, list[Place]]:
    """The places of a report by their keys: places that differ in a number of a list alone stand together."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    alike: dict[Place, list[Place]] = {tuple("#" if isinstance(key, int) else key for key in here): [here]} if here else {}
    for key, each in inner:
        for keys, several in places(each, (*here, key)).items():
            alike.setdefault(keys, []).extend(several)
    return alike


def changed(report: Json, alike: dict[Place, list[Place]], draw: random.Random) -> None:
    """Another value of the same type, or a shorter, doubled or reversed list, at one place."""
    *way, last = draw.choice(alike[draw.choice(list(alike))])
    holder: Any = report
    with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change took the place away
        for key in way:
            holder = holder[key]
        old = holder[last]
        lists = [[], old[:1], old * 2, old[::-1]] if isinstance(old, list) else []
        holder[last] = draw.choice(lists or OTHERS[type(old)])


def accepted(number: int) -> Report:
    """The first report that the model accepts of those that this seed gives."""
    draw = random.Random(number)
    while True:
        report = golden()
        report["candidates"] = [each for each in report["candidates"] if each["id"] == report["judged"]] + report["candidates"][
            :4
        ]
        alike = places(report)
        for _ in range(draw.choice((1, 2, 3))):
            changed(report, alike, draw)
        with contextlib.suppress(Refused):
            return typed(report)


@pytest.mark.parametrize("number", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 60))])
def test_what_the_model_accepts_makes_a_page(number: int) -> None:
    assert page(accepted(number)).endswith("</html>\n")
