"""Surrogate trees: applied as a row would be by hand, measured, written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.explanation import TreeModel
from qaudit.core.measures import surrogate

NAMES = ("n", "t")
TREE = TreeModel(
    feature=np.array([0, 1, -1, -1, -1], dtype=np.int32),
    threshold=np.array([1.5, 0.0, 0.0, 0.0, 0.0]),
    categories=(None, ("a", "b"), None, None, None),
    left=np.array([1, 3, -1, -1, -1], dtype=np.int32),
    right=np.array([2, 4, -1, -1, -1], dtype=np.int32),
    missing_left=np.array([True, False, False, False, False]),
    value=np.array([[0.5, 0.5], [0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]),
)


def slow_leaf(tree, row):
    node = 0
    while tree.left[node] >= 0:
        value = row[tree.feature[node]]
        if value is None or value != value:
            left = tree.missing_left[node]
        elif tree.categories[node] is not None:
            left = value in tree.categories[node]
        else:
            left = value <= tree.threshold[node]
        node = tree.left[node] if left else tree.right[node]
    return node


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.5, 1.5000000001, 3.0, float("nan")]), st.sampled_from(["a", "b", "c", None])),
        min_size=1,
        max_size=30,
    )
)
def test_applying_a_tree_is_walking_it_row_by_row(rows):
    columns = {"n": np.array([n for n, _ in rows]), "t": np.array([t for _, t in rows], dtype=object)}
    assert surrogate.apply_tree(TREE, columns, NAMES).tolist() == [slow_leaf(TREE, row) for row in rows]
    reached = surrogate.paths(TREE, columns, NAMES)
    assert len(reached[0]) == len(rows)
    assert sum(len(reached[leaf]) for leaf in (2, 3, 4)) == len(rows)


def test_size_rules_and_answers_of_a_tree():
    assert surrogate.size(TREE) == {"depth": 2, "leaves": 3, "added_parameters": 2 + 3 + 3 * 2}
    lines = surrogate.rules(TREE, NAMES, ["", "", "yes", "no", "yes"], with_missing={"n"})
    assert lines == [
        "n <= 1.5 or missing and t in {a, b}: no",
        "n <= 1.5 or missing and t not in {a, b}: yes",
        "n > 1.5: yes",
    ]
    assert surrogate.tree_answers(TREE, np.array([2, 3, 4]), regression=False).tolist() == [1, 0, 1]
    assert surrogate.tree_answers(TREE, np.array([2, 3]), regression=True).tolist() == [0.1, 0.8]


def test_agreement_is_a_share_or_r2():
    assert surrogate.agreement(np.array([0, 1, 1]), np.array([0, 1, 0]), False) == pytest.approx(2 / 3)
    assert surrogate.agreement(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]), True) == pytest.approx(0.5)
    assert surrogate.agreement(np.array([1.0, 1.0]), np.array([2.0, 2.0]), True) is None
    assert surrogate.agreement(np.array([]), np.array([]), False) is None
    assert surrogate.base_rate(np.array([2, 2, 0])) == pytest.approx(2 / 3)


def test_a_tree_that_is_no_tree_is_named():
    looped = TreeModel(
        TREE.feature, TREE.threshold, TREE.categories, np.array([1, 0, -1, -1, -1]), TREE.right, TREE.missing_left, TREE.value
    )
    with pytest.raises(ValueError, match="node 1 has no valid child 0"):
        surrogate.depths(looped)


@given(st.lists(st.tuples(st.sampled_from([0.0, 2.0]), st.sampled_from(["a", "c"]), st.integers(0, 1)), min_size=1, max_size=40))
def test_counts_by_class_and_by_leaf_are_those_of_a_loop(rows):
    columns = {"n": np.array([n for n, _, _ in rows]), "t": np.array([t for _, t, _ in rows], dtype=object)}
    model = np.array([decided for _, _, decided in rows])
    leaf = surrogate.apply_tree(TREE, columns, NAMES)
    answers = [{2: 1, 3: 0, 4: 1}[slow_leaf(TREE, row)] for row in rows]
    hits, n = surrogate.counts_by_class(surrogate.tree_answers(TREE, leaf, False), model, 2)
    order, leaf_hits, leaf_n = surrogate.counts_by_leaf(TREE, leaf, model)
    assert order == [3, 4, 2]  # from left to right, as the rules are listed
    for wanted in (0, 1):
        there = [(answer, decided) for answer, (_, _, decided) in zip(answers, rows, strict=True) if decided == wanted]
        assert (hits[wanted], n[wanted]) == (sum(answer == wanted for answer, _ in there), len(there))
    for place, node in enumerate(order):
        there = [(answer, row[2]) for answer, row in zip(answers, rows, strict=True) if slow_leaf(TREE, row) == node]
        assert (leaf_hits[place], leaf_n[place]) == (sum(answer == decided for answer, decided in there), len(there))
