"""The table of evidence: what a row may hold, where a measure is shown, and one text for one value."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import numpy as np
import pytest

from qaudit.core.evidence import (
    ABOUT,
    Assessment,
    Evidence,
    Finding,
    Interval,
    Limit,
    Skipped,
    canonical_json,
    plain,
)


def row(**changes: Any) -> Evidence:
    given = {
        "measure": "flips",
        "value": 1.0,
        "unit": "rows",
        "interval": None,
        "n": 3,
        "about": {},
        "by": "evaluate",
        "topic": "t",
    }
    return Evidence(**{**given, **changes})


def test_a_row_is_about_known_things_only() -> None:
    assert row(about=dict.fromkeys(ABOUT, "x")).about["candidate"] == "x"
    with pytest.raises(ValueError, match=r"^evidence flips: unknown about keys \['colour', 'size'\]$"):
        row(about={"size": "1", "colour": "2", "group": "3"})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_is_finite_or_none(value: float) -> None:
    with pytest.raises(ValueError, match="evidence flips: value"):
        row(value=value)
    assert row(value=None, reason="no rows").reason == "no rows"
    assert row().reason is None


def test_what_is_usual() -> None:
    assert Finding("QA-1", "s", (), "precision").severity == "note"
    limit = Limit("l", "flips", {}, None, 1.0, None, None, "why")
    assert (limit.title, limit.todo) == ("", "")
    assert Assessment(limit, None, "not_assessed", "precision").reason == ""
    assert Skipped("explain", "p", "why").kind == "failed"
    with pytest.raises(FrozenInstanceError):
        Interval(0.0, 1.0, 0.95, "m").low = 1.0  # type: ignore[misc]


@dataclass
class Pair:
    first: Any
    second: Any


def test_values_become_plain_json() -> None:
    value = {1: Pair(np.float64(0.5), (np.int64(2), [np.bool_(True), None])), "text": np.str_("ü")}
    made = plain(value)
    assert made == {"1": {"first": 0.5, "second": [2, [True, None]]}, "text": "ü"}
    second = made["1"]["second"]
    assert (type(made["1"]["first"]), type(second), type(second[0]), type(second[1][0])) == (float, list, int, bool)
    assert type(plain(np.str_("x"))) is np.str_  # a text is a text already
    assert plain(Pair) is Pair
    assert plain(np.array(3)) == 3


def test_one_text_for_one_value() -> None:
    assert canonical_json({"b": 1, "a": [0.1, "ü", None, True]}) == '{"a":[0.1,"ü",null,true],"b":1}'
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json(math.nan)
