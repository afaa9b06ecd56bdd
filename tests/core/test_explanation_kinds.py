"""The catalogue of explanations: complete, and each kind's contract, sizes of columns and comparison under another order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pytest

from qaudit.core.catalogue.complete import by_name
from qaudit.core.catalogue.explanations import EXPLANATION_KINDS, PRIMARY_DISTANCES, contributions, kind_of
from qaudit.core.explanation import EXPLANATION_NAMES, Attributions, Explanation, Importance, LocalModels, TreeModel
from qaudit.core.explanation_contract import contract_problem
from qaudit.core.table import Table

NAMES = ("a", "b", "c")
TURN = np.array([2, 0, 1])  # column j of one order is column TURN[j] of the other
TABLE = Table({"a": np.array([1.0, 5.0, 1.0, 5.0]), "b": np.array([0.0, 0.0, 9.0, 9.0]), "c": np.zeros(4)})
IMPORTANCE = Importance(np.array([[3.0, -1.0, 0.0], [5.0, -1.0, 0.0]]), "loss_change")
ATTRIBUTIONS = Attributions(np.array([[1.0, -2.0, 0.0], [3.0, 0.0, 0.0]]), np.zeros(2))
LOCAL = LocalModels(
    coef=np.array([[2.0, -4.0, 0.0], [2.0, 0.0, 0.0]]),
    intercept=np.zeros(2),
    design=np.array([[[1.0, 0.0, 2.0], [3.0, 1.0, 2.0]]] * 2),
    answers=np.zeros((2, 2)),
    weights=np.ones((2, 2)),
)
TREE = TreeModel(
    feature=np.array([1, 0, -1, -1, -1], dtype=np.int32),
    threshold=np.array([4.0, 3.0, 0.0, 0.0, 0.0]),
    categories=(None,) * 5,
    left=np.array([1, 3, -1, -1, -1], dtype=np.int32),
    right=np.array([2, 4, -1, -1, -1], dtype=np.int32),
    missing_left=np.zeros(5, dtype=bool),
    value=np.array([[0.5, 0.5], [0.4, 0.6], [1.0, 0.0], [0.2, 0.8], [0.6, 0.4]]),
)
ALL: tuple[Explanation, ...] = (IMPORTANCE, LOCAL, ATTRIBUTIONS, TREE)


def turned(explanation: Any) -> Any:
    """The same explanation with its columns in the order of TURN."""
    back = np.argsort(TURN)
    if isinstance(explanation, TreeModel):
        feature = np.where(explanation.feature < 0, -1, TURN[explanation.feature]).astype(np.int32)
        return replace(explanation, feature=feature)
    if isinstance(explanation, LocalModels):
        return replace(explanation, coef=explanation.coef[:, back], design=explanation.design[:, :, back])
    return replace(explanation, values=explanation.values[:, back])


def test_every_kind_has_a_record_under_its_name() -> None:
    assert tuple(EXPLANATION_KINDS) == EXPLANATION_NAMES
    assert [kind_of(each).name for each in ALL] == list(EXPLANATION_NAMES)
    assert all(isinstance(each, kind_of(each).record) for each in ALL)


@dataclass(frozen=True)
class Listed:
    name: str
    record: type[Any]


@pytest.mark.parametrize(
    "kinds",
    [
        [Listed("one", int)],
        [Listed("one", int), Listed("other", float)],
        [Listed("one", int), Listed("one", str)],
        [Listed("one", int), Listed("two", str), Listed("two", str)],
    ],
    ids=["one is missing", "a stranger", "one name twice", "one kind twice"],
)
def test_an_incomplete_catalogue_cannot_be_imported(kinds: list[Listed]) -> None:
    with pytest.raises(TypeError, match="the catalogue lists one: int"):
        by_name(kinds, int | str, Literal["one", "two"])
    assert list(by_name([Listed("two", str), Listed("one", int)], int | str, Literal["one", "two"])) == ["two", "one"]


@pytest.mark.parametrize("explanation", ALL, ids=EXPLANATION_NAMES)
def test_another_order_of_columns_is_no_other_explanation(explanation: Any) -> None:
    kind = kind_of(explanation)
    assert kind.same(explanation, turned(explanation), TURN, TABLE)
    assert not kind.same(explanation, turned(explanation), np.arange(3), TABLE)
    assert not kind.same(explanation, explanation, TURN, TABLE)


def test_columns_that_matter_have_a_size() -> None:
    sizes = {kind_of(each).name: kind_of(each).column_sizes(each, 3).tolist() for each in ALL}
    assert sizes == {
        "importance": [4.0, 1.0, 0.0],
        "local_models": [2.0, 1.0, 0.0],  # |coef| x standard deviation of the design, over the rows
        "attributions": [2.0, 1.0, 0.0],
        "tree": [1.0, 6.0, 0.0],  # the root's column counts as many as there are nodes
    }


def test_a_tree_whose_leaves_agree_uses_no_column() -> None:
    flat = replace(TREE, value=np.tile([0.3, 0.7], (5, 1)) + np.array([[1e-10], [0], [0], [0], [0]]))
    assert kind_of(flat).column_sizes(flat, 3).tolist() == [0.0, 0.0, 0.0]
    alone = replace(
        TREE, **{name: getattr(TREE, name)[2:3] for name in ("feature", "threshold", "left", "right", "missing_left", "value")}
    )
    assert kind_of(alone).column_sizes(alone, 3).tolist() == [0.0, 0.0, 0.0]


def test_contributions_belong_to_explanations_of_single_rows() -> None:
    design = np.full((2, 3), 0.5)
    assert [contributions(each, design) is None for each in ALL] == [True, False, False, True]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (replace(IMPORTANCE, values=np.zeros((0, 3))), "importance.values has shape (0, 3), expected (repeats, 3)"),
        (replace(IMPORTANCE, values=np.zeros(3)), "importance.values has shape (3,), expected (repeats, 3)"),
        (
            replace(IMPORTANCE, values=np.full((1, 3), -2e100)),
            "values up to 2e+100, expected at most 1e+100",
        ),
        (
            replace(LOCAL, design=np.zeros((2, 0, 3)), answers=np.zeros((2, 0)), weights=np.zeros((2, 0))),
            "local_models.design has shape (2, 0, 3), expected (2, samples, 3)",
        ),
        (replace(LOCAL, weights=np.array([[1.0, 0.0], [1.0, -0.5]])), "local_models.weights must not be negative"),
        (replace(TREE, threshold=np.zeros(4)), "tree.threshold has shape (4,), expected (5,)"),
        (replace(TREE, right=np.array([2, 3, -1, -1, -1])), "tree: child 3 of node 1 is out of range or has two parents"),
        (replace(TREE, left=np.array([1, 5, -1, -1, -1])), "tree: child 5 of node 1 is out of range or has two parents"),
    ],
)
def test_a_breach_of_the_contract_is_one_line(changed: Explanation, says: str) -> None:
    assert says in (contract_problem(changed, rows=2, names=3, outputs=2) or "nothing")


def test_these_keep_the_contract() -> None:
    assert [contract_problem(each, rows=2, names=3, outputs=2) for each in ALL] == [None] * 4
    assert contract_problem(replace(IMPORTANCE, values=np.full((1, 3), 1e100)), rows=2, names=3, outputs=2) is None


def test_a_distance_is_either_the_first_of_its_kind_or_never() -> None:
    assert {"size", "direction", "decision", "value"} == PRIMARY_DISTANCES
    others = {distance.name for kind in EXPLANATION_KINDS.values() for distance in kind.distances} - PRIMARY_DISTANCES
    assert others == {"rank", "length"}
    for kind in EXPLANATION_KINDS.values():
        for task in ("classification", "regression"):
            taken = [distance.name for distance in kind.distances if distance.task in ("any", task)]
            assert [name in PRIMARY_DISTANCES for name in taken] == [True] + [False] * (len(taken) - 1)
