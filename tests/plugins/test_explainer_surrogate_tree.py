"""The surrogate tree: information gain by hand, splits against brute force, exact trees recovered."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qaudit_explainers import surrogate_tree as plugin

from qaudit import Context
from qaudit.core.measures.surrogate import apply_tree, size, tree_answers

WEATHER = """sunny hot high weak no|sunny hot high strong no|overcast hot high weak yes|rain mild high weak yes
rain cool normal weak yes|rain cool normal strong no|overcast cool normal strong yes|sunny mild high weak no
sunny cool normal weak yes|rain mild normal weak yes|sunny mild normal strong yes|overcast mild high strong yes
overcast hot normal weak yes|rain mild high strong no"""
ROWS = [line.split() for line in WEATHER.replace("\n", "|").split("|")]


def entropy(labels):
    counts = Counter(labels).values()
    return -sum(c / len(labels) * math.log2(c / len(labels)) for c in counts)


@pytest.mark.parametrize(("column", "expected"), [(0, 0.247), (1, 0.029), (2, 0.152), (3, 0.048)])
def test_quinlans_gains_follow_from_the_entropy_of_the_plugin(column, expected):
    labels = np.array([int(row[4] == "yes") for row in ROWS])
    onehot = np.eye(2)[labels]
    before = plugin.impurity(onehot.sum(axis=0)[None], np.array([14.0]), False)[0]
    after = 0.0
    for value in sorted({row[column] for row in ROWS}):
        here = onehot[[row[column] == value for row in ROWS]]
        after += len(here) / 14 * plugin.impurity(here.sum(axis=0)[None], np.array([float(len(here))]), False)[0]
    assert before == pytest.approx(entropy(labels.tolist()), abs=1e-15)
    assert before - after == pytest.approx(expected, abs=5e-4)


def gain(labels, left):
    sides = [[y for y, go in zip(labels, left, strict=True) if go is side] for side in (True, False)]
    return entropy(labels) - sum(len(side) / len(labels) * entropy(side) for side in sides if side)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.5, float("nan")]), st.booleans()), min_size=2, max_size=14))
def test_the_best_threshold_is_the_brute_force_one(rows):
    x, y = np.array([value for value, _ in rows]), [int(label) for _, label in rows]
    target = plugin.moments(np.array(y), False, 2)
    found = plugin.split_number(0, x, target, np.append(target.sum(axis=0), len(y)), False, 1)
    best = 0.0
    for threshold, missing in itertools.product((0.5, 1.75, 99.0), (True, False)):
        left = [missing if value != value else bool(value <= threshold) for value in x]
        if 0 < sum(left) < len(left):
            best = max(best, gain(y, left))
    assert (found.gain if found and found.gain > 0 else 0.0) == pytest.approx(best, abs=1e-12)
    if found and found.gain > 0:
        assert gain(y, [bool(go) for go in found.left]) == pytest.approx(found.gain, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.booleans()), min_size=2, max_size=14))
def test_the_best_category_set_is_the_brute_force_one(rows):
    x, y = np.array([value for value, _ in rows], dtype=object), [int(label) for _, label in rows]
    target = plugin.moments(np.array(y), False, 2)
    found = plugin.split_text(0, x, target, np.append(target.sum(axis=0), len(y)), False, 1)
    values = list(dict.fromkeys(x))
    best = 0.0
    for count in range(1, len(values)):
        for chosen in itertools.combinations(values, count):
            best = max(best, gain(y, [value in chosen for value in x]))
    assert (found.gain if found else 0.0) == pytest.approx(best, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=20))
def test_gain_is_never_negative_and_a_pure_node_gains_nothing(rows):
    x, y = np.array([float(value) for value, _ in rows]), np.array([label for _, label in rows])
    target = plugin.moments(y, False, 3)
    found = plugin.split_number(0, x, target, np.append(target.sum(axis=0), len(y)), False, 1)
    if found:
        assert found.gain >= -1e-12
    pure = plugin.moments(np.zeros(len(y), dtype=int), False, 3)
    assert plugin.best_split([x], pure, [0], False, 1) is None


def context(predict, background, *, seed=1, classes=("no", "yes"), regression=False):
    names = tuple(background)
    return Context(
        predict=predict,
        decide=(lambda p: None) if regression else (lambda p: (p[:, 1] >= 0.5).astype(np.int64)),
        output=np.zeros(3, dtype=int),
        rows={name: values[:3] for name, values in background.items()},
        background=background,
        names=names,
        classes=() if regression else classes,
        seed=seed,
        budget=10**6,
    )


def background(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "a": rng.integers(0, 6, rows).astype(float),
        "b": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(0, 4, rows)),
        "t": np.array(rng.choice(["u", "v", "w", None], rows), dtype=object),
    }


def is_a_tree(columns):
    first = columns["a"] <= 2
    second = np.array([value in ("u", "v", None) for value in columns["t"]])
    third = np.isnan(columns["b"]) | (columns["b"] < 0)
    yes = np.where(first, second, third).astype(float)
    return np.stack([1 - yes, yes], axis=1)


KNOWN = {"max_depth": 2, "max_leaves": 8, "min_rows": 1, "queries_drawn": 1500}


def test_a_model_that_is_a_tree_of_that_depth_is_recovered_on_unseen_rows():
    found = plugin.explain(context(is_a_tree, background()), **KNOWN)
    unseen = background(500, seed=9)
    said = tree_answers(found, apply_tree(found, unseen, tuple(unseen)), False)
    assert (said == is_a_tree(unseen)[:, 1]).all()
    assert size(found)["depth"] == 2


def test_regression_splits_by_variance_and_recovers_a_step_function():
    def steps(columns):
        return (columns["a"] <= 2).astype(float)[:, None] * 3.0 - 1.0

    found = plugin.explain(context(steps, background(), regression=True), **KNOWN)
    assert size(found) == {"depth": 1, "leaves": 2, "added_parameters": 4}
    assert sorted(found.value[1:, 0].tolist()) == pytest.approx([-1.0, 2.0])
    assert found.threshold[0] == 2.5


def noisy(columns):
    lost = np.nan_to_num(columns["b"], nan=1.0)
    score = np.sin(columns["a"] * 2.1 + lost) + np.array([{"u": 0.3}.get(value, -0.2) for value in columns["t"]])
    yes = 1 / (1 + np.exp(-score))
    return np.stack([1 - yes, yes], axis=1)


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("feature", "threshold", "left", "value"))


def test_growth_stops_at_leaves_depth_and_rows_and_is_reproducible():
    chosen = {"max_depth": 4, "max_leaves": 7, "min_rows": 25, "queries_drawn": 400}
    found = plugin.explain(context(noisy, background()), **chosen)
    grown = size(found)
    assert grown["leaves"] <= 7
    assert grown["depth"] <= 4
    asked = plugin.queries(context(noisy, background()), 400)
    leaf = apply_tree(found, asked, tuple(asked))
    assert min(Counter(leaf.tolist()).values()) >= 25
    assert same(found, plugin.explain(context(noisy, background()), **chosen))
    assert not same(found, plugin.explain(context(noisy, background(), seed=2), **chosen))


def test_the_order_of_columns_changes_nothing_but_their_numbers():
    chosen = {"max_depth": 3, "max_leaves": 8, "min_rows": 5, "queries_drawn": 300}
    one = plugin.explain(context(noisy, background()), **chosen)
    turned = {name: background()[name] for name in ("t", "a", "b")}
    other = plugin.explain(context(noisy, turned), **chosen)
    assert [("a", "b", "t")[j] for j in one.feature if j >= 0] == [("t", "a", "b")[j] for j in other.feature if j >= 0]
    assert np.array_equal(one.value, other.value)


def test_equal_columns_are_told_apart_by_the_seed_alone():
    rng = np.random.default_rng(3)
    x = rng.normal(size=200)
    y = (x > 0).astype(int)
    picked = {
        seed: ("p", "q")[
            plugin.grow({"p": x, "q": x.copy()}, y, classes=2, seed=seed, max_depth=1, max_leaves=2, min_rows=1).feature[0]
        ]
        for seed in range(12)
    }
    assert set(picked.values()) == {"p", "q"}


def test_no_split_is_left_whose_two_leaves_say_the_same_and_taking_them_back_changes_no_decision(monkeypatch):
    chosen = {"max_depth": 6, "max_leaves": 24, "min_rows": 5, "queries_drawn": 400}
    found = plugin.explain(context(noisy, background()), **chosen)
    label = found.value.argmax(axis=1)
    for node in np.flatnonzero(found.left >= 0):
        pair = found.left[node], found.right[node]
        assert found.left[pair[0]] >= 0 or found.left[pair[1]] >= 0 or label[pair[0]] != label[pair[1]]
    monkeypatch.setattr(plugin, "merge_equal_leaves", lambda tree, y, classes: None)
    whole = plugin.explain(context(noisy, background()), **chosen)
    assert size(whole)["leaves"] > size(found)["leaves"]
    rows = background(500, seed=4)
    said = [tree_answers(tree, apply_tree(tree, rows, tuple(rows)), False) for tree in (found, whole)]
    assert np.array_equal(*said)
