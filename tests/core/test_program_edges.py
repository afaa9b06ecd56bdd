"""Programs on the edges of what is one: node numbers, scores for links and outputs, parameters of several layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qaudit.core.program import Program, Quantized
from qaudit.core.steps import Dense, Trees


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


# one tree: x <= 0.5 ? 1 : (y <= 2 ? 3 : 4), two outputs
TREES = Trees(
    left=whole(1, -1, 3, -1, -1),
    right=whole(2, -1, 4, -1, -1),
    feature=whole(0, -2, 1, -2, -2),
    threshold=np.array([0.5, 0.0, 2.0, 0.0, 0.0]),
    value=np.array([[9.0, 9.0], [1.0, 2.0], [9.0, 9.0], [3.0, 4.0], [5.0, 6.0]]),
    roots=whole(0),
    base=np.zeros(2),
    missing_left=np.zeros(5, dtype=bool),
)
FOREST = Program(("x", "y"), (TREES,), "identity", "binary", ("no", "yes"))


def of_trees(**changes: Any) -> list[str]:
    return replace(FOREST, steps=(replace(TREES, **changes),)).problems()


def scores(width: int, link: str, output: str, classes: int) -> list[str]:
    """Problems of a dense program of that many scores."""
    step = Dense(np.ones((width, 1)), np.zeros(width))
    return Program(("x",), (step,), link, output, ("a", "b", "c", "d")[:classes]).problems()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("width", "link", "output", "classes"),
    [
        (1, "identity", "regression", 0),
        (1, "logistic", "binary", 2),
        (1, "logistic", "multiclass", 3),
        (1, "margin", "binary", 2),
        (1, "ovr", "binary", 2),
        (2, "identity", "binary", 2),
        (2, "softmax", "binary", 2),
        (3, "softmax", "multiclass", 3),
        (3, "ovr", "multiclass", 3),
        (3, "margin", "multiclass", 3),
        (3, "identity", "multiclass", 3),
    ],
)
def test_scores_for_a_link_and_an_output(width: int, link: str, output: str, classes: int) -> None:
    assert scores(width, link, output, classes) == []
    wrong = scores(width + 1, link, output, classes)
    assert wrong == [f"link {link}: {width + 1} scores for {classes} classes, expected {width}"]


@pytest.mark.parametrize("classes", [1, 3])
def test_two_classes_are_two(classes: int) -> None:
    assert scores(1, "margin", "binary", classes) == [f"classes: {classes}, expected 2 for binary"]
    assert scores(classes, "softmax", "multiclass", classes) == []


def test_forests_of_two_outputs_and_columns() -> None:
    assert FOREST.problems() == []
    columns = {"value": TREES.value[:, :1], "column": whole(1)}
    assert of_trees(**columns) == []
    assert of_trees(**columns | {"column": whole(0)}) == []
    assert of_trees(**columns | {"column": whole(2)}) == ["step 0: column: expected 0 to 1"]
    assert of_trees(**columns | {"column": whole(-1)}) == ["step 0: column: expected 0 to 1"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"roots": whole(4)}, []),
        ({"roots": whole(0, 0)}, []),
        ({"roots": whole(5)}, ["roots: expected one or more node numbers below 5"]),
        ({"roots": whole(-1)}, ["roots: expected one or more node numbers below 5"]),
        ({"roots": whole(2, -1, 0)}, ["roots: expected one or more node numbers below 5"]),
        ({"left": whole(0, -1, 3, -1, -1)}, ["left: expected node numbers behind the parent and below 5, -1 in leaves"]),
        ({"left": whole(1, -1, 5, -1, -1)}, ["left: expected node numbers behind the parent and below 5, -1 in leaves"]),
        ({"right": whole(2, -1, 4, -1, 0)}, ["right: expected node numbers behind the parent and below 5, -1 in leaves"]),
        ({"right": whole(2, -2, 4, -1, -1)}, ["right: expected node numbers behind the parent and below 5, -1 in leaves"]),
        ({"right": whole(2, -1, 2, -1, -1)}, ["right: expected node numbers behind the parent and below 5, -1 in leaves"]),
        ({"right": whole(4, -1, 3, -1, -1)}, []),
        ({"feature": whole(0, -2, 2, -2, -2)}, ["feature: expected 0 to 1 in inner nodes"]),
        ({"feature": whole(-1, -2, 1, -2, -2)}, ["feature: expected 0 to 1 in inner nodes"]),
        ({"feature": whole(1, 0, 1, 1, 0)}, []),
        ({"feature": whole(0, 2, 1, -2, -2)}, ["feature: expected 0 to 1 in inner nodes"]),
        ({"threshold": np.array([np.nan, 0, 0, 0, 0])}, ["thresholds and leaf values: not finite"]),
        ({"threshold": np.array([np.inf, np.nan, -np.inf, np.nan, 0])}, []),
        ({"value": np.array([[np.nan, 0], [0, 0], [0, np.inf], [0, 0], [0, 0]])}, []),
        ({"value": np.array([[0, 0], [0, np.nan], [0, 0], [0, 0], [0, 0]])}, ["thresholds and leaf values: not finite"]),
        ({"base": np.array([0.0, np.inf])}, ["thresholds and leaf values: not finite"]),
        ({"base": np.zeros((1, 2))}, ["base: shape (1, 2), expected (2,)"]),
        ({"missing_left": np.zeros(4, bool)}, ["missing_left: shape (4,), expected (5,)"]),
        ({"feature": whole(0)}, ["feature: shape (1,), expected (5,)"]),
        ({"right": whole(0)}, ["right: shape (1,), expected (5,)"]),
        ({"roots": np.zeros((1, 1), np.int32)}, ["roots: shape (1, 1), expected (1,)"]),
        (
            {"roots": whole(9), "feature": whole(9, -2, 1, -2, -2)},
            ["roots: expected one or more node numbers below 5", "feature: expected 0 to 1 in inner nodes"],
        ),
    ],
)
def test_node_numbers_on_their_edges(changes: dict[str, Any], says: list[str]) -> None:
    assert of_trees(**changes) == [f"step 0: {line}" for line in says]


def test_layers_on_their_edges() -> None:
    step = Dense(np.ones((2, 3)), np.zeros(2))
    program = Program(("a", "b", "c"), (step, Dense(np.ones((1, 2)), np.zeros(1))), "identity", "regression")
    assert program.problems() == []

    def first(**changes: Any) -> list[str]:
        return replace(program, steps=(replace(step, **changes), program.steps[1])).problems()

    assert first(weight=np.ones(3)) == ["step 0: weight: shape (3,), expected (outputs, 3)"]
    assert first(weight=np.ones((2, 3, 1))) == ["step 0: weight: shape (2, 3, 1), expected (outputs, 3)"]
    assert first(bias=np.zeros((2, 1))) == ["step 0: bias: shape (2, 1), expected (2,)"]
    assert first(weight=np.full((2, 3), np.inf)) == ["step 0: weights: not finite"]
    assert first(bias=np.array([0.0, np.nan])) == ["step 0: weights: not finite"]
    assert first(weight=np.ones((4, 3)), bias=np.zeros(4)) == ["step 1: weight: shape (1, 2), expected (outputs, 4)"]


def test_trees_are_the_first_step_and_layers_count_their_outputs() -> None:
    layer = Dense(np.ones((1, 2)), np.zeros(1))
    assert Program(("x", "y"), (TREES, layer), "logistic", "binary", ("no", "yes")).problems() == []
    wide = replace(layer, weight=np.ones((1, 3)))
    assert Program(("x", "y"), (TREES, wide), "logistic", "binary", ("no", "yes")).problems() == [
        "step 1: weight: shape (1, 3), expected (outputs, 2)"
    ]
    behind = Program(("x",), (replace(layer, weight=np.ones((1, 1))), TREES), "identity", "binary", ("no", "yes")).problems()
    assert behind == ["step 1: trees behind another step; their parameters are named after the model's inputs"]


def test_parameters_of_two_outputs_and_their_replacement() -> None:
    found = {name: (p.role, p.layer, p.values.tolist(), p.axis) for name, p in FOREST.parameters().items()}
    assert found == {
        "threshold[x]": ("threshold", 0, [0.5], None),
        "threshold[y]": ("threshold", 0, [2.0], None),
        "leaf[0]": ("leaf", 0, [1.0, 3.0, 5.0], None),
        "leaf[1]": ("leaf", 0, [2.0, 4.0, 6.0], None),
    }
    changed = FOREST.with_parameters({"leaf[1]": np.array([7.0, 8.0, 9.0]), "threshold[x]": np.array([-1.0])}).steps[0]
    assert isinstance(changed, Trees)
    assert changed.value.tolist() == [[9.0, 9.0], [1.0, 7.0], [9.0, 9.0], [3.0, 8.0], [5.0, 9.0]]
    assert changed.threshold.tolist() == [-1.0, 0.0, 2.0, 0.0, 0.0]
    assert TREES.value[1, 1] == 2.0


def test_a_tree_that_splits_on_a_later_column_only() -> None:
    later = replace(TREES, feature=whole(1, -2, 1, -2, -2))
    program = replace(FOREST, steps=(later,))
    assert list(program.parameters()) == ["threshold[y]", "leaf[0]", "leaf[1]"]
    assert program.parameters()["threshold[y]"].values.tolist() == [0.5, 2.0]


def test_usual_values() -> None:
    assert Dense(np.ones((1, 1)), np.zeros(1)).activation == "identity"
    assert (TREES.aggregate, TREES.column) == ("mean", None)
    assert (FOREST.link_scale, Program((), (), "identity", "regression").classes) == (1.0, ())
    assert Quantized(FOREST, {}).grids == {}
