"""Programs: parameters by name, replacement, and what keeps arrays from being a program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qaudit.core.program import Program
from qaudit.core.steps import Dense, Trees

NETWORK = Program(
    ("a", "b", "c"),
    (
        Dense(np.arange(6.0).reshape(2, 3), np.array([0.5, -0.5]), "relu"),
        Dense(np.array([[1.0, -1.0]]), np.array([0.25])),
    ),
    "logistic",
    "binary",
    ("no", "yes"),
)


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


# two trees: a <= 0.5 ? 1 : (c <= -1 ? 2 : 3), and b <= 7 ? 4 : 5
TREES = Trees(
    left=whole(1, -1, 3, -1, -1, 6, -1, -1),
    right=whole(2, -1, 4, -1, -1, 7, -1, -1),
    feature=whole(0, -2, 2, -2, -2, 1, -2, -2),
    threshold=np.array([0.5, 0.0, -1.0, 0.0, 0.0, 7.0, 0.0, 0.0]),
    value=np.array([[9.0], [1.0], [9.0], [2.0], [3.0], [9.0], [4.0], [5.0]]),
    roots=whole(0, 5),
    base=np.zeros(1),
    missing_left=np.zeros(8, dtype=bool),
)
FOREST = Program(("a", "b", "c"), (TREES,), "identity", "regression")


def test_parameters_by_name_role_and_axis() -> None:
    found = {name: (p.role, p.layer, p.values.tolist(), p.axis) for name, p in NETWORK.parameters().items()}
    assert found == {
        "layer0.weight": ("weight", 0, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], 0),
        "layer0.bias": ("bias", 0, [0.5, -0.5], 0),
        "layer1.weight": ("weight", 1, [[1.0, -1.0]], 0),
        "layer1.bias": ("bias", 1, [0.25], 0),
    }
    found = {name: (p.role, p.layer, p.values.tolist(), p.axis) for name, p in FOREST.parameters().items()}
    assert found == {
        "threshold[a]": ("threshold", 0, [0.5], None),
        "threshold[b]": ("threshold", 0, [7.0], None),
        "threshold[c]": ("threshold", 0, [-1.0], None),
        "leaf[0]": ("leaf", 0, [1.0, 2.0, 3.0, 4.0, 5.0], None),
    }
    assert NETWORK.width == FOREST.width == 3


def test_replacing_touches_the_named_parameter_alone() -> None:
    changed = NETWORK.with_parameters({"layer0.bias": np.array([7.0, 8.0])})
    assert [step.bias.tolist() for step in changed.steps if isinstance(step, Dense)] == [[7.0, 8.0], [0.25]]
    assert changed.steps[0].weight is NETWORK.steps[0].weight  # type: ignore[union-attr]
    leaves = FOREST.with_parameters({"leaf[0]": np.arange(10.0, 15.0), "threshold[c]": np.array([6.0])})
    step = leaves.steps[0]
    assert isinstance(step, Trees)
    # the 9.0 of inner nodes and the 0.0 thresholds of leaves are placeholders: never touched
    assert step.value.ravel().tolist() == [9.0, 10.0, 9.0, 11.0, 12.0, 9.0, 13.0, 14.0]
    assert step.threshold.tolist() == [0.5, 0.0, 6.0, 0.0, 0.0, 7.0, 0.0, 0.0]
    assert TREES.threshold[2] == -1.0
    for program in (NETWORK, FOREST):
        same = program.with_parameters({name: p.values * 2 for name, p in program.parameters().items()})
        again = {name: p.values.tolist() for name, p in same.parameters().items()}
        assert again == {name: (p.values * 2).tolist() for name, p in program.parameters().items()}


def test_wrong_names_and_shapes_are_refused() -> None:
    with pytest.raises(KeyError, match="layer7"):
        NETWORK.with_parameters({"layer7.weight": np.ones(2)})
    with pytest.raises(ValueError, match=r"layer0.bias: shape \(3,\), expected \(2,\)"):
        NETWORK.with_parameters({"layer0.bias": np.ones(3)})


def test_good_programs_have_no_problems() -> None:
    assert NETWORK.problems() == []
    assert FOREST.problems() == []
    columns = replace(TREES, base=np.zeros(3), column=whole(2, 0))
    assert Program(FOREST.inputs, (columns,), "softmax", "multiclass", ("a", "b", "c")).problems() == []
    assert Program(("x",), (Dense(np.ones((3, 1)), np.ones(3)),), "margin", "multiclass", ("a", "b", "c")).problems() == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"left": whole(1, -1, 2, -1, -1, 6, -1, -1)}, "left: expected node numbers behind the parent"),
        ({"left": whole(1, -1, 0, -1, -1, 6, -1, -1)}, "left: expected node numbers behind the parent"),
        ({"right": whole(2, -1, 4, -1, -1, 8, -1, -1)}, "right: expected node numbers behind the parent and below 8"),
        ({"right": whole(2, 5, 4, -1, -1, 7, -1, -1)}, "right: expected node numbers"),
        ({"left": whole(1, -2, 3, -1, -1, 6, -1, -1)}, "left: expected node numbers"),
        ({"feature": whole(0, -2, 3, -2, -2, 1, -2, -2)}, "feature: expected 0 to 2"),
        ({"feature": whole(0, -2, -2, -2, -2, 1, -2, -2)}, "feature: expected 0 to 2"),
        ({"roots": whole(0, 8)}, "roots: expected one or more node numbers below 8"),
        ({"roots": whole()}, "roots: expected one or more"),
        ({"threshold": np.zeros(7)}, "threshold: shape (7,), expected (8,)"),
        ({"value": np.zeros((8, 2))}, "value: shape (8, 2), expected (8, 1)"),
        ({"threshold": np.full(8, np.nan)}, "not finite"),
        ({"value": np.full((8, 1), np.inf)}, "not finite"),
        ({"column": whole(0, 1)}, "column: expected 0 to 0"),
        ({"column": whole(0)}, "column: shape (1,), expected (2,)"),
        ({"base": np.zeros(2), "value": np.zeros((8, 2))}, "link identity: 2 scores for 0 classes, expected 1"),
    ],
)
def test_broken_trees_are_named(changes: dict[str, Any], says: str) -> None:
    problems = replace(FOREST, steps=(replace(TREES, **changes),)).problems()
    assert any(says in line for line in problems), problems


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs": ("a", "b")}, "step 0: weight: shape (2, 3), expected (outputs, 2)"),
        ({"classes": ("a", "b", "c")}, "classes: 3, expected 2 for binary"),
        ({"link": "softmax"}, "link softmax: 1 scores for 2 classes, expected 2"),
        ({"steps": (NETWORK.steps[0], NETWORK.steps[0])}, "step 1: weight: shape (2, 3), expected (outputs, 2)"),
        ({"steps": (replace(NETWORK.steps[0], bias=np.ones(3)), NETWORK.steps[1])}, "step 0: bias: shape (3,), expected (2,)"),
        ({"steps": (replace(NETWORK.steps[0], bias=np.array([1, np.nan])), NETWORK.steps[1])}, "step 0: weights: not finite"),
    ],
)
def test_broken_networks_are_named(changes: dict[str, Any], says: str) -> None:
    assert says in replace(NETWORK, **changes).problems()


def test_trees_are_the_first_step_or_none() -> None:
    layer = Dense(np.ones((3, 3)), np.zeros(3))
    behind = replace(FOREST, steps=(layer, TREES))
    assert behind.problems() == ["step 1: trees behind another step; their parameters are named after the model's inputs"]
    before = replace(FOREST, steps=(TREES, Dense(np.ones((1, 1)), np.zeros(1))))
    assert before.problems() == []
    assert list(before.parameters()) == [*FOREST.parameters(), "layer1.weight", "layer1.bias"]
