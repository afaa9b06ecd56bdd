"""Measures of fit and their changes with intervals, for rows that carry keys; qaudit.core.measures.rows has the points.

An interval speaks of the population that the rows were drawn from. docs/statistics.md says of each method what it assumes, and
how often it covers in simulations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision
from qaudit.core.inference import auc, calibration, means, regression
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.row_keys import Keys
from qaudit.core.measures.changes import CLIP, Number
from qaudit.core.measures.rows import Side, positive_class
from qaudit.core.tensor import Floats


def with_intervals(points: Mapping[str, Number], estimates: Mapping[str, Estimate]) -> dict[str, Number]:
    """The points, each replaced by its estimate where there is one. What could not be measured stays as it is."""
    replaced = {name: Number(each.value, each.interval, each.n, each.reason) for name, each in estimates.items()}
    return {name: replaced.get(name, point) if point.value is not None else point for name, point in points.items()}


def levels(truth: NDArray[Any], model: Side, decision: Decision, keys: Keys) -> dict[str, Estimate]:
    """How well predictions fit, with intervals: what `rows.fit` measures except the shares, which have exact ones."""
    if model.decided is None:
        predicted = model.predictions[:, 0]
        errors = np.abs(truth - predicted)
        return {
            "r2": regression.r2(truth, predicted, keys),
            "rmse": regression.rmse(truth, predicted, keys),
            "mae": means.bootstrap_mean(errors, keys),
        }
    estimates: dict[str, Estimate] = {}
    if decision.output == "binary":
        estimates["roc_auc"] = auc.roc_auc(truth == positive_class(decision, model), model.score)
    if model.predictions.shape[1] == 1:
        return estimates
    hit = _hit(truth, model, decision)
    return estimates | {
        "log_loss": means.bootstrap_mean(means.log_loss_rows(truth, model.predictions, CLIP), keys),
        "brier": means.bootstrap_mean(means.brier_rows(truth, model.predictions, _positive(decision)), keys),
        "ece": calibration.ece(hit, model.score, keys).estimate,
    }


def paired_changes(truth: NDArray[Any], before: Side, after: Side, decision: Decision, keys: Keys | None) -> dict[str, Estimate]:
    """After minus before on the same rows, with paired intervals. Without `keys` only those that need no resampling."""
    if before.decided is None:
        return _changes_of_numbers(truth, before.predictions[:, 0], after.predictions[:, 0], keys)
    estimates: dict[str, Estimate] = {}
    if decision.output == "binary":
        estimates["auc_change"] = auc.auc_change(truth == positive_class(decision, before), before.score, after.score)
    if before.predictions.shape[1] == 1:
        return estimates
    losses = [means.log_loss_rows(truth, each.predictions, CLIP) for each in (before, after)]
    squares = [means.brier_rows(truth, each.predictions, _positive(decision)) for each in (before, after)]
    estimates["log_loss_change"] = means.mean_interval(losses[1] - losses[0])
    estimates["brier_change"] = means.mean_interval(squares[1] - squares[0])
    if keys is not None:
        hits = [_hit(truth, each, decision) for each in (before, after)]
        estimates["ece_change"] = calibration.ece_change(hits[0], before.score, hits[1], after.score, keys)
    return estimates


def _changes_of_numbers(truth: Floats, before: Floats, after: Floats, keys: Keys | None) -> dict[str, Estimate]:
    estimates = {"mae_change": means.mean_interval(np.abs(truth - after) - np.abs(truth - before))}
    if keys is not None:
        estimates["r2_change"] = regression.r2_change(truth, before, after, keys)
        estimates["rmse_change"] = regression.rmse_change(truth, before, after, keys)
    return estimates


def _positive(decision: Decision) -> int | None:
    return decision.positive if decision.output == "binary" else None


def _hit(truth: NDArray[Any], model: Side, decision: Decision) -> NDArray[np.bool_]:
    """Whether the class whose probability is the score came true."""
    if decision.output == "binary":
        return np.asarray(truth == decision.positive)
    return np.asarray(truth == np.argmax(model.predictions, axis=1))
