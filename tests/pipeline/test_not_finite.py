"""Numbers that are not finite are not assessed, with the reason; a value such as 1e308 never ends in a traceback."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import qaudit
from qaudit.core.evidence import NO_INTERVAL, NOT_FINITE, Interval, measured
from qaudit.inputs.data import mean_of
from qaudit.pipeline.stages.load_proof import Proof

ABOUT = {"candidate": "reference"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_result_that_is_not_finite_is_not_assessed(value: float) -> None:
    row = measured("rmse", value, ABOUT, "evaluate", "metrics.performance", unit="target", interval=Interval(0, 1, 0.95, "m"))
    assert (row.value, row.interval, row.reason) == (None, None, NOT_FINITE)
    known = measured("r2", value, ABOUT, "evaluate", "metrics.performance", reason="small group: n < 30")
    assert known.reason == f"{NOT_FINITE}; small group: n < 30"


@pytest.mark.parametrize(("low", "high"), [(-math.inf, 1.0), (0.0, math.inf), (math.nan, math.nan)])
def test_a_value_keeps_its_place_without_an_interval_that_is_not_finite(low: float, high: float) -> None:
    row = measured("r2", 0.5, ABOUT, "evaluate", "metrics.performance", interval=Interval(low, high, 0.95, "m"))
    assert (row.value, row.interval, row.reason) == (0.5, None, NO_INTERVAL)


def test_what_is_finite_is_left_alone() -> None:
    interval = Interval(0.25, 0.75, 0.95, "m")
    row = measured("r2", 0.5, ABOUT, "evaluate", "metrics.performance", interval=interval)
    assert (row.value, row.interval, row.reason) == (0.5, interval, None)


def test_the_mean_of_values_whose_sum_overflows() -> None:
    assert mean_of(np.array([1e308, 1e308, 1e308])) == pytest.approx(1e308)
    assert mean_of(np.array([1e308, -1e308])) == 0.0
    values = np.array([0.1, 0.2, 0.4])
    assert mean_of(values) == values.mean()


def test_a_bound_that_overflows_is_left_out_of_the_report() -> None:
    assert Proof(True, "It holds.", 3, 0.0, math.inf, (1,)).json(None)["bound"] is None
    assert Proof(True, "It holds.", 3, 0.0, 0.5, ()).json(None)["bound"] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("where", ["cell", "target"])
def test_a_value_of_1e308_leaves_a_report(where: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 2))
    target = rows @ [1.0, 2.0] + rng.normal(size=120)
    quick: dict[str, Any] = {"quantizers": {"symmetric": {"axis": "tensor"}}, "bits": 8, "explainers": (), "formats": "html"}
    if where == "cell":
        model, y = LogisticRegression().fit(rows, target > 0), target > 0
        rows[7, 1] = 1e308
    else:
        model, y = LinearRegression().fit(rows, target), target
        y[3] = 1e308
    report = qaudit.audit(model, rows, y, output=tmp_path / "report", **quick)
    assert report.html is not None
    reasons = {row["measure"]: row["reason"] for row in report.content["evidence"] if row["value"] is None}
    assert where == "cell" or NOT_FINITE in reasons["r2"]
