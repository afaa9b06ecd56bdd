"""Measures of fit and their changes with intervals: the points are those of `rows`, and no order of rows changes a bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qaudit.core.decision import Decision
from qaudit.core.inference.row_keys import row_keys
from qaudit.core.measures import uncertainty, units
from qaudit.core.measures.changes import Number
from qaudit.core.measures.rows import Side, changes, differences, fit, side
from qaudit.core.measures.uncertainty import levels, paired_changes, with_intervals
from qaudit.core.measures.units import Units

N = 240
TASKS = ("binary", "first class", "margin", "multiclass", "regression")


def task(name: str) -> tuple[Decision, np.ndarray, np.ndarray, np.ndarray]:
    """Decision, truth (n,), predictions before and after (n, k)."""
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(N, 1)) * 0.05
    if name == "regression":
        truth = rng.normal(size=N)
        before = (truth + rng.normal(size=N))[:, None]
        return Decision("regression"), truth, before, before + noise
    if name == "multiclass":
        raw = rng.normal(size=(N, 3))
        truth = np.argmax(raw + rng.normal(size=(N, 3)), axis=1)
        pair = [np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in (raw, raw + noise * [[1.0, -1.0, 0.5]])]
        return Decision("multiclass"), truth, pair[0], pair[1]
    margin = rng.normal(size=(N, 1))
    truth = (margin[:, 0] + rng.normal(size=N) > 0).astype(np.int64)
    if name == "margin":
        return Decision("binary"), truth, margin, margin + noise
    first, second = (1 / (1 + np.exp(-each)) for each in (margin, margin + noise))
    positive = 0 if name == "first class" else 1
    return Decision("binary", positive), truth, np.hstack([1 - first, first]), np.hstack([1 - second, second])


def sides(name: str) -> tuple[Decision, np.ndarray, Side, Side, Units]:
    decision, truth, before, after = task(name)
    keys = row_keys({"truth": truth, **{f"before {j}": column for j, column in enumerate(before.T)}})
    return decision, truth, side(before, decision), side(after, decision), Units(keys)


@pytest.mark.parametrize("name", TASKS)
def test_the_points_are_those_of_the_rows(name: str) -> None:
    decision, truth, before, after, keys = sides(name)
    for model in (before, after):
        points, found = fit(truth, model, decision), levels(truth, model, decision, keys)
        assert set(found) <= set(points)
        assert {key: each.value for key, each in found.items()} == pytest.approx({key: points[key].value for key in found})
    moved = changes(truth, before, after, decision) | differences(fit(truth, before, decision), fit(truth, after, decision))
    paired = paired_changes(truth, before, after, decision, keys)
    assert set(paired) <= set(moved)
    assert {key: each.value for key, each in paired.items()} == pytest.approx(
        {key: moved[key].value for key in paired}, abs=1e-14
    )


@pytest.mark.parametrize("name", TASKS)
def test_every_measure_of_fit_and_every_change_has_an_interval_that_holds_its_value(name: str) -> None:
    decision, truth, before, after, keys = sides(name)
    whole = with_intervals(fit(truth, before, decision), levels(truth, before, decision, keys))
    moved = changes(truth, before, after, decision) | differences(fit(truth, before, decision), fit(truth, after, decision))
    moved = with_intervals(moved, paired_changes(truth, before, after, decision, keys))
    for key, each in (*whole.items(), *((key, each) for key, each in moved.items() if key.endswith("_change"))):
        if key == "score_change" or each.value is None:
            continue
        assert each.interval is not None, key
        assert each.interval.low <= each.value <= each.interval.high, key
        assert each.interval.low < each.interval.high, key


@pytest.mark.parametrize("name", TASKS)
def test_the_order_of_rows_changes_no_bit(name: str) -> None:
    decision, truth, before, after, keys = sides(name)
    order = np.random.default_rng(0).permutation(N)
    shuffled = truth[order], before.take(order), after.take(order)
    assert levels(shuffled[0], shuffled[1], decision, keys.take(order)) == levels(truth, before, decision, keys)
    assert paired_changes(*shuffled, decision, keys.take(order)) == paired_changes(truth, before, after, decision, keys)


@pytest.mark.parametrize("name", TASKS)
def test_nothing_is_resampled_where_it_is_not_asked_for(name: str) -> None:
    decision, truth, before, after, keys = sides(name)
    found = paired_changes(truth, before, after, decision, keys, resampled=False)
    assert not {"ece_change", "calibration_ks_change", "r2_change", "rmse_change", "mean_abs_error", "sqnr_db"} & set(found)
    methods = {each.interval.method for each in found.values() if each.interval is not None}
    assert not any("bootstrap" in method for method in methods)


def test_what_could_not_be_measured_stays_as_it_is() -> None:
    none: Any = Number(None, None, 0, "no rows")
    assert with_intervals({"r2": none, "mae": Number(1.0)}, {}) == {"r2": none, "mae": Number(1.0)}
    decision, truth, before, _, keys = sides("regression")
    constant = np.ones_like(truth)
    whole = with_intervals(fit(constant, before, decision), levels(constant, before, decision, keys))
    assert whole["r2"] == Number(None, None, N, "the target is the same in every row")


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_end_in_numbers_or_reasons(name: str, rows: int) -> None:
    decision, truth, before, after, keys = sides(name)
    part = np.arange(rows)
    whole = with_intervals(
        fit(truth[part], before.take(part), decision), levels(truth[part], before.take(part), decision, keys.take(part))
    )
    paired = paired_changes(truth[part], before.take(part), after.take(part), decision, keys.take(part))
    for each in (*whole.values(), *paired.values()):
        assert each.value is None or np.isfinite(each.value)
        assert each.interval is None or np.isfinite([each.interval.low, each.interval.high]).all()
        assert each.interval is not None or each.value is None or each.reason is not None or rows > 0


@pytest.mark.parametrize("name", ["binary", "multiclass", "regression"])
def test_many_rows_are_drawn_in_groups(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same points; intervals of about the same width, and of the change of a curve none, with the reason."""
    decision, truth, before, after, keys = sides(name)
    alone = levels(truth, before, decision, keys) | paired_changes(truth, before, after, decision, keys)
    monkeypatch.setattr(units, "LARGE", N - 1)
    monkeypatch.setattr(uncertainty, "LARGE", N - 1)
    monkeypatch.setattr(units, "GROUPS", 128)
    grouped = levels(truth, before, decision, keys) | paired_changes(truth, before, after, decision, keys)
    assert set(grouped) == set(alone)
    for key, each in grouped.items():
        assert each.value == pytest.approx(alone[key].value, abs=1e-14), key
        if key == "calibration_ks_change":
            assert (each.interval, each.reason) == (None, uncertainty.NOT_RESAMPLED)
            continue
        one, other = each.interval, alone[key].interval
        if key == "score_change":
            assert one is None  # too few rows for so high a quantile
            assert each == alone[key]
            continue
        assert one is not None
        assert other is not None
        assert (one.high - one.low) / (other.high - other.low) == pytest.approx(1.0, abs=0.35), key


def test_up_to_the_limit_rows_are_drawn_one_by_one() -> None:
    keys = row_keys({"a": np.arange(units.LARGE + 1.0)})
    assert Units(keys[:-1]).drawn is None
    groups = Units(keys).drawn
    assert groups is not None
    sizes = np.unique(groups, return_counts=True)[1]
    assert len(sizes) > 0.9 * units.GROUPS
    assert sizes.max() < 30


def test_values_whose_squares_overflow_are_not_resampled() -> None:
    decision, truth, before, after, units = sides("regression")
    for largest, measured in ((9e69, True), (1.1e70, False)):
        far = truth.copy()
        far[0] = -largest
        assert ("rmse" in levels(far, before, decision, units)) == measured
        assert ("rmse_change" in paired_changes(far, before, after, decision, units)) == measured
