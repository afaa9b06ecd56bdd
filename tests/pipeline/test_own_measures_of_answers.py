"""A plugin's own measures in an answer: what its process wrote is checked again by the host."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hosting import hooks_for
from subjects import subject

from qaudit.core.catalogue.measures import Measure
from qaudit.core.records import Explainer
from qaudit.pipeline.stages.quantize import quantize
from qaudit.pipeline.types import Candidates
from qaudit.sandbox.answers import MALFORMED, breach
from qaudit.sandbox.ipc import BrokenAnswer
from qaudit.sandbox.job import Call, Outcome, PluginRef
from qaudit.sandbox.pack_program import pack_program
from qaudit.sandbox.plugin_measures import declared_measures, measures_of, values_of

TOP = Measure("top", "Top codes", "share", "precision")
PACKED = {"name": "top", "title": "Top codes", "unit": "share", "section": "precision", "better": ""}
VALUE = {"measure": "top", "part": "layer0.weight", "value": 0.5}


def test_a_declaration_is_packed_and_read() -> None:
    record = Explainer("e", "s", lambda context: None, measures=(TOP,))
    assert declared_measures(record) == [PACKED]
    assert measures_of({"measures": declared_measures(record)}) == (TOP,)
    assert declared_measures(None) == []
    # an answer of a plugin contract without measures
    assert measures_of({}) == ()
    with pytest.raises(BrokenAnswer, match="measures: gave a str, expected a Measure"):
        declared_measures(dataclasses.replace(record, measures=("top",)))  # type: ignore[arg-type]


def test_values_are_read_by_measure_and_part() -> None:
    packed = [VALUE, {**VALUE, "part": None, "value": 1}]
    assert values_of(packed, (TOP,), ("layer0.weight",)) == {("top", "layer0.weight"): 0.5, ("top", None): 1.0}


TAMPERED: list[tuple[str, Any]] = [
    ("no list", 3),
    ("no mapping", [3]),
    ("a key is missing", [{"measure": "top", "value": 0.5}]),
    ("another measure", [{**VALUE, "measure": "flip_rate"}]),
    ("another parameter", [{**VALUE, "part": "layer9.weight"}]),
    ("a part of another type", [{**VALUE, "part": ["layer0.weight"]}]),
    ("not finite", [{**VALUE, "value": float("nan")}]),
    ("no number", [{**VALUE, "value": "0.5"}]),
    ("too large for a float", [{**VALUE, "value": 10**400}]),
    ("twice", [VALUE, VALUE]),
]


@pytest.mark.parametrize("recorded", [each for _, each in TAMPERED], ids=[name for name, _ in TAMPERED])
def test_tampered_values_are_a_breach_of_the_contract(recorded: Any) -> None:
    with pytest.raises(MALFORMED):
        values_of(recorded, (TOP,), ("layer0.weight",))


def outcome_of(recorded: Any, measures: Any) -> Outcome:
    """The answer of a quantizer with one good candidate, and what it says of its own measures."""
    tensor = {"codes": "c0.w", "qtype": [8, True, True], "scale": 0.5}
    answer = {"summary": "", "settings": {}, "claims": {}, "refused": [], "measures": measures}
    return Outcome({**answer, "candidates": [{"settings": {}, "tensors": tensor, "recorded": recorded}]}, {"c0.w": np.zeros(3)})


@pytest.mark.parametrize(
    ("recorded", "measures"), [([{**VALUE, "value": None}], [PACKED]), ([], [{**PACKED, "unit": "furlong"}])]
)
def test_the_stage_and_the_kept_unit_both_see_the_breach(recorded: Any, measures: Any) -> None:
    of = subject()
    assert of.program is not None
    packed, arrays = pack_program(of.program)
    said = breach("quantize", "p", {"program": packed}, arrays, outcome_of(recorded, measures))
    assert said is not None
    assert said.startswith("broken contract: measure")

    def run(call: Call) -> Outcome:
        return outcome_of(recorded, measures)

    ref = PluginRef("quantizer", "p", "p", "d", "1", "0" * 64)
    found: Candidates = quantize(of, hooks_for([ref], run), {}, bits=None, seed=0)
    assert found.all == ()
    assert [(row.by, row.kind) for row in found.skipped] == [("p", "failed")]
    assert found.skipped[0].reason == said
