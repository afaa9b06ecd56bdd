"""Surrogate trees of one leaf, with missing text, without variance, and broken ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qaudit.core.explanation import TreeModel
from qaudit.core.measures import surrogate

LEAF = -1


def tree(left: list[int], right: list[int], **given: Any) -> TreeModel:
    """A tree on the column 0 at 0.5; leaves say their own number."""
    n = len(left)
    parts = {
        "feature": np.where(np.array(left) < 0, -1, 0).astype(np.int32),
        "threshold": np.full(n, 0.5),
        "categories": (None,) * n,
        "missing_left": np.zeros(n, bool),
        "value": np.arange(float(n))[:, None],
    }
    return TreeModel(left=np.array(left, np.int32), right=np.array(right, np.int32), **(parts | given))


STUMP = tree([1, LEAF, LEAF], [2, LEAF, LEAF])
SINGLE = tree([LEAF], [LEAF], value=np.array([[2.0, 3.0]]))


def test_a_tree_of_one_leaf() -> None:
    assert surrogate.size(SINGLE) == {"depth": 0, "leaves": 1, "added_parameters": 2}
    assert surrogate.depths(SINGLE).tolist() == [0]
    assert surrogate.rules(SINGLE, ("x",), ["yes"]) == ["always: yes"]
    assert surrogate.apply_tree(SINGLE, {"x": np.array([1.0, 2.0])}, ("x",)).tolist() == [0, 0]
    assert surrogate.split_overlap(SINGLE, SINGLE) == 1.0
    assert surrogate.split_overlap(SINGLE, STUMP) == 0.0


def test_leaves_are_whole_numbers_and_no_rows_reach_none() -> None:
    columns = {"x": np.array([0.5, np.nextafter(0.5, 1)])}
    leaf = surrogate.apply_tree(STUMP, columns, ("x",))
    assert leaf.tolist() == [1, 2]
    assert leaf.dtype == np.int64
    assert [rows.tolist() for rows in surrogate.paths(STUMP, columns, ("x",))] == [[0, 1], [0], [1]]
    assert [rows.dtype for rows in surrogate.paths(STUMP, columns, ("x",))] == [np.dtype(np.int64)] * 3


@pytest.mark.parametrize("missing_left", [False, True])
def test_missing_numbers_and_texts_go_where_the_node_says(missing_left: bool) -> None:
    sides = np.array([missing_left, False, False])
    number = tree([1, LEAF, LEAF], [2, LEAF, LEAF], missing_left=sides)
    assert surrogate.goes_left(number, 0, np.array([np.nan, 0.0, 1.0])).tolist() == [missing_left, True, False]
    text = tree([1, LEAF, LEAF], [2, LEAF, LEAF], missing_left=sides, categories=(("a",), None, None))
    assert surrogate.goes_left(text, 0, np.array([None, "a", "b"], dtype=object)).tolist() == [missing_left, True, False]


def test_conditions_as_text() -> None:
    sides = np.array([True, False, False])
    number = tree([1, LEAF, LEAF], [2, LEAF, LEAF], missing_left=sides, threshold=np.array([1 / 3, 0, 0]))
    assert surrogate.condition(number, 0, "x", True, has_missing=True) == "x <= 0.333333 or missing"
    assert surrogate.condition(number, 0, "x", False, has_missing=True) == "x > 0.333333"
    assert surrogate.condition(number, 0, "x", True, has_missing=False) == "x <= 0.333333"
    text = tree([1, LEAF, LEAF], [2, LEAF, LEAF], categories=(("a", "b"), None, None))
    assert surrogate.condition(text, 0, "t", True, has_missing=True) == "t in {a, b}"
    assert surrogate.condition(text, 0, "t", False, has_missing=True) == "t not in {a, b} or missing"
    assert surrogate.rules(text, ("t",), ["", "no", "yes"]) == ["t in {a, b}: no", "t not in {a, b}: yes"]


def test_size_counts_categories_and_values() -> None:
    text = tree([1, LEAF, LEAF], [2, LEAF, LEAF], categories=(("a", "b", "c"), None, None), value=np.zeros((3, 4)))
    assert surrogate.size(text) == {"depth": 1, "leaves": 2, "added_parameters": 1 + 3 + 2 * 4}
    assert surrogate.size(STUMP) == {"depth": 1, "leaves": 2, "added_parameters": 2 + 2}
    deep = tree([1, 3, LEAF, LEAF, LEAF], [2, 4, LEAF, LEAF, LEAF])
    assert surrogate.depths(deep).tolist() == [0, 1, 1, 2, 2]


def test_answers_are_the_class_of_the_largest_share_or_the_mean() -> None:
    shares = tree([1, LEAF, LEAF], [2, LEAF, LEAF], value=np.array([[0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]]))
    assert surrogate.tree_answers(shares, np.array([1, 2, 1]), regression=False).tolist() == [2, 0, 2]
    assert surrogate.tree_answers(shares, np.array([1, 2, 1]), regression=True).tolist() == [0.2, 0.4, 0.2]


def test_agreement_of_one_row_and_of_small_variance() -> None:
    assert surrogate.agreement(np.array([1]), np.array([1]), False) == 1.0
    assert surrogate.agreement(np.array([0]), np.array([1]), False) == 0.0
    assert surrogate.agreement(np.array([]), np.array([]), True) is None
    assert surrogate.agreement(np.array([3.0]), np.array([3.0]), True) is None
    said, model = np.array([0.0, 0.5]), np.array([0.25, 0.5])
    assert surrogate.agreement(said, model, True) == pytest.approx(1 - 0.0625 / 0.03125)
    both = surrogate.agreement(np.array([0.0, 1.0]), np.array([0.25, 0.5]), True)
    assert both == pytest.approx(1 - (0.0625 + 0.25) / 0.03125)
    assert surrogate.agreement(np.array([0.0, 2**0.5]), np.array([0.0, 2**0.5]), True) == 1.0  # the total is 1


@pytest.mark.parametrize(
    ("left", "right", "says"),
    [
        ([0, LEAF, LEAF], [2, LEAF, LEAF], "node 0 has no valid child 0"),
        ([3, LEAF, LEAF], [2, LEAF, LEAF], "node 0 has no valid child 3"),
        ([1, LEAF, LEAF], [3, LEAF, LEAF], "node 0 has no valid child 3"),
        ([1, LEAF, LEAF], [1, LEAF, LEAF], "node 0 has no valid child 1"),
        ([1, LEAF, LEAF, LEAF], [2, LEAF, LEAF, LEAF], "node 3 cannot be reached"),
        ([2, 3, LEAF, LEAF, LEAF], [5, 4, LEAF, LEAF, LEAF], "node 0 has no valid child 5"),
        ([2, 3, LEAF, LEAF, LEAF, LEAF], [5, 4, LEAF, LEAF, LEAF, LEAF], "node 1 has no valid child 3"),
        ([1, 2, LEAF, LEAF], [2, 3, LEAF, LEAF], "node 1 has no valid child 2"),
    ],
)
def test_broken_trees_are_named(left: list[int], right: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=f"surrogate tree: {says}"):
        surrogate.depths(tree(left, right))


def test_overlap_is_of_the_columns_that_are_split_on() -> None:
    def split_on(*features: int) -> TreeModel:
        n = len(features)
        left, right = [*range(1, 2 * n, 2), *[LEAF] * (n + 1)], [*range(2, 2 * n + 1, 2), *[LEAF] * (n + 1)]
        return tree(left, right, feature=np.array([*features, *[0] * (n + 1)], np.int32))

    assert surrogate.split_overlap(split_on(1, 2), split_on(2, 3)) == pytest.approx(1 / 3)
    assert surrogate.split_overlap(split_on(1), split_on(1)) == 1.0
    assert surrogate.split_overlap(split_on(1), split_on(2)) == 0.0


def test_the_base_rate_is_the_share_of_the_commonest_class() -> None:
    assert surrogate.base_rate(np.array([0, 3, 3, 3])) == 0.75
    assert surrogate.base_rate(np.array([1.0, 1.0])) == 1.0
