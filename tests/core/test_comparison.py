"""Limits against rows of evidence: the table of verdicts, what is printed apart, and the rows that would do."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.assessment_text import compared_text
from qaudit.core.catalogue.measures import MEASURES
from qaudit.core.comparison import compared, worst_row
from qaudit.core.evidence import Bound, ComparedRow, Evidence, Interval, Limit, RowsNeeded, measured
from qaudit.core.inference.intervals import clopper_pearson, newcombe_paired, zero_bound
from qaudit.core.inference.means import mean_interval
from qaudit.core.inference.rows_needed import newcombe_ends, rows_for_mean, rows_for_paired_change

JUDGED = "symmetric(axis='tensor',bits=8)"


def limit(**changes: object) -> Limit:
    plain: dict[str, object] = {"id": "Q1", "measure": "flip_rate", "where": {}, "use": None, "at_most": 0.01, "at_least": None}
    return Limit(**{**plain, "near": None, "reason": "r", **changes})  # type: ignore[arg-type]


def row(value: float | None, ends: tuple[float, float] | None = None, measure: str = "flip_rate", **about: str) -> Evidence:
    interval = None if ends is None else Interval(*ends, 0.95, "clopper-pearson")
    known = {"candidate": JUDGED, "against": "reference", **about}
    unit = MEASURES[measure].units[0]
    return Evidence(measure, value, unit, interval, 100, known, "evaluate", "quantization.precision_loss")


def one(limited: Limit, *table: Evidence) -> ComparedRow:
    return compared(limited, 0, table)


LEAST = {"at_most": None, "at_least": 0.9}


@pytest.mark.parametrize(
    ("changes", "value", "ends", "verdict"),
    [
        # the whole interval decides
        ({}, 0.005, (0.001, 0.01), "within"),
        ({}, 0.005, (0.001, 0.0100001), "not_demonstrable"),
        ({}, 0.02, (0.01, 0.03), "not_demonstrable"),
        ({}, 0.02, (0.0100001, 0.03), "outside"),
        (LEAST, 0.95, (0.9, 0.97), "within"),
        (LEAST, 0.95, (0.89, 0.97), "not_demonstrable"),
        (LEAST, 0.85, (0.8, 0.9), "not_demonstrable"),
        (LEAST, 0.85, (0.8, 0.89), "outside"),
        # near is a kind of within
        ({"near": 0.008}, 0.005, (0.001, 0.009), "near"),
        ({"near": 0.008}, 0.005, (0.001, 0.008), "within"),
        ({"near": 0.008}, 0.009, (0.001, 0.02), "not_demonstrable"),
        (LEAST | {"near": 0.92}, 0.95, (0.91, 0.97), "near"),
        (LEAST | {"near": 0.92}, 0.95, (0.92, 0.97), "within"),
        # the value alone, where the policy says so
        ({"use": "value"}, 0.005, (0.001, 0.02), "within"),
        ({"use": "value"}, 0.01, (0.001, 0.02), "within"),
        ({"use": "value"}, 0.0101, (0.001, 0.02), "outside"),
        ({"use": "value", "near": 0.008}, 0.009, None, "near"),
        (LEAST | {"use": "value"}, 0.9, (0.8, 0.95), "within"),
        # one end, of policies of version 0.1: the interval decides, so that too few rows are never "outside"
        ({"use": "upper"}, 0.005, (0.001, 0.02), "not_demonstrable"),
        ({"use": "upper"}, 0.005, (0.001, 0.01), "within"),
        ({"use": "upper"}, 0.02, (0.011, 0.03), "outside"),
        ({"use": "lower"}, 0.02, (0.001, 0.03), "not_demonstrable"),
        (LEAST | {"use": "lower"}, 0.95, (0.89, 0.97), "not_demonstrable"),
        ({"use": "upper"}, 0.005, None, "not_assessed"),
        # a measure that has intervals, without one
        ({}, 0.0, None, "not_assessed"),
        (LEAST, 0.99, None, "not_assessed"),
        ({}, None, None, "not_assessed"),
    ],
)
def test_the_verdict_table(
    changes: dict[str, object], value: float | None, ends: tuple[float, float] | None, verdict: str
) -> None:
    found = one(limit(**changes), row(value, ends))
    assert found.verdict == verdict
    assert found.observed == value
    assert (found.rows_needed is not None) == (verdict == "not_demonstrable")


@pytest.mark.parametrize("measure", ["size_bytes", "max_abs_error", "drift", "kendall_tau", "leaves", "flips"])
def test_a_number_that_has_no_interval_by_nature_is_compared_as_it_is(measure: str) -> None:
    assert one(limit(measure=measure), row(0.01, measure=measure)).verdict == "within"
    assert one(limit(measure=measure), row(0.011, measure=measure)).verdict == "outside"
    assert one(limit(measure=measure), row(0.01, measure=measure)).bound is None


def test_what_is_measured_on_an_array_is_compared_as_it_is() -> None:
    """Signal to noise has an interval over rows for predictions; for the weights of a layer it is what it is."""
    least = limit(measure="sqnr_db", at_most=None, at_least=18.0)
    assert one(least, row(19.0, measure="sqnr_db", parameter="layer0.weight")).verdict == "within"
    alone = compared_text(
        limit(measure="sqnr_db", at_most=None, at_least=18.0, use="value"),
        one(least, row(19.0, measure="sqnr_db", parameter="w")),
        row(19.0, measure="sqnr_db", parameter="w"),
    )
    assert alone == "observed 19.0 dB, limit at least 18.0 dB: within"
    assert one(least, row(17.0, measure="sqnr_db", parameter="layer0.weight")).verdict == "outside"
    assert one(least, row(19.0, measure="sqnr_db")).verdict == "not_assessed"


@pytest.mark.parametrize("measure", ["local_r2", "reason_change_floor", "drift_floor"])
def test_a_range_of_rows_or_of_reruns_bounds_no_value(measure: str) -> None:
    found = one(limit(measure=measure), row(0.005, (0.0, 0.9), measure))
    assert (found.verdict, found.bound) == ("within", None)


def test_of_a_measure_of_a_plugin_the_interval_decides_where_there_is_one() -> None:
    row_of_plugin = Evidence("p.m", 0.005, "", Interval(0.0, 0.02, 0.9, "own"), 10, {"candidate": JUDGED}, "p", "robustness")
    assert one(limit(measure="p.m"), row_of_plugin).verdict == "not_demonstrable"
    plain = Evidence("p.m", 0.005, "", None, 10, {"candidate": JUDGED}, "p", "robustness")
    assert one(limit(measure="p.m"), plain).verdict == "within"


def test_observed_and_bound_are_two_numbers() -> None:
    """1 of 111 rows is 0.90%; 4.92% is nothing that was measured (finding S4)."""
    found = one(limit(at_most=0.02), Evidence(**counted(1, 111)))
    assert found.observed == 1 / 111
    assert found.bound == Bound(clopper_pearson(1, 111).high, "upper", 0.95, "clopper-pearson")
    assert (found.n, found.rows_needed) == (111, RowsNeeded(623, 183))
    text = compared_text(limit(at_most=0.02), found, Evidence(**counted(1, 111)))
    assert text == (
        "observed 0.90% (1 of 111), at most 4.92% in such rows (95%), limit at most 2.00%: "
        "not demonstrable with 111 rows; 623 would do at the observed 0.90%, 183 would do if there were none at all"
    )
    outside = one(limit(at_most=0.02), Evidence(**counted(20, 111)))
    assert outside.bound == Bound(clopper_pearson(20, 111).low, "lower", 0.95, "clopper-pearson")
    assert "at least 11.37% in such rows (95%), limit at most 2.00%: outside" in compared_text(
        limit(at_most=0.02), outside, Evidence(**counted(20, 111))
    )
    alone = compared_text(limit(use="value"), one(limit(use="value"), row(0.005, (0.0, 0.02))), row(0.005, (0.0, 0.02)))
    assert alone == "observed 0.50% (100 rows), compared on these rows alone, limit at most 1.00%: within"


def counted(count: int, n: int, measure: str = "flip_rate", **about: str) -> dict[str, Any]:
    known = {"candidate": JUDGED, "against": "reference", **about}
    return {
        "measure": measure,
        "value": count / n,
        "unit": "share",
        "interval": clopper_pearson(count, n),
        "n": n,
        "about": known,
        "by": "evaluate",
        "topic": "quantization.precision_loss",
    }


def test_rows_for_a_change_of_accuracy_come_from_the_pairs_behind_it() -> None:
    about = {"candidate": JUDGED, "against": "reference", "group": "afam=yes"}
    interval = newcombe_paired(95, 2, 1, 13)
    topic = "quantization.precision_loss"
    change = measured("accuracy_change", -1 / 111, about, "evaluate", topic, interval=interval, n=111)
    pairs = [
        measured(name, value, about, "evaluate", topic, n=111) for name, value in (("flips_fixed", 1.0), ("flips_broken", 2.0))
    ]
    before = measured("accuracy", 97 / 111, {"candidate": "reference", "group": "afam=yes"}, "evaluate", topic, n=111)
    loss = limit(measure="accuracy_change", at_most=None, at_least=-0.02)
    found = one(loss, change, *pairs, before)
    expected = RowsNeeded(
        rows_for_paired_change(1 / 111, 2 / 111, 97 / 111, -0.02), rows_for_paired_change(0.0, 0.0, 97 / 111, -0.02)
    )
    assert found.verdict == "not_demonstrable"
    assert found.rows_needed == expected
    assert expected.as_observed is not None
    assert newcombe_ends(1 / 111, 2 / 111, 97 / 111, expected.as_observed)[0] >= -0.02
    assert "would do if no decision changed" in found.reason
    # without the counts the width of the interval tells: half of it shrinks with the root of the rows
    alone = one(loss, change)
    assert alone.rows_needed == RowsNeeded(math.ceil(111 * ((-1 / 111 - interval.low) / (0.02 - 1 / 111)) ** 2), None)


def test_a_rise_is_the_mirror_image_of_a_fall() -> None:
    about = {"candidate": JUDGED, "against": "reference"}
    topic = "quantization.precision_loss"

    def needed(limited: Limit, change: float, before: float, fixed: float, broken: float) -> RowsNeeded | None:
        ends = newcombe_ends(fixed / 50, broken / 50, before, 50)
        interval = Interval(*ends, 0.95, "newcombe paired (method 10)")
        table = [measured("accuracy_change", change, about, "evaluate", topic, interval=interval, n=50)]
        table += [measured(name, value, about, "e", topic) for name, value in (("flips_fixed", fixed), ("flips_broken", broken))]
        table.append(measured("accuracy", before, {"candidate": "reference"}, "e", topic))
        return one(limited, *table).rows_needed

    fall = needed(limit(measure="accuracy_change", at_most=None, at_least=-0.03), -0.02, 0.8, 1, 2)
    rise = needed(limit(measure="accuracy_change", at_most=0.03), 0.02, 0.2, 2, 1)
    assert fall is not None
    assert fall == rise


def test_rows_for_a_mean_and_for_any_other_interval() -> None:
    values = [0.0, 0.002, 0.004, 0.009] * 25
    estimate = mean_interval(np.array(values))
    about = {"candidate": JUDGED, "against": "reference"}
    topic = "quantization.precision_loss"
    mean = measured("log_loss_change", estimate.value, about, "e", topic, interval=estimate.interval, n=100)
    found = one(limit(measure="log_loss_change", at_most=0.004), mean)
    assert estimate.value is not None
    deviation = statistics.stdev(values)
    assert found.rows_needed is not None
    assert found.rows_needed == RowsNeeded(rows_for_mean(estimate.value, deviation, 0.004), None)
    area = measured("auc_change", -0.001, about, "e", topic, interval=Interval(-0.005, 0.003, 0.95, "delong"), n=200)
    assert one(limit(measure="auc_change", at_most=None, at_least=-0.002), area).rows_needed == RowsNeeded(3200, None)
    on_it = one(limit(measure="auc_change", at_most=None, at_least=-0.001), area)
    assert on_it.rows_needed is None
    assert on_it.reason == "not demonstrable with 200 rows"


def test_more_repeats_are_not_more_rows() -> None:
    repeated = Evidence(
        "importance", 0.1, "", Interval(0.0, 0.3, 0.95, "student t over repeats"), 5, {}, "e", "explain.importance"
    )
    found = one(limit(measure="importance", at_most=0.2), repeated)
    assert (found.verdict, found.rows_needed) == ("not_demonstrable", None)


def test_what_lies_beyond_the_limit_would_be_shown_outside() -> None:
    found = one(limit(at_most=0.02), Evidence(**counted(5, 111)))
    assert found.reason.startswith(
        "not demonstrable with 111 rows; 185 would show it outside at the observed 4.50%, 183 would do if"
    )
    nothing = one(limit(at_most=0.02), Evidence(**counted(0, 111)))
    assert nothing.reason == "not demonstrable with 111 rows; 183 would do if there were none at all"
    agreed = one(limit(measure="fidelity", at_most=None, at_least=0.9), Evidence(**counted(20, 20, "fidelity")))
    assert agreed.reason == "not demonstrable with 20 rows; 36 would do if there were no exception"


@given(st.integers(1, 300), st.data(), st.integers(2, 30), st.sampled_from([0.005, 0.02, 0.1, 0.5]))
def test_more_rows_at_the_same_rate_never_take_a_verdict_away(n: int, data: st.DataObject, more: int, margin: float) -> None:
    count = data.draw(st.integers(0, n))
    for limited in (limit(at_most=margin), limit(measure="fidelity", at_most=None, at_least=1 - margin)):
        few = one(limited, Evidence(**counted(count, n, limited.measure)))
        many = one(limited, Evidence(**counted(more * count, more * n, limited.measure)))
        if few.verdict != "not_demonstrable":
            assert many.verdict == few.verdict


@given(st.integers(1, 400), st.data(), st.sampled_from([0.005, 0.02, 0.1, 0.5]))
def test_the_rows_that_would_do_do(n: int, data: st.DataObject, margin: float) -> None:
    count = data.draw(st.integers(0, n))
    found = one(limit(at_most=margin), Evidence(**counted(count, n)))
    if found.rows_needed is None or found.rows_needed.at_best is None:
        return
    assert zero_bound(found.rows_needed.at_best) <= margin
    if found.rows_needed.as_observed is not None:
        assert found.rows_needed.as_observed > n


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(-1, 1), st.floats(0, 0.5))
def test_mirroring_everything_changes_no_verdict(value: float, half: float, margin: float, band: float) -> None:
    up = one(limit(at_most=margin, near=margin - band), row(value, (value - half, value + half)))
    least = limit(at_most=None, at_least=-margin, near=-(margin - band))
    down = one(least, row(-value, (-(value + half), -(value - half))))
    assert up.verdict == down.verdict
    assert up.bound is not None
    assert down.bound is not None
    assert (up.bound.value, up.bound.end == "upper") == (-down.bound.value, down.bound.end == "lower")


def test_the_row_that_needs_attention_first_decides() -> None:
    def result(index: int, verdict: str, observed: float | None) -> ComparedRow:
        return ComparedRow(index, verdict, observed)  # type: ignore[arg-type]

    rows = [
        result(0, "within", 0.0),
        result(1, "near", 0.009),
        result(2, "not_assessed", None),
        result(3, "not_demonstrable", 0.1),
    ]
    assert worst_row(limit(), rows).evidence == 3
    assert worst_row(limit(), rows[:3]).evidence == 2
    assert worst_row(limit(), rows[:2]).evidence == 1
    assert worst_row(limit(), [*rows, result(4, "outside", 0.02), result(5, "outside", 0.03)]).evidence == 5
    assert worst_row(limit(**LEAST), [result(0, "outside", 0.8), result(1, "outside", 0.7)]).evidence == 1
