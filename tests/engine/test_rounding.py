"""The bound of a proof: it covers evaluations in another order, and leaves nothing to steps that are exact."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qaudit.core.program import Program
from qaudit.core.steps import Dense
from qaudit.engine import sweep
from qaudit.engine.rounding import ULPS, prediction_bound
from qaudit.testing.checks.toy_subjects import tree


@pytest.mark.parametrize("link", ["softmax", "ovr", "margin"])
def test_the_dense_bound_covers_another_order_of_summation(link):
    rng = np.random.default_rng(1)
    layers = (
        Dense(rng.normal(size=(8, 40)) * 100, rng.normal(size=8), "tanh"),
        Dense(rng.normal(size=(3, 8)), rng.normal(size=3)),
    )
    program = Program(tuple(f"x{i}" for i in range(40)), layers, link, "multiclass", ("a", "b", "c"))
    encoded = rng.normal(size=(200, 40))
    order = rng.permutation(40)
    turned = dataclasses.replace(program, steps=(dataclasses.replace(layers[0], weight=layers[0].weight[:, order]), layers[1]))
    apart = np.abs(sweep.predict(program, encoded) - sweep.predict(turned, encoded[:, order])).max(axis=1)
    bound = prediction_bound(program, encoded)
    assert apart.max() > 0
    assert (apart <= bound).all()
    assert bound.max() < 1e-9


def test_an_ensemble_may_differ_in_the_link_alone():
    program = tree(np.array([1.0, 2.0]))
    encoded = np.array([[-9.0], [9.0]])
    assert prediction_bound(program, encoded).tolist() == [0.0, 0.0]
    decides = dataclasses.replace(program, link="logistic", output="binary", classes=("no", "yes"))
    assert prediction_bound(decides, encoded).tolist() == [ULPS, ULPS]


def test_a_layer_behind_trees_rounds_the_leaf_values_that_reach_it():
    program = tree(np.array([0.0, 1e6]))
    behind = dataclasses.replace(program, steps=(*program.steps, Dense(np.array([[3.0]]), np.array([0.0]))))
    reached = sweep.predict(program, encoded := np.array([[-9.0], [9.0]]))[:, 0]
    bound = prediction_bound(behind, encoded)
    assert (bound > 0).tolist() == (reached > 0).tolist()
    assert 2**-53 * 3e6 < bound.max() < 1e-8
