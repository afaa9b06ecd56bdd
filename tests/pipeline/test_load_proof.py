"""The proof of a lowering: what is a fault and what is not, and every statement it can make."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qaudit.core.decision import Decision
from qaudit.core.program import Program
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Floats
from qaudit.engine import sweep, trees
from qaudit.engine.rounding import gamma, prediction_bound
from qaudit.pipeline.stages import load_proof
from qaudit.pipeline.stages.load_proof import Proof, not_lowered, own_decisions, prove

BINARY, MANY, NUMBERS = Decision("binary"), Decision("multiclass"), Decision("regression")
ULP = 2.0**-52
READING = "Before any quantization, our reading of the model against the model itself:"


def stump(outputs: int = 2, **given_parts: Any) -> Program:
    """x <= 0: the first class has 3/4, else 1/4 (a third class never)."""
    values = np.array([[0.0, 0.0, 0.0], [0.75, 0.25, 0.0], [0.25, 0.75, 0.0]])[:, :outputs]
    step = Trees(
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        feature=np.array([0, -2, -2], np.int32),
        threshold=np.zeros(3),
        value=values,
        roots=np.array([0], np.int32),
        base=np.zeros(outputs),
        missing_left=np.zeros(3, bool),
    )
    names = ("p", "q", "r")[:outputs] if outputs > 1 else ()
    output = {1: "regression", 2: "binary", 3: "multiclass"}[outputs]
    return replace(Program(("x",), (step,), "identity", output, names), **given_parts)  # type: ignore[arg-type]


ROWS = np.array([[-1.0], [1.0], [2.0]])
FAILED = ". The model is audited as a black box."


def proof(program: Program, native: Floats, decision: Decision, rows: Floats = ROWS, **own: Floats) -> Proof:
    return prove(program, rows, native, decision, own)


def test_an_ensemble_is_proved_bit_for_bit() -> None:
    program = stump()
    native = sweep.predict(program, ROWS)
    own = {"leaves": trees.leaf_indices(program, ROWS), "raw": trees.raw(program, ROWS)}
    found = prove(program, ROWS, native, BINARY, own)
    assert found == Proof(
        True,
        f"{READING} on all 3 holdout rows every leaf and every raw score equals the model's own bit for bit; "
        "predictions are identical; every decision is the same.",
        3,
        0.0,
        4 * ULP,
        (),
    )
    one = prove(program, ROWS, native, BINARY, {"raw": own["raw"]}).statement
    assert one.startswith(f"{READING} on all 3 holdout rows every raw score equals the model's own bit for bit; predictions")
    none = prove(program, ROWS, native, BINARY, {}).statement
    assert none == f"{READING} on all 3 holdout rows predictions are identical; every decision is the same."


def test_raw_scores_are_those_before_link_and_scale() -> None:
    program = stump(1, link="logistic", output="binary", classes=("p", "q"), link_scale=2.0)
    native = sweep.predict(program, ROWS)
    assert proof(program, native, BINARY, raw=trees.raw(program, ROWS)).proved
    assert not proof(program, native, BINARY, raw=2 * trees.raw(program, ROWS)).proved


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"leaves": np.array([[1], [2], [1]])}, "a row reaches another leaf"),
        ({"leaves": np.array([[1], [2]])}, "a row reaches another leaf"),
        ({"leaves": np.array([[1, 2, 2]])}, "a row reaches another leaf"),
        ({"raw": np.array([[0.75, 0.25], [0.25, 0.75], [0.25, 0.5]])}, "raw scores differ"),
        ({"raw": np.array([[0.75], [0.25], [0.25]])}, "raw scores differ"),
        ({"leaves": np.zeros((3, 1)), "raw": np.zeros((3, 2))}, "a row reaches another leaf; raw scores differ"),
    ],
)
def test_other_leaves_and_raw_scores_are_faults(own: dict[str, Floats], says: str) -> None:
    found = proof(stump(), sweep.predict(stump(), ROWS), BINARY, **own)
    assert (found.proved, found.statement) == (False, f"The lowering does not hold: {says}{FAILED}")


def test_class_probabilities_of_trees_may_lie_four_units_apart() -> None:
    native = sweep.predict(stump(), ROWS)
    native[1, 0] += 4 * ULP
    found = proof(stump(), native, BINARY)
    assert (found.proved, found.error) == (True, 4 * ULP)
    assert "predictions lie at most 8.9e−16 apart (4 x 2^-52 allowed); every decision is the same." in found.statement
    native[1, 0] += ULP
    found = proof(stump(), native, BINARY)
    says = "row 2: the predictions lie 1.1e−15 apart, 8.9e−16 is allowed"
    assert (found.proved, found.statement) == (False, f"The lowering does not hold: {says}{FAILED}")


def test_numbers_of_trees_may_not_lie_apart() -> None:
    program = stump(1)
    native = sweep.predict(program, ROWS)
    same = proof(program, native, NUMBERS)
    assert (same.proved, same.bound, same.ambiguous) == (True, 0.0, ())
    assert same.statement == f"{READING} on all 3 holdout rows predictions are identical."
    native[2, 0] += 2.0**-54
    found = proof(program, native, NUMBERS)
    assert found.statement.startswith("The lowering does not hold: row 3: the predictions lie 5.6e−17 apart, 0 is allowed.")
    assert load_proof._statement(program, {}, 3, 1e-9, 0, 0) == (
        f"{READING} on all 3 holdout rows predictions lie at most 0.000000001 apart (0 allowed)."
    )


def test_rows_on_the_cutoff_may_be_decided_otherwise() -> None:
    native = sweep.predict(stump(), ROWS)
    native[1] = [0.25 - ULP, 0.75 + ULP]
    found = proof(stump(), native, Decision("binary", cutoff=0.75 + ULP))
    assert (found.proved, found.ambiguous) == (True, (1, 2))
    says = "; 2 rows lie so near another decision that rounding alone could decide them, 1 of them are decided otherwise."
    assert found.statement.endswith(says)
    edge = proof(stump(), sweep.predict(stump(), ROWS), Decision("binary", cutoff=0.75 + 4 * ULP))
    assert edge.ambiguous == (1, 2)
    beyond = proof(stump(), sweep.predict(stump(), ROWS), Decision("binary", cutoff=0.75 + 5 * ULP))
    assert beyond.ambiguous == ()


def test_ties_of_classes_may_be_decided_otherwise() -> None:
    program = stump(3)
    step = program.steps[0]
    assert isinstance(step, Trees)
    tied = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
    program = replace(program, steps=(replace(step, value=tied),))
    native = sweep.predict(program, ROWS)
    native[0] = [0.5, 0.5 + ULP, 0.0]
    found = proof(program, native, MANY)
    assert (found.proved, found.ambiguous) == (True, (0,))
    says = "; 1 rows lie so near another decision that rounding alone could decide them, 1 of them are decided otherwise."
    assert found.statement.endswith(says)


def test_another_decision_beyond_the_bound_is_a_fault() -> None:
    native = sweep.predict(stump(), ROWS)
    native[1] = [0.75, 0.25]
    found = proof(stump(), native, BINARY)
    says = "row 2: the predictions lie 0.5000 apart, 8.9e−16 is allowed; row 2: another decision beyond the bound"
    assert (found.proved, found.statement, found.error) == (False, f"The lowering does not hold: {says}{FAILED}", 0.5)


def test_the_row_that_breaks_its_own_bound_most_is_named() -> None:
    program = Program(("x",), (Dense(np.ones((1, 1)), np.zeros(1)),), "identity", "regression")
    rows = np.array([[1e10], [1.0]])
    allowed = prediction_bound(program, rows)
    native = rows + np.array([[4e-6], [1e-6]])
    found = proof(program, native, NUMBERS, rows)
    assert allowed[0] > 4e-6
    assert found.statement.startswith(
        "The lowering does not hold: row 2: the predictions lie 0.00000100 apart, 6.7e−16 is allowed."
    )
    assert (found.bound, found.error) == (allowed[0], pytest.approx(4e-6, rel=0.1))


def test_a_network_is_proved_within_its_bound() -> None:
    program = Program(("x",), (Dense(np.array([[1.0]]), np.zeros(1)),), "identity", "regression")
    rows = np.array([[1.0], [2.0]])
    found = proof(program, rows, NUMBERS, rows)
    assert found == Proof(True, f"{READING} on all 2 holdout rows predictions are identical.", 2, 0.0, 4 * gamma(3), ())
    near = proof(program, rows + np.array([[0.0], [ULP]]) * 2, NUMBERS, rows)
    says = f"{READING} on all 2 holdout rows predictions lie within the stated rounding bound, at most 4.4e−16 apart."
    assert (near.proved, near.statement) == (True, says)
    assert not proof(program, rows + 1e-12, NUMBERS, rows).proved


def test_the_bound_is_allowed_and_a_little_more_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_proof, "prediction_bound", lambda program, encoded: np.full(len(encoded), 0.25))
    program = Program(("x",), (Dense(np.array([[1.0]]), np.zeros(1)),), "margin", "binary", ("p", "q"))
    rows = np.array([[1.0], [-1.0]])
    assert proof(program, rows - 0.25, Decision("binary", cutoff=0.0), rows).proved
    assert not proof(program, rows - (0.25 + 4 * ULP), Decision("binary", cutoff=0.0), rows).proved


def test_other_shapes_are_no_proof() -> None:
    found = proof(stump(), np.zeros((3, 1)), BINARY)
    assert found == Proof(False, "Predictions of shape (3, 2), the model gives (3, 1).", 3, 0.0, 0.0, ())


def test_no_rows_are_proved_trivially() -> None:
    for program, width in ((stump(), 2), (stump(1), 1)):
        found = proof(program, np.zeros((0, width)), BINARY if width == 2 else NUMBERS, np.zeros((0, 1)))
        assert (found.proved, found.rows, found.error, found.bound, found.ambiguous) == (True, 0, 0.0, 0.0, ())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_no_numbers_are_a_fault(value: float) -> None:
    native = sweep.predict(stump(1), ROWS)
    native[1] = value
    found = proof(stump(1), native, NUMBERS)
    assert (found.proved, found.error) == (False, np.finfo(float).max)
    assert "row 2: the predictions lie inf apart" in found.statement


@pytest.mark.parametrize(
    ("decision", "predictions", "expected"),
    [
        (NUMBERS, [[1.0], [2.0]], [math.inf, math.inf]),
        (MANY, [[1.0], [2.0]], [math.inf, math.inf]),
        (MANY, [[0.2, 0.8], [0.5, 0.5]], [0.3, 0.0]),
        (MANY, [[0.5, 0.125, 0.375], [0.0, 0.25, 0.75]], [0.0625, 0.25]),
        (Decision("binary", cutoff=0.25), [[0.5, 0.5], [0.9, 0.1]], [0.25, 0.15]),
        (Decision("binary", positive=0, cutoff=0.25), [[0.5, 0.5], [0.9, 0.1]], [0.25, 0.65]),
        (Decision("binary", cutoff=1.0), [[3.0], [-2.0]], [2.0, 3.0]),
    ],
)
def test_margins_are_distances_from_another_decision(decision: Decision, predictions: Any, expected: list[float]) -> None:
    assert decision.distance(np.array(predictions)).tolist() == pytest.approx(expected)


def test_entries_of_the_report() -> None:
    found = Proof(True, "It holds.", 70, 0.5, 0.75, tuple(range(60)))
    entry = {
        "proved": True,
        "statement": "It holds.",
        "rows": 70,
        "max_error": 0.5,
        "bound": 0.75,
        "ambiguous_rows": list(range(50)),
        "ambiguous_count": 60,
        "why_not": None,
    }
    assert found.json(None) == entry
    assert found.json("no format") == entry | {"why_not": "no format"}
    failed = replace(found, proved=False, statement="It does not hold.")
    assert failed.json(None)["why_not"] == "It does not hold."
    assert failed.json("no format")["why_not"] == "no format"
    assert not_lowered("no format") == {
        "proved": False,
        "statement": "Not lowered: the model is audited as a black box, through its own predictions.",
        "rows": 0,
        "max_error": None,
        "bound": None,
        "ambiguous_rows": [],
        "ambiguous_count": 0,
        "why_not": "no format",
    }


OWN = "Decisions are the model's own: the class with the largest probability, and of several the first."
MARGIN = "Decisions are the model's own: the class on whose side the margin lies, and of several the first."
HALVES = np.array([[0.5, 0.5], [0.25, 0.75], [0.75, 0.25]])
SAME = " The model's own predict decides the same on all 3 holdout rows."
OTHERWISE = (
    " The model's own predict decides otherwise on {} of 3 holdout rows (first: row {}): "
    "it does not follow its own probabilities there."
)
CLASSES = ("no", "yes")


@pytest.mark.parametrize(
    ("decision", "native", "decided", "says", "otherwise"),
    [
        (BINARY, HALVES, [0, 1, 0], OWN + SAME, 0),
        (BINARY, HALVES, [1, 1, 0], OWN + OTHERWISE.format(1, 1), 1),
        (BINARY, HALVES, [0, 0, 1], OWN + OTHERWISE.format(2, 2), 2),
        (replace(BINARY, ties="last"), HALVES, [1, 1, 0], OWN.replace("first", "last") + SAME, 0),
        (BINARY, HALVES, None, f"{OWN} Its reader gives no decisions of the model to compare with.", None),
        (BINARY, HALVES[:, :1] - 0.5, [0, 0, 1], MARGIN + SAME, 0),
        (MANY, np.eye(3), [0, 1, 2], OWN + SAME, 0),
        (MANY, np.eye(3), [0, 1, 1], OWN + OTHERWISE.format(1, 3), 1),
        (NUMBERS, np.ones((3, 1)), None, "", None),
    ],
)
def test_the_rule_of_the_decisions_in_words(
    decision: Decision, native: Floats, decided: list[int] | None, says: str, otherwise: int | None
) -> None:
    own = None if decided is None else np.array(decided)
    assert own_decisions(decision, native, own, CLASSES) == (says, otherwise)


@pytest.mark.parametrize("own", [None, [1, 1, 1]])
@pytest.mark.parametrize(
    ("decision", "native", "says"),
    [
        (Decision("binary", 1, 0.15), HALVES, "Decisions are yes where its probability is at least the declared cut-off 0.15."),
        (Decision("binary", 0, 0.15), HALVES, "Decisions are no where its probability is at least the declared cut-off 0.15."),
        (Decision("binary", 0, -1.5), HALVES[:, :1], "Decisions are yes where the margin exceeds the declared cut-off -1.5."),
    ],
)
def test_a_declared_cutoff_is_the_authors_and_not_compared(
    decision: Decision, native: Floats, says: str, own: list[int] | None
) -> None:
    assert own_decisions(decision, native, None if own is None else np.array(own), CLASSES) == (says, None)
