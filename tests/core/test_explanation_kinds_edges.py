"""Explanations by hand: every distance and size as a number, every breach in its words, every limit from both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qaudit.core.catalogue.explanation_kind import DistanceInputs
from qaudit.core.catalogue.explanations import contributions, distances_of, kind_of
from qaudit.core.explanation import Attributions, Explanation, Importance, LocalModels, TreeModel
from qaudit.core.explanation_contract import contract_problem
from qaudit.core.table import Table

TABLE = Table({"a": np.array([1.0, 5.0, 1.0, 5.0, 1.0]), "b": np.array([0.0, 0.0, 9.0, 9.0, 0.0])})
DESIGN = np.array([[1.0, 2.0], [0.5, 0.0], [1.0, 1.0]])
ORDER = np.arange(2)


def tree(values: list[list[float]], feature: int = 0) -> TreeModel:
    """One split at 3, whose leaves have these values; the value of the root is the first."""
    return TreeModel(
        feature=np.array([feature, -1, -1], dtype=np.int32),
        threshold=np.array([3.0, 0.0, 0.0]),
        categories=(None,) * 3,
        left=np.array([1, -1, -1], dtype=np.int32),
        right=np.array([2, -1, -1], dtype=np.int32),
        missing_left=np.zeros(3, dtype=bool),
        value=np.array(values),
    )


def local(coef: list[list[float]], **others: Any) -> LocalModels:
    rows = len(coef)
    fields = {
        "intercept": np.zeros(rows),
        "design": np.zeros((rows, 3, 2)),
        "answers": np.zeros((rows, 3)),
        "weights": np.ones((rows, 3)),
        **others,
    }
    return LocalModels(coef=np.array(coef), **fields)


def distances(a: Explanation, b: Explanation, regression: bool = False) -> dict[str, float | None]:
    inputs = DistanceInputs(TABLE, DESIGN, regression)
    return {each.name: each.between(a, b, inputs) for each in distances_of(a, regression)}


def test_importances_are_compared_by_the_mean_of_their_repeats() -> None:
    a = Importance(np.array([[1.0, 2.0, 6.0], [3.0, 4.0, 6.0]]), "loss_change")  # means 2, 3, 6
    b = Importance(np.array([[3.0, 1.0, 6.0], [3.0, 1.0, 12.0]]), "loss_change")  # means 3, 1, 9
    # differences 1, 2, 3; of three pairs two stand in the same order: tau 1/3
    assert distances(a, b) == {"size": 2.0, "rank": pytest.approx(2 / 3)}
    assert distances(a, a) == {"size": 0.0, "rank": 0.0}
    flat = replace(a, values=np.ones((2, 3)))
    assert distances(a, flat) == {"size": pytest.approx(8 / 3), "rank": None}


def test_attributions_are_compared_row_by_row() -> None:
    a = Attributions(np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 1.0]]), np.zeros(3))
    b = Attributions(np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 1.0]]), np.zeros(3))
    # cosine distances 0, 1 and 0; lengths of the differences 0, sqrt(5) and 0, beside 5, 1 and 1
    assert distances(a, b) == {"direction": pytest.approx(1 / 3), "length": pytest.approx(5**0.5 / 3)}
    assert distances(b, a)["length"] == pytest.approx(5**0.5 / 6)


def test_local_models_are_compared_by_what_they_say_of_the_mean_design() -> None:
    a, b = local([[2.0, 1.0], [4.0, 1.0], [1.0, 0.0]]), local([[1.0, -0.5], [4.0, 7.0], [1.0, 0.0]])
    # contributions -coef x design: (-2, -2), (-2, 0), (-1, 0) and (-1, 1), (-2, 0), (-1, 0)
    assert distances(a, b) == {"direction": pytest.approx(1 / 3), "length": pytest.approx(10**0.5 / 8**0.5 / 3)}
    found = contributions(a, DESIGN)
    assert found is not None
    assert found.tolist() == [[-2.0, -2.0], [-2.0, 0.0], [-1.0, 0.0]]
    assert not np.signbit(found[1, 1])  # no minus sign before a 0
    given = Attributions(np.array([[3.0, 4.0]]), np.zeros(1))
    assert contributions(given, DESIGN) is given.values


def test_trees_are_compared_by_what_they_say_of_the_rows() -> None:
    a, b = tree([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]), tree([[0.5, 0.5], [0.7, 0.3], [0.6, 0.4]])
    assert distances(a, b) == {"decision": 0.4}  # the two rows at 5 are the second class for one, the first for the other
    c = tree([[0.0], [1.0], [2.0]], feature=1)
    assert distances(a, replace(b, value=a.value[:, ::-1])) == {"decision": 1.0}
    d = replace(tree([[0.0], [1.0], [6.0]]), missing_left=np.ones(3, dtype=bool))
    # c says 1 1 2 2 1, d says 1 6 1 6 1
    assert distances(c, d, regression=True) == {"value": 2.0}
    assert [(each.name, each.unit) for each in distances_of(c, True)] == [("value", "")]
    assert [(each.name, each.unit) for each in distances_of(c, False)] == [("decision", "share")]


def test_what_is_explained_and_each_repeat_alone() -> None:
    importance = Importance(np.array([[1.0, 2.0], [3.0, 4.0]]), "prediction_change")
    kind = kind_of(importance)
    assert kind.quantity(importance) == "prediction_change"
    assert [(each.values.tolist(), each.of) for each in kind.repeats(importance)] == [
        ([[1.0, 2.0]], "prediction_change"),
        ([[3.0, 4.0]], "prediction_change"),
    ]
    single = Attributions(np.zeros((1, 2)), np.zeros(1))
    assert (kind_of(single).quantity(single), kind_of(single).repeats(single)) == ("", [single])


def test_fields_that_are_no_arrays_come_back_from_json() -> None:
    (of,) = kind_of(Importance(np.zeros((1, 2)), "loss_change")).json.values()
    assert (of.pack("loss_change"), of.unpack("loss_change")) == ("loss_change", "loss_change")
    (categories,) = kind_of(tree([[0.0]] * 3)).json.values()
    packed = categories.pack((None, ("x", np.str_("y"))))
    assert packed == [None, ["x", "y"]]
    assert [type(each) for each in packed[1]] == [str, str]
    assert categories.unpack(packed) == (None, ("x", "y"))


def test_how_much_each_column_matters() -> None:
    importance = Importance(np.array([[1.0, -2.0], [-5.0, 2.0]]), "loss_change")
    assert kind_of(importance).column_sizes(importance, 2).tolist() == [3.0, 2.0]
    given = Attributions(np.array([[1.0, -2.0], [-5.0, 2.0]]), np.zeros(2))
    assert kind_of(given).column_sizes(given, 2).tolist() == [3.0, 2.0]
    design = np.array([[[1.0, 0.0], [3.0, 0.0]], [[0.0, 5.0], [0.0, 11.0]]])  # standard deviations (1, 0) and (0, 3)
    models = local([[-4.0, 1.0], [1.0, -2.0]], design=design, answers=np.zeros((2, 2)), weights=np.ones((2, 2)))
    assert kind_of(models).column_sizes(models, 2).tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("values", "sizes"),
    [
        ([[0.0], [0.0], [1e-9]], [0.0, 0.0]),  # at the limit: the leaves are equal
        ([[0.0], [0.0], [1.5e-9]], [0.0, 4.0]),  # beyond it: one split, of a tree with three nodes
        ([[0.3, 0.7], [0.3, 0.7], [0.3, 0.9]], [0.0, 4.0]),  # one output is the same everywhere, one is not
    ],
)
def test_a_tree_has_leaves_that_differ_where_one_output_does(values: list[list[float]], sizes: list[float]) -> None:
    split = tree(values, feature=1)
    assert kind_of(split).column_sizes(split, 2).tolist() == sizes


def pairs(distance: float, size: float) -> list[tuple[Explanation, Explanation]]:
    """Two importances and two attributions of this size that lie this far apart in one value."""
    one, other = np.array([[1.0, size]]), np.array([[1.0, size + distance]])
    return [
        (Importance(other, "loss_change"), Importance(one, "loss_change")),
        (Attributions(other, np.zeros(1)), Attributions(one, np.zeros(1))),
    ]


@pytest.mark.parametrize(
    ("pair", "same"),
    [
        *((pair, True) for pair in pairs(0.75e-9, 0.0)),
        *((pair, False) for pair in pairs(1.5e-9, 0.0)),
        *((pair, True) for pair in pairs(0.75e-6, 1.0)),
        *((pair, False) for pair in pairs(1.5e-6, 1.0)),
        ((local([[1.0, 0.75e-8]]), local([[1.0, 0.0]])), True),
        ((local([[1.0, 1.5e-8]]), local([[1.0, 0.0]])), False),
        ((local([[1.0, 1.0 + 0.75e-6]]), local([[1.0, 1.0]])), True),
        ((local([[1.0, 1.0 + 1.5e-6]]), local([[1.0, 1.0]])), False),
        ((tree([[0.0], [0.0], [0.75e-9]]), tree([[0.0], [0.0], [0.0]])), True),
        ((tree([[0.0], [0.0], [1.5e-9]]), tree([[0.0], [0.0], [0.0]])), False),
    ],
)
def test_explanations_are_the_same_up_to_a_rounding_error(pair: tuple[Any, Any], same: bool) -> None:
    assert kind_of(pair[0]).same(*pair, ORDER, TABLE) is same


SPLIT = tree([[0.0], [1.0], [2.0]])
LINE = {"left": np.array([1, 3, -1, -1, -1]), "right": np.array([2, 4, -1, -1, -1]), "feature": np.array([0, 1, -1, -1, -1])}
DEEP = TreeModel(
    threshold=np.zeros(5), categories=(None,) * 5, missing_left=np.zeros(5, dtype=bool), value=np.zeros((5, 1)), **LINE
)


def changed(field: str, at: int, value: int) -> TreeModel:
    array = getattr(DEEP, field).copy()
    array[at] = value
    return replace(DEEP, **{field: array})


@pytest.mark.parametrize(
    ("explanation", "problem"),
    [
        (
            Importance(np.array([[1.0, 2.0], [3.0, np.nan]]), "loss_change"),
            "importance.values holds a value that is not finite at [1, 1]",
        ),
        (
            Attributions(np.array([[1.0, np.inf], [np.nan, 0.0]]), np.zeros(2)),
            "attributions.values holds a value that is not finite at [0, 1]",
        ),
        (Attributions(np.zeros((2, 2)), np.array([0.0, -np.inf])), "attributions.base holds a value that is not finite at [1]"),
        (
            Importance(np.array([[1.0, -1.5e100]]), "loss_change"),
            "importance.values holds values up to 1.5e+100, expected at most 1e+100",
        ),
        (Attributions(np.zeros((3, 2)), np.zeros(3)), "attributions.values has shape (3, 2), expected (2, 2)"),
        (Attributions(np.zeros((2, 2)), np.zeros(1)), "attributions.base has shape (1,), expected (2,)"),
        (Attributions(np.zeros((2, 2, 1)), np.zeros(2)), "attributions.values has shape (2, 2, 1), expected (2, 2)"),
        (
            local([[1.0, 2.0]] * 2, answers=np.zeros((2, 4))),
            "local_models.answers has shape (2, 4), expected (2, 3)",  # as many samples as in the design
        ),
        (Importance(np.zeros((1, 2)), "loss"), "importance.of is 'loss', expected prediction_change or loss_change"),  # type: ignore[arg-type]
        (
            local([[1.0, 2.0]] * 2, weights=np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])),
            "local_models.weights must not be negative, nor all zero for a row",
        ),
        (
            local([[1.0, 2.0]] * 2, weights=np.array([[1.0, 1.0, 1.0], [2.0, 2.0, -1e-300]])),
            "local_models.weights must not be negative, nor all zero for a row",
        ),
        (replace(DEEP, categories=(None,) * 4), "tree: not every field has 5 nodes"),
        (replace(DEEP, value=np.zeros((5, 2))), "tree.value has shape (5, 2), expected (5, 1)"),
        (changed("feature", 1, 2), "tree: node 1 splits on column 2 of 2"),
        (changed("feature", 1, -1), "tree: node 1 splits on column -1 of 2"),
        (changed("left", 1, 0), "tree: child 0 of node 1 is out of range or has two parents"),
        (changed("left", 1, 1), "tree: child 1 of node 1 is out of range or has two parents"),
        (changed("right", 1, 5), "tree: child 5 of node 1 is out of range or has two parents"),
        (changed("right", 1, 3), "tree: child 3 of node 1 is out of range or has two parents"),
        (changed("right", 1, 2), "tree: child 2 of node 1 is out of range or has two parents"),
        # nobody's child, and its own
        (
            replace(DEEP, left=np.array([3, 1, -1, -1, -1]), right=np.array([4, 2, -1, -1, -1])),
            "tree: child 1 of node 1 is out of range or has two parents",
        ),
        (changed("left", 1, -1), "tree: 2 nodes cannot be reached"),
    ],
)
def test_every_breach_is_told_in_its_words(explanation: Explanation, problem: str) -> None:
    assert contract_problem(explanation, rows=2, names=2, outputs=1) == problem


@pytest.mark.parametrize(
    "explanation",
    [
        DEEP,
        SPLIT,
        changed("feature", 1, 0),
        Importance(np.array([[1e100, -1e100]]), "prediction_change"),
        Attributions(np.zeros((2, 2)), np.zeros(2)),
        # a column of weights may be zero as long as no row is
        local([[1.0, 2.0]] * 2, weights=np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 1e-300]])),
    ],
)
def test_what_keeps_the_contract_has_no_problem(explanation: Explanation) -> None:
    assert contract_problem(explanation, rows=2, names=2, outputs=1) is None


def test_an_explanation_of_no_row_keeps_the_contract() -> None:
    assert contract_problem(Attributions(np.zeros((0, 2)), np.zeros(0)), rows=0, names=2, outputs=1) is None
    nothing = {"design": np.zeros((0, 3, 2)), "answers": np.zeros((0, 3)), "weights": np.zeros((0, 3))}
    models = replace(local([[1.0, 2.0]], **nothing), coef=np.zeros((0, 2)), intercept=np.zeros(0))
    assert contract_problem(models, rows=0, names=2, outputs=1) is None
