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
from qaudit.core.inference.row_keys import Keys, cluster_keys
from qaudit.core.measures import classification
from qaudit.core.measures.changes import CLIP, Number
from qaudit.core.measures.rows import Side, positive_class
from qaudit.core.tensor import Floats

LARGE = 50_000
"""Beyond so many rows they are drawn in groups, and bins are not resampled: the time stays bounded."""
GROUPS = 16_384
LARGEST = 1e150
"""Beyond it squares overflow."""
NOT_RESAMPLED = f"no interval: the bins of more than {LARGE:,} rows are not resampled"


def with_intervals(points: Mapping[str, Number], estimates: Mapping[str, Estimate]) -> dict[str, Number]:
    """The points, each replaced by its estimate where there is one. What could not be measured stays as it is."""
    replaced = {name: Number(each.value, each.interval, each.n, each.reason) for name, each in estimates.items()}
    return {name: replaced.get(name, point) if point.value is not None else point for name, point in points.items()}


def levels(truth: NDArray[Any], model: Side, decision: Decision, keys: Keys) -> dict[str, Estimate]:
    """How well predictions fit, with intervals: what `rows.fit` measures except the shares, which have exact ones."""
    if model.decided is None:
        predicted = model.predictions[:, 0]
        if _overflow(truth, predicted):
            return {}
        errors, groups = np.abs(truth - predicted), drawn_in(keys)
        return {
            "r2": regression.r2(truth, predicted, keys, clusters=groups),
            "rmse": regression.rmse(truth, predicted, keys, clusters=groups),
            "mae": means.bootstrap_mean(errors, keys, clusters=groups),
        }
    estimates: dict[str, Estimate] = {}
    if decision.output == "binary":
        estimates["roc_auc"] = auc.roc_auc(truth == positive_class(decision, model), model.score)
    if model.predictions.shape[1] == 1:
        return estimates
    losses = means.log_loss_rows(truth, model.predictions, CLIP)
    squares = means.brier_rows(truth, model.predictions, _positive(decision))
    return estimates | {
        "log_loss": means.bootstrap_mean(losses, keys, clusters=drawn_in(keys)),
        "brier": means.bootstrap_mean(squares, keys, clusters=drawn_in(keys)),
        "ece": _ece(_hit(truth, model, decision), model.score, keys),
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
        estimates["ece_change"] = _ece_change(hits[0], before.score, hits[1], after.score, keys)
    return estimates


def drawn_in(keys: Keys) -> Keys | None:
    """The group (n,) that each row is drawn with; None up to LARGE rows, which are drawn one by one.

    A group is chosen by the key of a row, which is as good as at random, so that groups are independent as rows are: many of them
    show the spread of a mean as well as the rows themselves.
    """
    return None if len(keys) <= LARGE else cluster_keys(keys % np.uint64(GROUPS))


def _ece(hit: NDArray[np.bool_], confidence: Floats, keys: Keys) -> Estimate:
    if len(keys) <= LARGE:
        return calibration.ece(hit, confidence, keys).estimate
    return Estimate(classification.ece(hit, confidence).value, None, len(keys), NOT_RESAMPLED)


def _ece_change(
    hit_before: NDArray[np.bool_], before: Floats, hit_after: NDArray[np.bool_], after: Floats, keys: Keys
) -> Estimate:
    if len(keys) <= LARGE:
        return calibration.ece_change(hit_before, before, hit_after, after, keys)
    values = [classification.ece(hit, confidence).value for hit, confidence in ((hit_before, before), (hit_after, after))]
    return Estimate((values[1] or 0.0) - (values[0] or 0.0), None, len(keys), NOT_RESAMPLED)


def _changes_of_numbers(truth: Floats, before: Floats, after: Floats, keys: Keys | None) -> dict[str, Estimate]:
    if _overflow(truth, before, after):
        return {}
    estimates = {"mae_change": means.mean_interval(np.abs(truth - after) - np.abs(truth - before))}
    if keys is not None:
        estimates["r2_change"] = regression.r2_change(truth, before, after, keys, clusters=drawn_in(keys))
        estimates["rmse_change"] = regression.rmse_change(truth, before, after, keys, clusters=drawn_in(keys))
    return estimates


def _overflow(*values: Floats) -> bool:
    """Whether squares of the values or of their differences may be too large for a float; the points then say so."""
    return any(np.abs(each).max(initial=0.0) > LARGEST for each in values)


def _positive(decision: Decision) -> int | None:
    return decision.positive if decision.output == "binary" else None


def _hit(truth: NDArray[Any], model: Side, decision: Decision) -> NDArray[np.bool_]:
    """Whether the class whose probability is the score came true."""
    if decision.output == "binary":
        return np.asarray(truth == decision.positive)
    return np.asarray(truth == np.argmax(model.predictions, axis=1))
