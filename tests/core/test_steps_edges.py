"""Steps and their catalogue: order of parameters, single leaves, and lists that are not complete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pytest

from qaudit.core.catalogue.complete import by_name
from qaudit.core.program import Program
from qaudit.core.steps import Dense, Trees


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


TREES = Trees(
    left=whole(1, 3, -1, -1, -1),
    right=whole(2, 4, -1, -1, -1),
    feature=whole(2, 0, -2, -2, -2),
    threshold=np.array([0.5, 1.5, 0.0, 0.0, 0.0]),
    value=np.zeros((5, 1)),
    roots=whole(0),
    base=np.zeros(1),
    missing_left=np.zeros(5, dtype=bool),
)
FOREST = Program(("a", "b", "c"), (TREES,), "identity", "regression")


def test_parameters_are_in_the_order_of_columns_and_outputs() -> None:
    assert list(FOREST.parameters()) == ["threshold[a]", "threshold[c]", "leaf[0]"]


def test_a_single_leaf_of_three_outputs() -> None:
    leaf = Trees(
        whole(-1), whole(-1), whole(-2), np.zeros(1), np.array([[1.0, 2.0, 3.0]]), whole(0), np.zeros(3), np.zeros(1, bool)
    )
    program = Program(("x",), (leaf,), "softmax", "multiclass", ("p", "q", "r"))
    assert program.problems() == []
    changed = program.with_parameters({"leaf[2]": np.array([9.0])}).steps[0]
    assert isinstance(changed, Trees)
    assert changed.value.tolist() == [[1.0, 2.0, 9.0]]


def test_one_number_that_is_not_finite_is_enough() -> None:
    step = Dense(np.array([[1.0, np.inf]]), np.zeros(1))
    assert Program(("a", "b"), (step,), "identity", "regression").problems() == ["step 0: weights: not finite"]
    two = replace(TREES, base=np.zeros(2), roots=whole(0, 0), column=whole(-1, 0))
    problems = Program(("a", "b", "c"), (two,), "identity", "binary", ("p", "q")).problems()
    assert problems == ["step 0: column: expected 0 to 1"]


def test_unknown_parameters_are_named() -> None:
    with pytest.raises(KeyError, match="no parameter 'leaf\\[1\\]'"):
        FOREST.with_parameters({"leaf[1]": np.zeros(3)})


@dataclass(frozen=True)
class Sort:
    name: str
    record: type


@pytest.mark.parametrize(
    ("kinds", "complete"),
    [
        ((Sort("a", int), Sort("b", str)), True),
        ((Sort("b", str), Sort("a", int)), True),
        ((Sort("a", int),), False),
        ((Sort("a", int), Sort("b", int)), False),
        ((Sort("a", int), Sort("c", str)), False),
        ((Sort("a", int), Sort("a", str)), False),
        ((Sort("a", int), Sort("b", str), Sort("b", str)), False),
        ((Sort("a", int), Sort("b", str), Sort("c", float)), False),
    ],
)
def test_a_catalogue_is_complete_or_refused(kinds: tuple[Sort, ...], complete: bool) -> None:
    if complete:
        assert by_name(kinds, int | str, Literal["a", "b"]) == {kind.name: kind for kind in kinds}
        return
    with pytest.raises(TypeError, match=r"^the catalogue lists a: int.*; the union is int \| str, the names are \('a', 'b'\)$"):
        by_name(kinds, int | str, Literal["a", "b"])
