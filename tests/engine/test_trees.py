"""Tree ensembles: equal to scikit-learn bit for bit, and to a walk node by node."""

from __future__ import annotations

from typing import Any

import lowered
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from qaudit.core.program import Program
from qaudit.core.steps import Trees
from qaudit.engine import sweep, trees


def classes(k: int, missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(700, 9, n_informative=6, n_classes=k, random_state=k)
    if missing:
        X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    return X, y


NUMBERS = make_regression(700, 8, noise=3.0, random_state=1)

FORESTS: list[Any] = [
    (DecisionTreeClassifier(random_state=0), classes(2)),
    (DecisionTreeClassifier(max_depth=4, random_state=0), classes(3, missing=True)),
    (RandomForestClassifier(30, random_state=0, n_jobs=1), classes(2)),
    (RandomForestClassifier(30, random_state=0, n_jobs=1), classes(4, missing=True)),
    (ExtraTreesClassifier(30, random_state=0, n_jobs=1), classes(3)),
    (ExtraTreesClassifier(7, random_state=0, n_jobs=1), classes(2, missing=True)),
    (DecisionTreeRegressor(random_state=0), NUMBERS),
    (RandomForestRegressor(23, random_state=0, n_jobs=1), NUMBERS),
    (ExtraTreesRegressor(23, random_state=0, n_jobs=1), NUMBERS),
]


@pytest.mark.parametrize(("model", "data"), FORESTS, ids=[f"{type(m).__name__}-{i}" for i, (m, _) in enumerate(FORESTS)])
def test_forests_equal_sklearn_bit_for_bit(model: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model.fit(X[:500], y[:500])
    estimators = list(getattr(model, "estimators_", [model]))
    program = lowered.forest(model, estimators)
    native = model.predict_proba(X) if program.classes else model.predict(X)[:, np.newaxis]
    assert np.array_equal(sweep.predict(program, X), native)
    step = program.steps[0]
    assert isinstance(step, Trees)
    applied = np.stack([estimator.apply(X.astype(np.float32)) for estimator in estimators], axis=1)
    leaves = trees.leaf_indices(program, X)
    assert leaves.dtype == np.int32
    assert np.array_equal(leaves - step.roots, applied)
    assert [lowered.walk_slowly(step, row) for row in X[:60]] == leaves[:60].tolist()


BOOSTED: list[Any] = [
    (GradientBoostingClassifier(n_estimators=25, random_state=0), classes(2)),
    (GradientBoostingClassifier(n_estimators=25, loss="exponential", random_state=0), classes(2)),
    (GradientBoostingClassifier(n_estimators=15, random_state=0), classes(4)),
    (GradientBoostingRegressor(n_estimators=25, learning_rate=0.07, random_state=0), NUMBERS),
]


@pytest.mark.parametrize(("model", "data"), BOOSTED, ids=["binary", "exponential", "multiclass", "regression"])
def test_gradient_boosting_equals_sklearn_bit_for_bit(model: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model.fit(X[:500], y[:500])
    program = lowered.boosting(model, X)
    scores = trees.raw(program, X)
    native = np.reshape(model.decision_function(X) if program.classes else model.predict(X), scores.shape)
    assert np.array_equal(scores, native)
    predicted = sweep.predict(program, X)
    if program.classes:
        assert np.abs(predicted - model.predict_proba(X)).max() <= 4 * np.finfo(float).eps
    else:
        assert np.array_equal(predicted, native)


def random_trees(seed: int, width: int, count: int) -> Trees:
    """Random trees, as lopsided as they come, with thresholds on a coarse grid."""
    rng = np.random.default_rng(seed)
    left, right, feature, roots = [], [], [], []
    for _ in range(count):
        roots.append(len(left))
        open_nodes = [len(left)]
        left.append(-1), right.append(-1), feature.append(-2)
        for _ in range(int(rng.integers(0, 25))):
            node = open_nodes.pop(int(rng.integers(len(open_nodes))))
            left[node], right[node], feature[node] = len(left), len(left) + 1, int(rng.integers(width))
            open_nodes += [len(left), len(left) + 1]
            for _ in range(2):
                left.append(-1), right.append(-1), feature.append(-2)
    size = len(left)
    return Trees(
        np.array(left, dtype=np.int32),
        np.array(right, dtype=np.int32),
        np.array(feature, dtype=np.int32),
        rng.integers(-4, 4, size) / 2,
        rng.normal(size=(size, 2)),
        np.array(roots, dtype=np.int32),
        rng.normal(size=2),
        rng.random(size) < 0.5,
        "mean" if seed % 2 else "sum",
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6), st.integers(0, 30))
def test_any_trees_equal_the_walk_node_by_node(seed: int, width: int, count: int, n: int) -> None:
    step = random_trees(seed, width, count)
    rng = np.random.default_rng(seed + 1)
    rows = rng.integers(-5, 5, (n, width)) / 2
    rows[rng.random(rows.shape) < 0.2] = np.nan
    program = Program(lowered.names(width), (step,), "identity", "regression")
    slow = [lowered.walk_slowly(step, row) for row in rows]
    assert trees.leaf_indices(program, rows).tolist() == slow
    expected = []
    for leaves in slow:
        total = step.base.copy()
        for leaf in leaves:
            total = total + step.value[leaf]
        expected.append(total / count if step.aggregate == "mean" else total)
    assert trees.raw(program, rows).tolist() == [row.tolist() for row in expected]


def test_an_input_is_rounded_to_float32_before_it_is_compared() -> None:
    step = Trees(
        left=np.array([1, -1, -1], dtype=np.int32),
        right=np.array([2, -1, -1], dtype=np.int32),
        feature=np.array([0, -2, -2], dtype=np.int32),
        threshold=np.array([0.1, 0.0, 0.0]),
        value=np.array([[0.0], [1.0], [2.0]]),
        roots=np.array([0], dtype=np.int32),
        base=np.zeros(1),
        missing_left=np.array([True, False, False]),
    )
    program = Program(("x",), (step,), "identity", "regression")
    # float32(0.1) is above 0.1, so 0.1 goes right; missing goes left
    assert trees.raw(program, np.array([[0.1], [0.0999], [np.nan]])).ravel().tolist() == [2.0, 1.0, 1.0]


def test_a_program_without_trees_has_no_leaves() -> None:
    with pytest.raises(ValueError, match="does not begin with trees"):
        trees.leaf_indices(Program((), (), "identity", "regression"), np.ones((1, 1)))
