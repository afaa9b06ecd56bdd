"""Rows of evidence from predictions: which measures there are, their units, and their values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qaudit.core.decision import Decision
from qaudit.core.evidence import Interval
from qaudit.core.inference.intervals import mcnemar, newcombe_paired
from qaudit.core.measures import rows
from qaudit.core.measures.changes import Number

BINARY = Decision("binary", positive=1, cutoff=0.5)
TRUTH = np.array([1, 1, 0, 0, 1])
BEFORE = np.array([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3], [0.5, 0.5]])
AFTER = np.array([[0.3, 0.7], [0.4, 0.6], [0.3, 0.7], [0.5, 0.5], [0.6, 0.4]])


def units(found: dict[str, Number], model: rows.Side) -> dict[str, str]:
    return {name: rows.row(name, number, {}, "metrics.performance", model).unit for name, number in found.items()}


def values(found: dict[str, Number]) -> dict[str, float | None]:
    return {name: number.value for name, number in found.items()}


def test_fit_of_two_classes_by_hand() -> None:
    found = rows.fit(TRUTH, rows.side(BEFORE, BINARY), BINARY)
    assert units(found, rows.side(BEFORE, BINARY)) == {
        "accuracy": "share",
        "roc_auc": "",
        "positive_rate": "share",
        "log_loss": "nats",
        "brier": "",
        "ece": "probability",
        "calibration_ks": "probability",
        "tpr": "share",
        "fpr": "share",
    }
    expected = {
        "accuracy": 3 / 5,
        "roc_auc": (2 + 1 + 1) / 6,  # 0.9 beats both, 0.4 and 0.5 beat 0.3
        "positive_rate": 3 / 5,
        "log_loss": -(math.log(0.9) + math.log(0.4) + math.log(0.2) + math.log(0.7) + math.log(0.5)) / 5,
        "brier": (0.01 + 0.36 + 0.64 + 0.09 + 0.25) / 5,
        "ece": (0.1 + 0.6 + 0.8 + 0.3 + 0.5) / 5,  # 15 bins: each row has one of its own
        "calibration_ks": 0.8 / 5,  # 0.3, 0.4 - 1 and 0.5 - 1 up to 0.5
        "tpr": 2 / 3,
        "fpr": 1 / 2,
    }
    assert values(found) == pytest.approx(expected)


def test_fit_where_the_first_class_is_positive() -> None:
    decision = Decision("binary", positive=0, cutoff=0.5)
    found = values(rows.fit(TRUTH, rows.side(BEFORE, decision), decision))
    assert found["positive_rate"] == pytest.approx(3 / 5)  # 0.6, 0.7 and 0.5 are at least 0.5
    assert found["roc_auc"] == pytest.approx(4 / 6)
    assert found["accuracy"] == pytest.approx(2 / 5)
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.64 + 0.09 + 0.25) / 5)


def test_fit_of_margins_has_no_probabilities() -> None:
    margins = np.array([[2.0], [-1.0], [0.5], [-2.0], [0.0]])
    decision = Decision("binary", positive=0, cutoff=0.0)  # a margin speaks for the second class whichever is positive
    found = rows.fit(TRUTH, rows.side(margins, decision), decision)
    assert units(found, rows.side(margins, decision)) == {
        "accuracy": "share",
        "roc_auc": "",
        "positive_rate": "share",
        "log_loss": "nats",
        "brier": "",
        "ece": "probability",
        "calibration_ks": "probability",
        "tpr": "share",
        "fpr": "share",
    }
    assert found["positive_rate"].value == pytest.approx(2 / 5)
    assert found["roc_auc"].value == pytest.approx(4 / 6)
    assert found["accuracy"].value == pytest.approx(2 / 5)
    for name in ("log_loss", "brier", "ece", "calibration_ks"):
        assert found[name] == Number(None, None, None, "the model gives margins, not probabilities")


def test_fit_of_more_classes() -> None:
    predictions = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]])
    truth = np.array([0, 1, 1, 2])
    decision = Decision("multiclass")
    found = rows.fit(truth, rows.side(predictions, decision), decision)
    assert list(found) == ["accuracy", "roc_auc", "log_loss", "brier", "ece", "calibration_ks"]
    assert found["roc_auc"] == Number(None, None, None, "measured for two classes only")
    expected = {
        "accuracy": 0.5,
        "log_loss": -(math.log(0.5) + math.log(0.2) + math.log(0.8) + math.log(0.3)) / 4,
        "brier": (0.25 + 0.09 + 0.04 + 0.04 + 0.64 + 0.36 + 0.01 + 0.04 + 0.01 + 0.16 + 0.09 + 0.49) / 4,
        "ece": (0.5 + 0.6 + 0.2 + 0.4) / 4,
        "calibration_ks": (0.4 + 0.5 - 1 + 0.6) / 4,
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)


def test_fit_of_numbers() -> None:
    decision = Decision("regression")
    model = rows.side(np.array([[1.0, 9.0], [3.0, 9.0], [2.0, 9.0]]), decision)
    found = rows.fit(np.array([1.0, 2.0, 4.0]), model, decision)
    assert units(found, model) == {
        "r2": "",
        "mae": "target",
        "rmse": "target",
    }
    total = sum((x - 7 / 3) ** 2 for x in (1.0, 2.0, 4.0))
    assert values(found) == pytest.approx({"r2": 1 - 5 / total, "mae": 1.0, "rmse": math.sqrt(5 / 3)})


def test_changes_of_two_classes_by_hand() -> None:
    found = rows.changes(TRUTH, rows.side(BEFORE, BINARY), rows.side(AFTER, BINARY), BINARY)
    # decided before 1 0 1 0 1, after 1 1 1 1 0
    expected = {
        "max_abs_error": 0.2,
        "mean_abs_error": (0.2 + 0.2 + 0.1 + 0.2 + 0.1) / 5,
        "score_change": 0.2,
        "flips": 3.0,
        "flips_fixed": 1.0,
        "flips_broken": 2.0,
        "flips_other": 0.0,
        "flip_rate": 3 / 5,
        "accuracy_change": -1 / 5,
        "mcnemar_p": mcnemar(1, 2),
        "auc_change": 2.5 / 6 - 4 / 6,  # the tie 0.7 = 0.7 counts half
        "positive_rate_change": 1 / 5,
        "tpr_change": 0.0,
        "fpr_change": 1 / 2,
    }
    got = values(found)
    before = float(np.sum(BEFORE**2))
    assert got.pop("sqnr_db") == pytest.approx(10 * math.log10(before / (2 * (0.04 * 3 + 0.01 * 2))))
    assert got == pytest.approx(expected, abs=1e-12)
    assert units(found, rows.side(BEFORE, BINARY)) == {
        **dict.fromkeys(("max_abs_error", "mean_abs_error", "score_change", "mcnemar_p"), "probability"),
        "sqnr_db": "dB",
        **dict.fromkeys(("flips", "flips_fixed", "flips_broken", "flips_other"), "rows"),
        **dict.fromkeys(("flip_rate", "accuracy_change", "positive_rate_change", "tpr_change", "fpr_change"), "share"),
        "auc_change": "",
    }
    assert {found[name].n for name in ("flips", "flips_fixed", "mcnemar_p", "positive_rate_change")} == {5}
    assert found["positive_rate_change"].interval == newcombe_paired(2, 1, 2, 0)


def test_the_score_change_is_the_99_percent_quantile_of_sizes() -> None:
    before = np.column_stack([np.full(101, 0.5), np.full(101, 0.5)])
    moved = np.arange(101) / 1000 * np.where(np.arange(101) % 2, 1, -1)
    after = np.column_stack([0.5 - moved, 0.5 + moved])
    found = rows.changes(np.zeros(101, int), rows.side(before, BINARY), rows.side(after, BINARY), BINARY)
    assert found["score_change"].value == pytest.approx(0.099)


def test_changes_where_the_first_class_is_positive() -> None:
    decision = Decision("binary", positive=0, cutoff=0.5)
    truth = np.array([0, 0, 1, 1])
    before = rows.side(np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.1, 0.9]]), decision)
    after = rows.side(np.array([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.1, 0.9]]), decision)
    found = rows.changes(truth, before, after, decision)
    assert found["auc_change"].value == pytest.approx(1.0 - 3 / 4)
    assert found["positive_rate_change"].value == pytest.approx(1 / 4)
    interval = found["positive_rate_change"].interval
    assert interval == newcombe_paired(2, 0, 1, 1)


def test_changes_of_margins_are_of_the_second_class() -> None:
    decision = Decision("binary", positive=0, cutoff=0.0)
    truth = np.array([1, 1, 0, 0])
    before, after = np.array([[2.0], [-1.0], [0.5], [-2.0]]), np.array([[2.0], [1.0], [0.5], [-2.0]])
    found = rows.changes(truth, rows.side(before, decision), rows.side(after, decision), decision)
    assert found["max_abs_error"] == Number(2.0, None, 4, rows.LARGEST_CHANGE)
    assert units(found, rows.side(before, decision))["max_abs_error"] == "margin"
    assert found["auc_change"].value == pytest.approx(1.0 - 3 / 4)
    assert found["positive_rate_change"].value == pytest.approx(1 / 4)


def test_changes_of_more_classes_and_of_numbers_have_no_rates() -> None:
    many = Decision("multiclass")
    predictions = np.eye(3)
    found = rows.changes(np.arange(3), rows.side(predictions, many), rows.side(predictions[::-1], many), many)
    assert not {"auc_change", "positive_rate_change"} & set(found)
    assert found["flips_broken"].value == 2.0
    numbers = Decision("regression")
    found = rows.changes(np.arange(3.0), rows.side(predictions[:, :1], numbers), rows.side(predictions[:, 1:2], numbers), numbers)
    assert units(found, rows.side(predictions[:, :1], numbers)) == {
        "max_abs_error": "target",
        "mean_abs_error": "target",
        "sqnr_db": "dB",
        "score_change": "target",
    }


def test_changes_where_one_side_alone_is_decided_say_nothing_of_flips() -> None:
    plain = rows.side(BEFORE, BINARY)
    undecided = rows.Side(AFTER, None, AFTER[:, 1])
    names = {"max_abs_error", "mean_abs_error", "sqnr_db", "score_change"}
    assert set(rows.changes(TRUTH, plain, undecided, BINARY)) == names
    assert set(rows.changes(TRUTH, undecided, plain, BINARY)) == names


def test_no_rows_have_no_change_of_rate() -> None:
    empty = rows.side(BEFORE[:0], BINARY)
    found = rows.changes(TRUTH[:0], empty, empty, BINARY)
    assert found["positive_rate_change"] == Number(None, None, 0, "no rows")


def test_one_row_has_a_change_of_rate() -> None:
    gained = rows._rate_change(np.array([False]), np.array([True]))
    assert (gained.value, gained.n, gained.interval) == (1.0, 1, newcombe_paired(0, 0, 1, 0))


def test_a_change_of_rate_counts_every_cell() -> None:
    before = np.array([True] * 7 + [False] * 5)
    after = np.array([True] * 4 + [False] * 3 + [True] * 2 + [False] * 3)
    found = rows._rate_change(before, after)
    assert found == Number(pytest.approx(-1 / 12), newcombe_paired(4, 3, 2, 3), 12)


def test_a_subset_is_the_same_rows_of_everything() -> None:
    taken = rows.side(BEFORE, BINARY).take(np.array([3, 0]))
    assert taken.predictions.tolist() == BEFORE[[3, 0]].tolist()
    assert taken.decided is not None
    assert taken.decided.tolist() == [0, 1]
    assert taken.score.tolist() == [0.3, 0.9]
    undecided = rows.side(BEFORE, Decision("regression")).take(np.array([1]))
    assert undecided.decided is None
    assert undecided.score.tolist() == [0.6]


def test_divergence_by_hand() -> None:
    before, after = np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([[0.25, 0.75], [0.25, 0.75]])
    found = rows.divergence(rows.side(before, BINARY), rows.side(after, BINARY))
    kl = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert {name: number.value for name, number in found.items()} == pytest.approx({"": kl / 2, "p99": 0.99 * kl, "max": kl})
    assert {number.n for number in found.values()} == {2}
    uneven = rows.divergence(rows.side(before[[0, 1, 1]], BINARY), rows.side(after[[0, 1, 1]], BINARY))
    assert uneven[""].value == pytest.approx(kl / 3)
    none = rows.side(before[:0], BINARY)
    assert rows.divergence(none, none)[""] == Number(None, None, 0, "no rows")


def test_margins_and_numbers_have_no_divergence() -> None:
    assert rows.divergence(rows.side(BEFORE[:, :1], BINARY), rows.side(AFTER[:, :1], BINARY)) == {}
    numbers = Decision("regression")
    assert rows.divergence(rows.side(BEFORE, numbers), rows.side(AFTER, numbers)) == {}


def test_differences_are_after_minus_before() -> None:
    before = {"accuracy": Number(0.5, None, 9), "brier": Number(0.25, None, 9), "r2": Number(0.5, None, 9)}
    after = {"accuracy": Number(0.75, None, 8), "brier": Number(1.0, None, 8), "r2": Number(None, None, 8, "why")}
    found = rows.differences(before, after)
    assert found == {"r2_change": Number(None, None, 8, "why"), "brier_change": Number(0.75, None, 8)}
    back = rows.differences(after, before)
    assert back["r2_change"] == Number(None, None, 9, "why")  # the reason of the side that lacks the value


def test_a_difference_gives_the_later_reason_first() -> None:
    first, second = Number(None, None, 2, "first"), Number(None, None, 3, "second")
    assert rows._minus(first, second) == Number(None, None, 3, "second")


def test_a_row_bears_everything() -> None:
    interval = Interval(0.0, 1.0, 0.95, "m")
    row = rows.row("flip_rate", Number(0.5, interval, 7, "because"), {"candidate": "c"}, "t", rows.side(BEFORE, BINARY))
    assert (row.measure, row.value, row.unit, row.interval, row.n) == ("flip_rate", 0.5, "share", interval, 7)
    assert (dict(row.about), row.by, row.topic, row.reason) == ({"candidate": "c"}, "evaluate", "t", "because")


@pytest.mark.parametrize(
    ("n", "reason", "expected"),
    [
        (29, None, "small group: n < 30"),
        (29, "rough", "small group: n < 30; rough"),
        (30, None, None),
        (30, "rough", "rough"),
        (31, None, None),
        (0, None, "small group: n < 30"),
        (None, None, None),
    ],
)
def test_a_group_of_30_rows_is_not_small(n: int | None, reason: str | None, expected: str | None) -> None:
    interval = Interval(0.0, 1.0, 0.95, "m")
    assert rows.marked(Number(0.5, interval, n, reason)) == Number(0.5, interval, n, expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "missing"),
        (float("nan"), "missing"),
        (np.float64("nan"), "missing"),
        (np.float32("nan"), "missing"),
        (3.0, "3"),
        (np.float32(-2.0), "-2"),
        (2.5, "2.5"),
        (np.float64(0.1), "0.1"),
        (np.float32(0.5), "0.5"),
        (7, "7"),
        ("nan", "nan"),
        ("3.0", "3.0"),
        (True, "True"),
    ],
)
def test_labels_of_groups(value: object, text: str) -> None:
    assert rows.label(value) == text
