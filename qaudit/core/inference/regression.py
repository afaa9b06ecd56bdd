"""Intervals of R2, RMSE and their changes, and the share of rows that moved. Rows carry keys (`row_keys`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.inference.bootstrap import LOG, LOG_ONE_MINUS, REPLICATES, Statistic, studentized_interval
from qaudit.core.inference.estimate import Estimate, exact_mean
from qaudit.core.inference.intervals import LEVEL
from qaudit.core.inference.row_keys import Keys
from qaudit.core.tensor import Floats

ROUGH = 200
"""With fewer rows or clusters the intervals of the levels hold less than they say where errors have heavy tails, and say so."""
HEAVY_TAILS = 0.975
"""Quantile for the 95 % interval of RMSE: with that of 95 % it holds in 92 % of samples where errors are t with 5 degrees."""
RMSE = Statistic(lambda m: np.sqrt(m[:, 0]), lambda m: 0.5 / np.sqrt(m), LOG)
"""Columns: the squared error."""
R2 = Statistic(
    lambda m: 1.0 - m[:, 0] / _variance(m, 1),
    lambda m: np.stack(
        [-1.0 / _variance(m, 1), -2.0 * m[:, 0] * m[:, 1] / _variance(m, 1) ** 2, m[:, 0] / _variance(m, 1) ** 2], axis=1
    ),
    LOG_ONE_MINUS,
)
"""Columns: the squared error, the target and its square."""
RMSE_CHANGE = Statistic(
    lambda m: m[:, 1] / (np.sqrt(m[:, 0] + m[:, 1]) + np.sqrt(m[:, 0])),
    lambda m: np.stack([0.5 / np.sqrt(m[:, 0] + m[:, 1]) - 0.5 / np.sqrt(m[:, 0]), 0.5 / np.sqrt(m[:, 0] + m[:, 1])], axis=1),
)
"""Columns: the squared error before, and its change, which keeps its digits where the change is small."""
R2_CHANGE = Statistic(
    lambda m: -m[:, 0] / _variance(m, 1),
    R2.gradient,
)
"""Columns: the change of the squared error, the target and its square."""


def r2(truth: Floats, predicted: Floats, keys: Keys, *, clusters: NDArray[Any] | None = None,
       replicates: int = REPLICATES, seed: int = 0) -> Estimate:  # fmt: skip
    """R2 with an interval; not assessed for fewer than 2 rows or a constant target."""
    if reason := _no_r2(truth):
        return Estimate(None, None, len(truth), reason)
    columns = np.column_stack([np.square(truth - predicted), *_target(truth)])
    return _rough(studentized_interval(keys, columns, R2, clusters=clusters, replicates=replicates, seed=seed), clusters)


def r2_change(truth: Floats, before: Floats, after: Floats, keys: Keys, *, clusters: NDArray[Any] | None = None,
              replicates: int = REPLICATES, seed: int = 0) -> Estimate:  # fmt: skip
    """R2 after minus before on the same rows."""
    if reason := _no_r2(truth):
        return Estimate(None, None, len(truth), reason)
    columns = np.column_stack([_growth(truth, before, after), *_target(truth)])
    return studentized_interval(keys, columns, R2_CHANGE, clusters=clusters, replicates=replicates, seed=seed)


def rmse(truth: Floats, predicted: Floats, keys: Keys, *, clusters: NDArray[Any] | None = None,
         replicates: int = REPLICATES, seed: int = 0) -> Estimate:  # fmt: skip
    """Root of the mean squared error, in the unit of the target."""
    columns = np.square(truth - predicted)[:, None]
    if len(truth) and not columns.any():
        return Estimate(0.0, None, len(truth), "no interval: every row is predicted exactly")
    wide = studentized_interval(keys, columns, RMSE, clusters=clusters, replicates=replicates, seed=seed, level=HEAVY_TAILS)
    return _rough(_labelled(wide), clusters)


def rmse_change(truth: Floats, before: Floats, after: Floats, keys: Keys, *, clusters: NDArray[Any] | None = None,
                replicates: int = REPLICATES, seed: int = 0) -> Estimate:  # fmt: skip
    """RMSE after minus before on the same rows."""
    columns = np.column_stack([np.square(truth - before), _growth(truth, before, after)])
    return studentized_interval(keys, columns, RMSE_CHANGE, clusters=clusters, replicates=replicates, seed=seed)


def _labelled(estimate: Estimate) -> Estimate:
    if estimate.interval is None:
        return estimate
    method = f"{estimate.interval.method}, {HEAVY_TAILS:.1%} quantile against heavy tails"
    return replace(estimate, interval=replace(estimate.interval, level=LEVEL, method=method))


def _rough(estimate: Estimate, clusters: NDArray[Any] | None) -> Estimate:
    units = estimate.n if clusters is None else len(np.unique(clusters))
    if estimate.interval is None or units >= ROUGH:
        return estimate
    return replace(estimate, reason=f"rough interval: {units} {'rows' if clusters is None else 'clusters'}")


def _variance(means: Floats, first: int) -> Floats:
    return np.asarray(means[:, first + 1] - np.square(means[:, first]))


def _target(truth: Floats) -> tuple[Floats, Floats]:
    # R2 does not depend on the origin of the target, its digits do
    centred = truth - exact_mean(truth)
    return centred, np.square(centred)


def _growth(truth: Floats, before: Floats, after: Floats) -> Floats:
    """Squared error after minus before, as a product, so that a small change keeps its digits."""
    return np.asarray((after - before) * ((after - truth) + (before - truth)))


def _no_r2(truth: Floats) -> str | None:
    if len(truth) < 2:
        return "fewer than 2 rows"
    return "the target is the same in every row" if np.ptp(truth) == 0.0 else None
