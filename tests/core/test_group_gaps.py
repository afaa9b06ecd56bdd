"""Differences between groups against fairlearn and statsmodels, and classes against scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from qaudit.core.decision import Decision
from qaudit.core.inference.intervals import newcombe_paired
from qaudit.core.inference.row_keys import row_keys
from qaudit.core.measures import class_rates, group_gaps
from qaudit.core.measures.class_rates import class_changes, class_levels
from qaudit.core.measures.group_gaps import against_others, difference, difference_of_changes, largest_gap, rates_of
from qaudit.core.measures.rows import Side, side
from qaudit.core.measures.units import Units

N = 600
RNG = np.random.default_rng(4)
GROUP = RNG.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2])
MEMBERS = {name: name == GROUP for name in "abc"}
LABELS = RNG.integers(0, 60, N).astype(np.uint64)
SCORE = RNG.normal(size=N)
TRUTH = (SCORE + RNG.normal(size=N) + 0.5 * (GROUP == "a") > 0).astype(np.int64)
UNITS = Units(row_keys({"score": SCORE, "truth": TRUTH}))
BINARY = Decision("binary", 1)


def probabilities(score: np.ndarray) -> Side:
    p = 1 / (1 + np.exp(-score))
    return side(np.column_stack([1 - p, p]), BINARY)


BEFORE, AFTER = probabilities(SCORE), probabilities(SCORE + 0.3 * RNG.normal(size=N) - 0.2 * (GROUP == "b"))
RATES = {rate.name: rate for rate in rates_of(TRUTH, BEFORE, AFTER, BINARY)}


def test_levels_and_gaps_equal_fairlearn() -> None:
    fairlearn = pytest.importorskip("fairlearn.metrics")
    functions = {"positive_rate": fairlearn.selection_rate, "tpr": fairlearn.true_positive_rate,
                 "fpr": fairlearn.false_positive_rate, "accuracy": metrics.accuracy_score}  # fmt: skip
    frame = fairlearn.MetricFrame(metrics=functions, y_true=TRUTH, y_pred=AFTER.decided, sensitive_features=GROUP)
    for name in functions:
        levels = {each: RATES[name].at(member) for each, member in MEMBERS.items()}
        assert levels == pytest.approx(frame.by_group[name].to_dict(), abs=1e-10)
        gap = largest_gap(RATES[name], MEMBERS, UNITS)
        assert gap is not None
        assert gap.difference.value == pytest.approx(frame.difference(method="between_groups")[name], abs=1e-10)
        assert (gap.highest, gap.lowest) == (frame.by_group[name].idxmax(), frame.by_group[name].idxmin())


def test_each_group_against_all_others_equals_statsmodels() -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for rate in RATES.values():
        for name, estimate in against_others(rate, MEMBERS, UNITS):
            inside, others = rate.rows & MEMBERS[name], rate.rows & ~MEMBERS[name]
            counts = [int(rate.values[inside].sum()), int(inside.sum()), int(rate.values[others].sum()), int(others.sum())]
            low, high = proportion.confint_proportions_2indep(*counts, method="newcomb")
            assert estimate.interval is not None
            assert (estimate.interval.low, estimate.interval.high) == pytest.approx((low, high), abs=1e-10)
            assert estimate.n == inside.sum()


def test_the_change_of_a_gap_is_paired_in_each_group() -> None:
    rate = RATES["tpr"]
    change = difference_of_changes(rate, MEMBERS["a"], MEMBERS["b"], UNITS)
    parts = []
    for name in "ab":
        rows = (TRUTH == 1) & MEMBERS[name]
        was, now = BEFORE.score[rows] >= 0.5, AFTER.score[rows] >= 0.5
        interval = newcombe_paired(*(int(x.sum()) for x in (was & now, was & ~now, ~was & now, ~was & ~now)))
        parts.append((now.mean() - was.mean(), interval.low, interval.high))
    (p, low, high), (q, lower, higher) = parts
    assert change is not None
    assert change.interval is not None
    assert change.value == pytest.approx(p - q, abs=1e-12)
    assert change.interval.low == pytest.approx(p - q - math.hypot(p - low, higher - q), abs=1e-10)
    assert change.interval.high == pytest.approx(p - q + math.hypot(high - p, q - lower), abs=1e-10)


def test_the_largest_gap_holds_for_all_pairs_and_leaves_small_groups_out() -> None:
    gap = largest_gap(RATES["accuracy"], MEMBERS, UNITS)
    assert gap is not None
    assert gap.difference.interval is not None
    wide = difference(RATES["accuracy"], MEMBERS[gap.highest], MEMBERS[gap.lowest], UNITS, 1 - 0.05 / 3).interval
    assert wide is not None
    assert (gap.difference.interval.low, gap.difference.interval.high) == (wide.low, wide.high)
    assert gap.difference.interval.level == 0.95
    assert gap.difference.interval.method.endswith("for all 3 pairs at once")
    few = {"a": MEMBERS["a"], "b": MEMBERS["b"] & (np.cumsum(MEMBERS["b"]) < 30)}
    assert largest_gap(RATES["accuracy"], few, UNITS) is None
    same = {"a": np.arange(N) < 50, "b": np.arange(N) >= 50}
    equal = group_gaps.Rate("x", np.ones(N, dtype=bool), np.ones(N, dtype=bool))
    tied = largest_gap(equal, same, UNITS)
    assert tied is not None
    assert ({tied.highest, tied.lowest}, tied.difference.value) == ({"a", "b"}, 0.0)


def test_regression_compares_means() -> None:
    decision = Decision("regression")
    truth = SCORE + RNG.normal(size=N)
    before, after = side(SCORE[:, None], decision), side(SCORE[:, None] + 0.1 * RNG.normal(size=(N, 1)), decision)
    rates = {rate.name: rate for rate in rates_of(truth, before, after, decision)}
    assert list(rates) == ["mean_abs_error", "mae"]
    error = np.abs(truth - after.predictions[:, 0])
    gap = difference(rates["mae"], MEMBERS["a"], ~MEMBERS["a"], UNITS)
    assert gap.value == pytest.approx(error[MEMBERS["a"]].mean() - error[~MEMBERS["a"]].mean(), abs=1e-12)
    assert gap.interval is not None
    assert gap.interval.method == "welch t"
    clustered = difference(rates["mae"], MEMBERS["a"], ~MEMBERS["a"], Units(UNITS.keys, LABELS))
    assert clustered.value == gap.value
    assert clustered.interval is not None
    assert clustered.interval.method == "t over 60 clusters"
    # clusters made at random: about the same width
    width, plain = (each.interval.high - each.interval.low for each in (clustered, gap))  # type: ignore[union-attr]
    assert width / plain == pytest.approx(1.0, abs=0.35)
    assert [rate.name for rate in rates_of(truth, None, before, decision)] == ["mae"]


@pytest.mark.parametrize("clusters", [None, LABELS], ids=["rows", "clusters"])
def test_the_order_of_rows_changes_no_bit(clusters: Any) -> None:
    order = np.random.default_rng(0).permutation(N)
    units = Units(UNITS.keys, clusters)
    moved = rates_of(TRUTH[order], BEFORE.take(order), AFTER.take(order), BINARY)
    members = {name: member[order] for name, member in MEMBERS.items()}
    for rate, other in zip(RATES.values(), moved, strict=True):
        assert dict(against_others(rate, MEMBERS, units)) == dict(against_others(other, members, units.take(order)))
        assert largest_gap(rate, MEMBERS, units) is not None
        assert repr(largest_gap(rate, MEMBERS, units)) == repr(largest_gap(other, members, units.take(order)))


def test_classes_equal_scikit_learn_and_rare_ones_have_a_reason() -> None:
    decision = Decision("multiclass")
    raw = RNG.normal(size=(N, 4))
    truth = np.argmax(raw[:, :3] + RNG.normal(size=(N, 3)), axis=1)
    before, after = (side(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True), decision) for x in (raw, raw + 0.1))
    labels = ("a", "b", "c", "never")
    rows = {(name, label): each for name, label, each in class_levels(truth, before, labels, UNITS)}
    recall = metrics.recall_score(truth, before.decided, labels=[0, 1, 2], average=None)
    precision = metrics.precision_score(truth, before.decided, labels=[0, 1, 2], average=None)
    assert [rows["class_recall", label].value for label in "abc"] == pytest.approx(list(recall), abs=1e-10)
    assert [rows["class_precision", label].value for label in "abc"] == pytest.approx(list(precision), abs=1e-10)
    assert rows["class_recall", "never"].reason == class_rates.NO_ROW
    assert rows["roc_auc_pairs", None].reason == "a class has no rows"
    three = side(before.predictions[:, :3] / before.predictions[:, :3].sum(axis=1, keepdims=True), decision)
    area = next(class_levels(truth, three, labels[:3], UNITS))[2]
    expected = metrics.roc_auc_score(truth, three.predictions, multi_class="ovo", average="macro")
    assert area.value == pytest.approx(expected, abs=1e-10)
    assert area.interval is not None
    changes = {(name, label): each for name, label, each in class_changes(truth, before, after, labels, UNITS)}
    assert changes["class_recall_change", "a"].interval is not None
    assert changes["class_recall_change", "never"].value is None
    once = truth.copy()
    once[0] = 3
    lone = {(name, label): each for name, label, each in class_levels(once, before, labels, UNITS)}
    assert lone["roc_auc_pairs", None].reason == "no interval: fewer than 2 rows of one class"
    clustered = {(name, label): each for name, label, each in class_levels(truth, before, labels, Units(UNITS.keys, LABELS))}
    assert clustered["class_recall", "a"].value == rows["class_recall", "a"].value
    assert clustered["class_recall", "never"].reason == class_rates.NO_ROW
