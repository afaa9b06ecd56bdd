"""Drift, floor, reasons and cases on hand-made explanations."""

from __future__ import annotations

import numpy as np
import pytest

from qaudit.core.catalogue.explanation_kind import DistanceInputs
from qaudit.core.catalogue.explanations import ATTRIBUTIONS, IMPORTANCE, TREE, distances_of
from qaudit.core.decision import Decision
from qaudit.core.explanation import Attributions, Importance, TreeModel
from qaudit.core.table import Table
from qaudit.pipeline.stages import drift, reasons

INPUTS = DistanceInputs(Table({"x": np.arange(10.0)}), np.zeros((2, 2)), False)
DIRECTION, LENGTH = ATTRIBUTIONS.distances
DECISION = TREE.distances[0]


def importance(*values):
    return Importance(np.array([values], dtype=float), "loss_change")


def stump(threshold):
    return TreeModel(
        np.array([0, -1, -1]),
        np.array([threshold, 0, 0]),
        (None, None, None),
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.zeros(3, dtype=bool),
        np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]),
    )


def distances(a, b):
    return {distance.name: distance.between(a, b, INPUTS) for distance in distances_of(a, INPUTS.regression)}


def test_distances_are_the_named_ones_and_the_first_decides():
    found = distances(importance(3, 2, 1), importance(3, 1, 2))
    assert list(found) == ["size", "rank"]
    assert found == {"size": pytest.approx(2 / 3), "rank": pytest.approx(2 / 3)}
    assert distances(stump(1.5), stump(4.5)) == {"decision": pytest.approx(0.3)}
    a, b = Attributions(np.eye(2), np.zeros(2)), Attributions(np.array([[1.0, 0.0], [1.0, 0.0]]), np.zeros(2))
    assert distances(a, b) == {"direction": 0.5, "length": pytest.approx(2**0.5 / 2)}
    assert drift.drifts([a], [stump(1.0)], INPUTS) == []
    assert distances(importance(1, 1), importance(1, 2))["rank"] is None


def test_floor_is_the_distance_of_the_first_draw_to_the_others():
    draws = [importance(4, 0), importance(4, 2), importance(4, 4)]
    size = drift.drifts(draws, [importance(4, 1)], INPUTS)[0]
    assert size.value == 0.5
    assert size.floor == (1.0, 2.0)
    assert not size.above
    assert not size.deterministic
    alone = drift.drifts(draws[:1], [importance(4, 1)], INPUTS)[0]
    assert (alone.floor, alone.mean, alone.deterministic, alone.above) == ((), 0.0, True, True)


def test_repeats_are_paired_one_by_one():
    reference = Importance(np.array([[1.0, 0.0], [3.0, 0.0]]), "loss_change")
    judged = Importance(np.array([[2.0, 0.0], [2.0, 0.0]]), "loss_change")
    found = drift.drifts(IMPORTANCE.repeats(reference), IMPORTANCE.repeats(judged), INPUTS)[0]
    assert found.value == 0.5
    assert found.floor == (1.0,)


def test_evidence_says_why_a_drift_is_not_assessed_and_gives_no_ratio_to_a_floor_of_zero():
    found = drift.drifts([importance(1, 1)], [importance(1, 2)], INPUTS)
    rows = {(row.measure, row.about["value_of"]): row for row in drift.evidence(found, {"candidate": "c", "explainer": "e"}, "e")}
    assert rows["drift", "loss_change rank"].value is None
    assert rows["drift", "loss_change rank"].reason
    assert rows["drift_floor", "loss_change size"].value == 0.0
    assert not any(measure == "drift_ratio" for measure, _ in rows)


@pytest.mark.parametrize(
    ("value", "floor", "changed", "unusable", "expected"),
    [
        (0.0, (0.1, 0.2), False, True, "none"),
        (0.0, (0.1,), True, False, "below floor"),
        (0.5, (0.1, 0.2), False, True, "unusable"),
        (0.5, (0.1, 0.2), False, False, "above floor"),
        (0.15, (0.1, 0.2), False, False, "below floor"),
        (0.15, (), False, False, "above floor"),
    ],
)
def test_verdicts(value, floor, changed, unusable, expected):
    one = drift.Drift(DIRECTION, "", value, floor, not any(floor))
    assert drift.verdict([one], changed, unusable) == expected


def test_trees_that_differ_from_rerun_to_rerun_are_unusable():
    assert drift.unusable([drift.Drift(DECISION, "", 0.1, (0.3, 0.2), False)])
    assert not drift.unusable([drift.Drift(DECISION, "", 0.1, (0.1, 0.2), False)])
    assert not drift.unusable([drift.Drift(LENGTH, "", 0.1, (0.9,), False)])


def test_the_explained_output_and_the_direction_of_reasons():
    two = np.array([[0.9, 0.1], [0.2, 0.8]])
    binary = Decision("binary", 0, 0.5)
    output = reasons.explained_output(binary, two)
    assert output.tolist() == [0, 0]
    assert reasons.toward(binary, two, output).tolist() == [1.0, -1.0]
    margin, answers = Decision("binary", 1, 0.0), np.array([[0.3], [-0.3]])
    output = reasons.explained_output(margin, answers)
    assert output.tolist() == [0, 0]
    assert reasons.toward(margin, answers, output).tolist() == [1.0, -1.0]
    many = Decision("multiclass")
    assert reasons.explained_output(many, np.eye(3)).tolist() == [0, 1, 2]
    assert reasons.toward(many, np.eye(3)[[1, 1, 2]], np.array([0, 1, 2])).tolist() == [-1.0, 1.0, 1.0]
    assert reasons.toward(Decision("regression"), answers, output) is None


def test_the_rate_counts_only_the_rows_given():
    a, b = np.eye(4), np.eye(4)[[1, 1, 3, 2]]
    kept = np.array([True, True, True, False])
    changed = reasons.changes(a, b, None, kept)
    assert changed.tolist() == [True, False, True, False]
    rate, floor = reasons.rate_evidence(changed, [changed, np.zeros(4, dtype=bool)], kept, {"candidate": "c"}, "e")
    assert (rate.value, rate.n) == (pytest.approx(2 / 3), 3)
    assert (rate.interval.low, rate.interval.high) == pytest.approx((0.0942993, 0.9915962), abs=1e-6)
    assert floor.value == pytest.approx(1 / 3)
    assert reasons.unusable([changed], kept)
    assert not reasons.unusable([np.zeros(4, dtype=bool)], kept)
    nobody = reasons.rate_evidence(changed & False, [], kept & False, {"candidate": "c"}, "e")
    assert [row.value for row in nobody] == [None, None]


def test_cases_are_chosen_by_rule_and_no_row_twice():
    change = np.array([0.1, 0.9, 0.2, 0.3, 0.8])
    flipped = np.array([False, True, False, False, True])
    changed = np.array([False, False, True, False, False])
    moved = np.array([0.5, 0.0, 0.4, 0.1, 0.0])
    counted = np.array([True, False, True, True, True])
    found = reasons.chosen_cases(change, flipped, moved, changed, counted)
    assert found == [(3, "median"), (1, "worst flip"), (2, "changed reason"), (0, "stable")]
    calm = np.zeros(5, dtype=bool)
    assert [why for _, why in reasons.chosen_cases(change, calm, moved, calm, counted)] == ["median", "stable"]
