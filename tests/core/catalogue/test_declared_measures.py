"""Measures of plugins: what may be declared, and which values are taken."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qaudit.core.catalogue.measures import OF_PLUGIN, Measure
from qaudit.core.catalogue.plugin_measures import (
    MOST_MEASURES,
    MOST_VALUES,
    PLACES,
    MeasureRecorder,
    declaration_problems,
    full_name,
    packed_measures,
    unpacked_measures,
)

GOOD = Measure("top_codes", "Codes at the end of the grid", "share", "precision", "low")


def changed(**fields: Any) -> Measure:
    return Measure(**{**{"name": "m", "title": "M", "unit": "", "section": "precision"}, **fields})


def test_a_good_declaration_goes_to_the_host_and_back() -> None:
    assert declaration_problems((GOOD,)) == []
    assert unpacked_measures(packed_measures((GOOD,))) == (GOOD,)
    assert PLACES == ("precision", "importance", "surrogate", "local", "drift")
    assert OF_PLUGIN.fullmatch(full_name("pow2", GOOD.name))


@pytest.mark.parametrize(
    ("measures", "said"),
    [
        ({"top": GOOD}, "measures: gave a dict, expected a tuple of Measure"),
        (("top",), "measures: gave a str, expected a Measure"),
        ((changed(name="Top Codes"),), "measure 'Top Codes': expected a name in snake_case of at most 64 characters"),
        ((changed(name="a" * 65),), "expected a name in snake_case"),
        ((changed(title=""),), "measure 'm': title '', expected one printable line of 1 to 80 characters"),
        ((changed(title="a\nb"),), "expected one printable line"),
        ((changed(title="\u202egnp"),), "expected one printable line"),
        ((changed(title="t" * 81),), "expected one printable line"),
        ((changed(title=3),), "measure 'm': name, title, unit, section and better are texts"),
        ((changed(unit="shares"),), "measure 'm': unknown unit 'shares'; did you mean 'share'?"),
        # a unit that the task settles is the host's alone
        ((changed(unit="score"),), "measure 'm': unknown unit 'score'"),
        ((changed(section="evidence"),), "measure 'm': section 'evidence' takes no measures of plugins; known: precision"),
        ((changed(better="higher"),), "measure 'm': unknown better 'higher'; did you mean 'high'?"),
        ((changed(of="audit"),), "measure 'm': name, title, unit, section and better may be given"),
        ((changed(places={"key": 1}),), "measure 'm': name, title, unit, section and better may be given"),
        ((GOOD, GOOD), "measure 'top_codes' is declared twice"),
        (tuple(changed(name=f"m{i}") for i in range(MOST_MEASURES + 1)), "measures: 21 are declared, at most 20 are allowed"),
    ],
)
def test_a_declaration_that_is_not_allowed_is_refused_in_one_line(measures: Any, said: str) -> None:
    (problem,) = declaration_problems(measures)
    assert said in problem
    if not isinstance(measures, dict):
        with pytest.raises(ValueError, match="measure"):
            packed_measures(measures)


@pytest.mark.parametrize("packed", [[{"name": "m"}], [3], 3, [{"name": "m", "title": "M", "unit": "x", "section": "precision"}]])
def test_what_a_child_wrote_is_checked_again(packed: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        unpacked_measures(packed)


def test_values_are_taken_once_for_each_part() -> None:
    recorder = MeasureRecorder((GOOD,), ("w", "b"))
    recorder.add("top_codes", 1, "w")
    recorder.add("top_codes", np.float32(0.5))
    assert recorder.values == {("top_codes", "w"): 1.0, ("top_codes", None): 0.5}
    assert {type(value) for value in recorder.values.values()} == {float}
    assert recorder.packed() == [
        {"measure": "top_codes", "part": "w", "value": 1.0},
        {"measure": "top_codes", "part": None, "value": 0.5},
    ]
    with pytest.raises(ValueError, match="recorded twice for w"):
        recorder.add("top_codes", 0.0, "w")
    with pytest.raises(ValueError, match="recorded twice for the model as a whole"):
        recorder.add("top_codes", 0.0)


HUGE = 10**400
"""An integer that no float can hold."""


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "0.5", True, [0.5], np.ones(1), 1j, HUGE], ids=lambda v: str(v)[:9])
def test_a_value_is_a_finite_number(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        MeasureRecorder((GOOD,), ()).add("top_codes", value)


def test_unknown_measures_and_parts_and_too_many_values_are_refused() -> None:
    recorder = MeasureRecorder((GOOD,), [f"p{i}" for i in range(MOST_VALUES + 1)])
    with pytest.raises(ValueError, match="measure 'top_code' is not declared; did you mean 'top_codes'"):
        recorder.add("top_code", 0.5)
    with pytest.raises(ValueError, match="measure top_codes: unknown part 'q1'"):
        recorder.add("top_codes", 0.5, "q1")
    for i in range(MOST_VALUES):
        recorder.add("top_codes", 0.5, f"p{i}")
    with pytest.raises(ValueError, match="more than 2000 values"):
        recorder.add("top_codes", 0.5, f"p{MOST_VALUES}")
