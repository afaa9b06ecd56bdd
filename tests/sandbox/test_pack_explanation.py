"""Explanations across the border: there and back, and what breaks the contract."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from qaudit.core.explanation import Attributions, Importance, LocalModels, TreeModel
from qaudit.core.explanation_contract import contract_problem
from qaudit.sandbox.pack_explanation import pack_explanation, unpack_explanation

IMPORTANCE = Importance(np.array([[0.5, 0.25]]), "loss_change")
ATTRIBUTIONS = Attributions(np.ones((3, 2)), np.zeros(3))
LOCAL = LocalModels(np.ones((3, 2)), np.zeros(3), np.ones((3, 4, 2)), np.ones((3, 4)), np.ones((3, 4)))
TREE = TreeModel(
    feature=np.array([1, -1, -1], dtype=np.int32),
    threshold=np.zeros(3),
    categories=(("a", "é"), None, None),
    left=np.array([1, -1, -1], dtype=np.int32),
    right=np.array([2, -1, -1], dtype=np.int32),
    missing_left=np.array([True, False, False]),
    value=np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]),
)


@pytest.mark.parametrize("explanation", [IMPORTANCE, ATTRIBUTIONS, LOCAL, TREE])
def test_an_explanation_comes_back_as_it_went(explanation):
    packed, arrays = pack_explanation(explanation, "run0.1")
    assert all(array.dtype.kind in "biuf" for array in arrays.values())
    back = unpack_explanation(json.loads(json.dumps(packed)), arrays, "run0.1")
    assert type(back) is type(explanation)
    for field in dataclasses.fields(explanation):
        one, other = getattr(back, field.name), getattr(explanation, field.name)
        assert np.array_equal(one, other) if isinstance(other, np.ndarray) else one == other
    assert contract_problem(back, rows=3, names=2, outputs=2) is None


@pytest.mark.parametrize(
    ("explanation", "changed", "told"),
    [
        (IMPORTANCE, {"values": np.zeros((1, 3))}, "shape (1, 3), expected (repeats, 2)"),
        (IMPORTANCE, {"values": np.array([[0.0, np.nan]])}, "not finite at [0, 1]"),
        (IMPORTANCE, {"of": "joy"}, "of is 'joy', expected prediction_change or loss_change"),
        (ATTRIBUTIONS, {"base": np.zeros(2)}, "attributions.base has shape (2,), expected (3,)"),
        (LOCAL, {"answers": np.ones((3, 5))}, "local_models.answers has shape (3, 5)"),
        (LOCAL, {"weights": np.zeros((3, 4))}, "nor all zero"),
        (TREE, {"value": np.ones((3, 4))}, "tree.value has shape (3, 4), expected (3, 2)"),
        (TREE, {"feature": np.array([2, -1, -1])}, "splits on column 2 of 2"),
        (TREE, {"left": np.array([0, -1, -1])}, "child 0 of node 0"),
        (TREE, {"right": np.array([1, -1, -1])}, "child 1 of node 0"),
        (TREE, {"left": np.array([-1, -1, -1])}, "2 nodes cannot be reached"),
        (TREE, {"categories": (None,)}, "not every field has 3 nodes"),
    ],
)
def test_what_breaks_the_contract_is_told_in_one_line(explanation, changed, told):
    wrong = dataclasses.replace(explanation, **changed)
    assert told in (contract_problem(wrong, rows=3, names=2, outputs=2) or "nothing")


def test_what_is_no_explanation_is_refused():
    with pytest.raises(ValueError, match="returned dict"):
        pack_explanation({"importance": 1}, "run0.0")
