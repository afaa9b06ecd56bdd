"""What the records of plugins say where nothing is said: plugins of the field rely on it."""

from __future__ import annotations

from pathlib import Path

from qaudit.core.__about__ import SPEC
from qaudit.core.records import Claims, Explainer, Feature, Quantizer, Setting, Subject


def test_claims_that_are_made_unless_they_are_withdrawn() -> None:
    assert Claims() == Claims("nearest", True, False, "powers of two", False, True)
    assert Quantizer("q", "s").claims == Claims()


def test_what_a_record_does_not_need() -> None:
    quantizer, explainer = Quantizer("q", "s"), Explainer("e", "s", lambda context: None)
    assert (quantizer.quantize, quantizer.inputs, quantizer.model, quantizer.settings, quantizer.needs) == (
        None,
        None,
        None,
        {},
        (),
    )
    assert (explainer.settings, explainer.needs) == ({}, ())
    assert (Setting((1,)).allowed, Setting((1,)).help) == (None, "")
    assert (Feature("x").kind, Feature("x").takes_missing) == (None, None)
    subject = Subject("binary", ("x",), ("a", "b"), ())
    assert (subject.calibration, subject.training) == (False, False)


def test_every_number_of_the_contract_has_plugins_that_are_kept() -> None:
    fossils = Path(__file__).parent.parent / "fossils"
    assert {folder.name for folder in fossils.glob("spec_*")} == {f"spec_{number}" for number in range(1, SPEC + 1)}
