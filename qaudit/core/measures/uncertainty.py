"""Measures of fit and their changes with intervals; qaudit.core.measures.rows has the points.

An interval speaks of the population that the rows were drawn from. docs/statistics.md says of each method what it assumes, and
how often it covers in simulations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision
from qaudit.core.inference import auc, calibration, calibration_curve, means, regression, signal
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.quantiles import quantile_interval
from qaudit.core.measures import changes as change
from qaudit.core.measures import classification
from qaudit.core.measures.changes import CLIP, Number
from qaudit.core.measures.rows import SCORE_QUANTILE, Side, positive_class
from qaudit.core.measures.units import LARGE, Units
from qaudit.core.tensor import Floats

LARGEST = 1e70
"""Beyond it the sums of fourth powers overflow, which the standard errors of squared errors are made of."""
NOT_RESAMPLED = f"no interval: curves of more than {LARGE:,} rows are not resampled"
OF_CLUSTERS = "not given where rows belong to clusters"


def with_intervals(points: Mapping[str, Number], estimates: Mapping[str, Estimate]) -> dict[str, Number]:
    """The points, each replaced by its estimate where there is one. What could not be measured stays as it is."""
    replaced = {name: Number(each.value, each.interval, each.n, each.reason) for name, each in estimates.items()}
    return {name: replaced.get(name, point) if point.value is not None else point for name, point in points.items()}


def levels(truth: NDArray[Any], model: Side, decision: Decision, units: Units) -> dict[str, Estimate]:
    """How well predictions fit, with intervals: what `rows.fit` measures."""
    estimates = _levels_of_numbers(truth, model, units) if model.decided is None else _levels(truth, model, decision, units)
    return {name: units.stated(each) for name, each in estimates.items()}


def paired_changes(
    truth: NDArray[Any], before: Side, after: Side, decision: Decision, units: Units, resampled: bool = True
) -> dict[str, Estimate]:
    """After minus before on the same rows, with paired intervals. Not `resampled`: only those that cost little."""
    if before.decided is None:
        estimates = _changes_of_numbers(truth, before.predictions[:, 0], after.predictions[:, 0], units, resampled)
    else:
        estimates = _changes(truth, before, after, decision, units, resampled)
    return {name: units.stated(each) for name, each in (estimates | _moved(before, after, units, resampled)).items()}


def divergence_intervals(before: Side, after: Side, units: Units) -> dict[str, Estimate]:
    """Intervals of what `rows.divergence` measures."""
    if before.decided is None or before.predictions.shape[1] == 1 or not len(units):
        return {}
    rows = change.kl_rows(before.predictions, after.predictions)
    mean = means.bootstrap_mean(rows, units.keys, clusters=units.drawn)
    return {"": units.stated(mean), "p99": _quantile(rows, 0.99, units)}


def _levels(truth: NDArray[Any], model: Side, decision: Decision, units: Units) -> dict[str, Estimate]:
    estimates: dict[str, Estimate] = {}
    if decision.output == "binary":
        label = positive_class(decision, model)
        estimates["roc_auc"] = auc.roc_auc(truth == label, model.score, clusters=units.clusters)
    if units.clusters is not None:
        estimates |= _clustered_shares(truth, model, decision, units)
    if model.predictions.shape[1] == 1:
        return estimates
    hit, drawn = hits(truth, model, decision), units.drawn
    losses = means.log_loss_rows(truth, model.predictions, CLIP)
    squares = means.brier_rows(truth, model.predictions, _positive(decision))
    return estimates | {
        "log_loss": means.bootstrap_mean(losses, units.keys, clusters=drawn),
        "brier": means.bootstrap_mean(squares, units.keys, clusters=drawn),
        "ece": calibration.ece(hit, model.score, units.keys, clusters=drawn, dependent=units.dependent).estimate,
        "calibration_ks": _ks(hit, model.score, units),
    }


def _clustered_shares(truth: NDArray[Any], model: Side, decision: Decision, units: Units) -> dict[str, Estimate]:
    assert model.decided is not None
    estimates = {"accuracy": units.share(model.decided == truth)}
    if decision.output == "binary":
        positive = positive_class(decision, model)
        taken = model.decided == positive
        estimates["positive_rate"] = units.share(taken)
        estimates["tpr"] = units.share(taken, truth == positive)
        estimates["fpr"] = units.share(taken, truth != positive)
    return estimates


def _levels_of_numbers(truth: NDArray[Any], model: Side, units: Units) -> dict[str, Estimate]:
    predicted = model.predictions[:, 0]
    if _overflow(truth, predicted):
        return {}
    errors, drawn, keys = np.abs(truth - predicted), units.drawn, units.keys
    return {
        "r2": regression.r2(truth, predicted, keys, clusters=drawn),
        "rmse": regression.rmse(truth, predicted, keys, clusters=drawn),
        "mae": means.bootstrap_mean(errors, keys, clusters=drawn),
    }


def _changes(
    truth: NDArray[Any], before: Side, after: Side, decision: Decision, units: Units, resampled: bool
) -> dict[str, Estimate]:
    estimates: dict[str, Estimate] = {}
    if decision.output == "binary":
        positive = truth == positive_class(decision, before)
        estimates["auc_change"] = auc.auc_change(positive, before.score, after.score, clusters=units.clusters)
    if units.clusters is not None:
        estimates |= _clustered_changes(truth, before, after, decision, units)
    if before.predictions.shape[1] == 1:
        return estimates
    losses = [means.log_loss_rows(truth, each.predictions, CLIP) for each in (before, after)]
    squares = [means.brier_rows(truth, each.predictions, _positive(decision)) for each in (before, after)]
    estimates["log_loss_change"] = means.mean_interval(losses[1] - losses[0], clusters=units.clusters)
    estimates["brier_change"] = means.mean_interval(squares[1] - squares[0], clusters=units.clusters)
    if resampled:
        hit = [hits(truth, each, decision) for each in (before, after)]
        curves = (hit[0], before.score, hit[1], after.score, units.keys)
        estimates["ece_change"] = calibration.ece_change(*curves, clusters=units.drawn)
        if units.count <= LARGE:
            estimates["calibration_ks_change"] = calibration_curve.ks_calibration_change(*curves, clusters=units.clusters)
        else:
            estimates["calibration_ks_change"] = _plain_ks_change(*curves)
    return estimates


def _clustered_changes(truth: NDArray[Any], before: Side, after: Side, decision: Decision, units: Units) -> dict[str, Estimate]:
    assert before.decided is not None
    assert after.decided is not None
    estimates = {
        "flip_rate": units.share(before.decided != after.decided),
        "accuracy_change": units.change(before.decided == truth, after.decided == truth),
        "mcnemar_p": Estimate(None, None, len(units), OF_CLUSTERS),
    }
    if decision.output == "binary":
        positive = positive_class(decision, before)
        was, now = before.decided == positive, after.decided == positive
        estimates["positive_rate_change"] = units.change(was, now)
        estimates["tpr_change"] = units.change(was, now, truth == positive)
        estimates["fpr_change"] = units.change(was, now, truth != positive)
    return estimates


def _changes_of_numbers(truth: Floats, before: Floats, after: Floats, units: Units, resampled: bool) -> dict[str, Estimate]:
    if _overflow(truth, before, after):
        return {}
    moved = np.abs(truth - after) - np.abs(truth - before)
    estimates = {"mae_change": means.mean_interval(moved, clusters=units.clusters)}
    if resampled:
        drawn = units.drawn
        estimates["r2_change"] = regression.r2_change(truth, before, after, units.keys, clusters=drawn)
        estimates["rmse_change"] = regression.rmse_change(truth, before, after, units.keys, clusters=drawn)
    return estimates


def _moved(before: Side, after: Side, units: Units, resampled: bool) -> dict[str, Estimate]:
    """Sizes of score changes: their mean, their quantile, and the ratio of signal to noise."""
    if not resampled or not len(units) or _overflow(before.predictions, after.predictions):
        return {}
    size = np.abs(after.predictions - before.predictions).mean(axis=1)
    squares = [np.square(each).mean(axis=1) for each in (before.predictions, after.predictions - before.predictions)]
    return {
        "mean_abs_error": means.bootstrap_mean(size, units.keys, clusters=units.drawn),
        "score_change": _quantile(np.abs(after.score - before.score), SCORE_QUANTILE, units),
        "sqnr_db": signal.sqnr_db(squares[0], squares[1], units.keys, clusters=units.drawn),
    }


def _quantile(values: Floats, q: float, units: Units) -> Estimate:
    estimate = quantile_interval(values, q)
    if units.clusters is None:
        return estimate
    return Estimate(estimate.value, None, estimate.n, f"no interval: that of a quantile is {OF_CLUSTERS}")


def _ks(hit: NDArray[np.bool_], confidence: Floats, units: Units) -> Estimate:
    if units.clusters is None:
        return calibration.ks_calibration(hit, confidence)
    if units.count <= LARGE:
        return calibration_curve.ks_calibration_by_cluster(hit, confidence, units.keys, units.clusters)
    alone = calibration.ks_calibration(hit, confidence)
    return Estimate(alone.value, None, alone.n, NOT_RESAMPLED)


def _plain_ks_change(
    hit_before: NDArray[np.bool_], before: Floats, hit_after: NDArray[np.bool_], after: Floats, keys: NDArray[np.uint64]
) -> Estimate:
    values = [calibration.ks_calibration(hit, score).value or 0.0 for hit, score in ((hit_before, before), (hit_after, after))]
    return Estimate(values[1] - values[0], None, len(keys), NOT_RESAMPLED)


def _overflow(*values: Floats) -> bool:
    """Whether squares of the values or of their differences may be too large for a float; the points then say so."""
    return any(np.abs(each).max(initial=0.0) > LARGEST for each in values)


def _positive(decision: Decision) -> int | None:
    return decision.positive if decision.output == "binary" else None


def hits(truth: NDArray[Any], model: Side, decision: Decision) -> NDArray[np.bool_]:
    """Whether the class whose probability is the score came true (n,)."""
    return classification.came_true(truth, model.predictions, _positive(decision))
