"""Bootstrap-t intervals against a twin that repeats rows, and R2 and RMSE against scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import r2_score, root_mean_squared_error

from qaudit.core.inference import regression
from qaudit.core.inference.bootstrap import IDENTITY, Statistic, studentized_interval
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.means import MEAN, bootstrap_mean
from qaudit.core.inference.row_keys import cluster_keys, row_keys
from qaudit.core.inference.weighted_sums import poisson_weights
from qaudit.core.tensor import Floats

RNG = np.random.default_rng(4)
N = 60
TRUTH = 1e3 + RNG.normal(size=N)
BEFORE = TRUTH + RNG.exponential(size=N) / 2
AFTER = BEFORE + RNG.normal(size=N) / 50
KEYS = row_keys({"truth": TRUTH, "before": BEFORE, "after": AFTER})
GROUPS = np.arange(N) ** 2 % 14


def r2(y: Floats, before: Floats, after: Floats) -> float:
    return 1 - float(np.sum((y - before) ** 2) / np.sum((y - y.mean()) ** 2))


def r2_change(y: Floats, before: Floats, after: Floats) -> float:
    return r2(y, after, after) - r2(y, before, before)


def rmse(y: Floats, before: Floats, after: Floats) -> float:
    return math.sqrt(float(np.mean((y - before) ** 2)))


def rmse_change(y: Floats, before: Floats, after: Floats) -> float:
    return rmse(y, after, after) - rmse(y, before, before)


def r2_influence(y: Floats, before: Floats, after: Floats) -> Floats:
    square, spread = (y - before) ** 2, np.mean((y - y.mean()) ** 2)
    return -square / spread + np.mean(square) * (y - y.mean()) ** 2 / spread**2


def r2_change_influence(y: Floats, before: Floats, after: Floats) -> Floats:
    return r2_influence(y, after, after) - r2_influence(y, before, before)


def rmse_influence(y: Floats, before: Floats, after: Floats) -> Floats:
    square = (y - before) ** 2
    return (square - np.mean(square)) / (2 * math.sqrt(np.mean(square)))


def rmse_change_influence(y: Floats, before: Floats, after: Floats) -> Floats:
    return rmse_influence(y, after, after) - rmse_influence(y, before, before)


Of = Callable[[Floats, Floats, Floats], float]
Influence = Callable[[Floats, Floats, Floats], Floats]
LOG_SCALE = {"r2": (lambda x: math.log(1 - x), lambda x: 1 / (1 - x)), "rmse": (math.log, lambda x: 1 / x)}
TWINS: dict[str, tuple[Of, Influence]] = {
    "r2": (r2, r2_influence),
    "r2_change": (r2_change, r2_change_influence),
    "rmse": (rmse, rmse_influence),
    "rmse_change": (rmse_change, rmse_change_influence),
}


def slow_interval(name: str, replicates: int, groups: np.ndarray | None) -> tuple[float, float, float]:
    """Every replicate as rows written as often as their weight says; standard errors from influences of rows or clusters."""
    function, influence = TWINS[name]
    scale, slope = LOG_SCALE.get(name, (lambda x: x, lambda x: 1.0))
    names, unit = (KEYS, np.arange(N)) if groups is None else np.unique(cluster_keys(groups), return_inverse=True)

    def one(weights: np.ndarray) -> tuple[float, float]:
        rows = np.repeat(np.arange(N), weights[unit].astype(int))
        data = TRUTH[rows], BEFORE[rows], AFTER[rows]
        parts = influence(*data)
        # a unit drawn twice is two units
        squares = 0.0
        for each, weight in enumerate(weights):
            if weight:
                squares += weight * (np.sum(parts[unit[rows] == each]) / weight) ** 2
        value = function(*data)
        return scale(value), slope(value) * math.sqrt(squares) / len(rows)

    value, error = one(np.ones(len(names)))
    drawn = [one(weights) for weights in poisson_weights(names, replicates)]
    distances = sorted(abs(each - value) / spread for each, spread in drawn)
    half = distances[math.ceil((replicates + 1) * (0.975 if name == "rmse" else 0.95)) - 1] * error
    ends = sorted(
        {"r2": lambda x: 1 - math.exp(x), "rmse": math.exp}.get(name, lambda x: x)(end) for end in (value - half, value + half)
    )
    return function(TRUTH, BEFORE, AFTER), ends[0], ends[1]


def run(name: str, order: np.ndarray | None = None, groups: np.ndarray | None = None, replicates: int = 199) -> Estimate:
    rows = np.arange(N) if order is None else order
    predictions = (BEFORE[rows], AFTER[rows]) if name.endswith("change") else (BEFORE[rows],)
    clusters = None if groups is None else cluster_keys(groups[rows])
    result: Estimate = getattr(regression, name)(TRUTH[rows], *predictions, KEYS[rows], clusters=clusters, replicates=replicates)
    return result


GROUPINGS = {"rows": None, "clusters": GROUPS, "pairs": np.arange(N) // 2, "one cluster among rows": np.maximum(np.arange(N), 5)}


@pytest.mark.parametrize("groups", GROUPINGS.values(), ids=GROUPINGS)
@pytest.mark.parametrize("name", TWINS)
def test_intervals_equal_their_slow_twin(name: str, groups: np.ndarray | None) -> None:
    result = run(name, groups=groups)
    assert result.interval is not None
    mine = (result.value, result.interval.low, result.interval.high)
    assert mine == pytest.approx(slow_interval(name, 199, groups), rel=1e-8, abs=1e-10)
    assert result.n == N


@pytest.mark.parametrize("groups", [None, GROUPS], ids=["rows", "clusters"])
@pytest.mark.parametrize("name", TWINS)
def test_the_order_of_rows_changes_no_bit(name: str, groups: np.ndarray | None) -> None:
    assert run(name, np.random.default_rng(1).permutation(N), groups) == run(name, groups=groups)


def test_levels_equal_scikit_learn() -> None:
    assert run("r2").value == pytest.approx(r2_score(TRUTH, BEFORE), abs=1e-10)
    assert run("rmse").value == pytest.approx(root_mean_squared_error(TRUTH, BEFORE), abs=1e-10)
    assert run("r2_change").value == pytest.approx(r2_score(TRUTH, AFTER) - r2_score(TRUTH, BEFORE), abs=1e-10)


def test_a_change_in_the_last_digits_keeps_its_own() -> None:
    """1e-9 of the error; the difference of two levels would have lost half of its digits."""
    result = regression.rmse_change(TRUTH, BEFORE, BEFORE + 1e-9, KEYS, replicates=99)
    residuals = BEFORE - TRUTH
    expected = 1e-9 * residuals.mean() / math.sqrt(np.mean(residuals**2))
    # BEFORE lies at 1,000 where the step of floats is 1e-13
    assert result.value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("statistic", [regression.R2, regression.R2_CHANGE, regression.RMSE, regression.RMSE_CHANGE, MEAN])
def test_gradients_are_those_of_the_values(statistic: Statistic) -> None:
    means = np.array([[0.7, 0.3, 1.9], [0.2, -0.1, 0.4]])
    width = {id(regression.RMSE): 1, id(MEAN): 1, id(regression.RMSE_CHANGE): 2}.get(id(statistic), 3)
    means = means[:, :width]
    slopes = statistic.gradient(means)
    for column in range(width):
        step = np.zeros(width)
        step[column] = 1e-6
        numeric = (statistic.value(means + step) - statistic.value(means - step)) / 2e-6
        assert slopes[:, column] == pytest.approx(numeric, rel=1e-6, abs=1e-8)
    values = statistic.value(means)
    numeric = (statistic.transform.forward(values + 1e-6) - statistic.transform.forward(values - 1e-6)) / 2e-6
    assert statistic.transform.slope(values) == pytest.approx(numeric, rel=1e-5)
    assert [statistic.transform.back(x) for x in statistic.transform.forward(values).tolist()] == pytest.approx(values.tolist())


def test_the_method_and_the_replicates_are_said() -> None:
    r2_interval, change, error = run("r2").interval, run("r2_change").interval, run("rmse").interval
    assert error is not None
    assert error.method == "bootstrap-t of log (199 Poisson replicates), 97.5% quantile against heavy tails"
    assert error.level == 0.95
    assert r2_interval is not None
    assert change is not None
    assert r2_interval.method == "bootstrap-t of log(1 - x) (199 Poisson replicates)"
    assert change.method == "bootstrap-t (199 Poisson replicates)"


def test_where_there_is_no_interval_the_reason_is_said() -> None:
    none = np.zeros(0)
    assert regression.rmse(none, none, KEYS[:0]) == Estimate(None, None, 0, "no rows")
    assert regression.r2(TRUTH[:1], BEFORE[:1], KEYS[:1]) == Estimate(None, None, 1, "fewer than 2 rows")
    flat = np.full(N, 3.0)
    assert regression.r2(flat, BEFORE, KEYS) == Estimate(None, None, N, "the target is the same in every row")
    assert regression.r2_change(flat, BEFORE, AFTER, KEYS).reason == "the target is the same in every row"
    assert regression.r2_change(TRUTH, BEFORE, BEFORE, KEYS) == Estimate(0.0, None, N, "no interval: these rows do not vary")
    assert regression.rmse(TRUTH, TRUTH, KEYS) == Estimate(0.0, None, N, "no interval: every row is predicted exactly")
    few = regression.r2(TRUTH[:3], BEFORE[:3], KEYS[:3])
    assert few.interval is None
    assert few.reason is not None
    assert few.reason.startswith("no interval: the value is not defined in")


@pytest.mark.parametrize("name", ["r2", "rmse"])
def test_intervals_of_levels_on_few_rows_are_called_rough(name: str) -> None:
    assert run(name).reason == "rough interval: 60 rows"
    assert run(name, groups=GROUPS).reason == f"rough interval: {len(set(GROUPS.tolist()))} clusters"
    assert run(f"{name}_change").reason is None
    y = RNG.normal(size=regression.ROUGH)
    keys = row_keys({"y": y})
    assert getattr(regression, name)(y, y + 0.3 * y[::-1], keys, replicates=99).reason is None
    assert getattr(regression, name)(y[1:], (y + 0.3 * y[::-1])[1:], keys[1:], replicates=99).reason == "rough interval: 199 rows"


def test_a_single_row_that_differs_makes_no_interval() -> None:
    """In a third of the replicates it is not drawn, and nothing varies there."""
    values = np.zeros(N)
    values[5] = 1.0
    result = bootstrap_mean(values, KEYS)
    assert result.value == pytest.approx(1 / N)
    assert result.interval is None


def test_a_statistic_without_a_value_is_not_assessed() -> None:
    nothing = Statistic(lambda m: m[:, 0] / 0.0, np.ones_like, IDENTITY)
    assert studentized_interval(KEYS, TRUTH[:, None], nothing).reason == "not defined on these rows"


def test_the_mean_has_nearly_the_interval_of_student() -> None:
    values = np.random.default_rng(2).normal(size=2000)
    result = bootstrap_mean(values, row_keys({"x": values}))
    assert result.interval is not None
    half = (result.interval.high - result.interval.low) / 2
    assert half == pytest.approx(1.96 * values.std() / math.sqrt(2000), rel=0.06)
