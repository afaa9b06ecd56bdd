"""Measures the predictions of one candidate: how well they fit, and what changed against the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.measures import DEPENDENT, Unit, known
from qaudit.core.decision import Decision
from qaudit.core.evidence import Evidence, measured
from qaudit.core.inference.intervals import mcnemar, newcombe_paired
from qaudit.core.measures import changes as change
from qaudit.core.measures import classification, regression
from qaudit.core.measures.changes import Number
from qaudit.core.tensor import Floats

SMALL = 30
"""Groups of fewer rows are measured too, with a mark."""
PERFORMANCE, LOSS = "metrics.performance", "quantization.precision_loss"
MARGINS = Number(None, None, None, "the model gives margins, not probabilities")
TWO_CLASSES = Number(None, None, None, "measured for two classes only")
LARGEST_CHANGE = "no interval: the largest change of these rows; more rows can only raise it"
SCORE_QUANTILE = 0.99
DIFFERENCES = ("log_loss", "brier", "ece", "calibration_ks", "r2", "mae", "rmse")
"""Measures of fit whose change is their plain difference."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The predictions (n, k) of one model for some rows, its decisions (n,) or None, and the scores (n,) behind them."""

    predictions: Floats
    decided: NDArray[Any] | None
    score: Floats

    def take(self, rows: NDArray[Any]) -> Side:
        """The same on a subset of rows."""
        decided = None if self.decided is None else self.decided[rows]
        return Side(self.predictions[rows], decided, self.score[rows])


def side(predictions: Floats, decision: Decision) -> Side:
    """Apply the decision once."""
    return Side(predictions, decision(predictions), decision.score(predictions))


def fit(truth: NDArray[Any], model: Side, decision: Decision) -> dict[str, Number]:
    """How well predictions fit the truth: measure -> number."""
    if model.decided is None:
        predicted = model.predictions[:, 0]
        return {name: getattr(regression, name)(truth, predicted) for name in ("r2", "mae", "rmse")}
    margins = model.predictions.shape[1] == 1
    positive = decision.positive if decision.output == "binary" else None
    measured = {"accuracy": classification.accuracy(truth, model.decided), "roc_auc": TWO_CLASSES}
    if positive is not None:
        measured["roc_auc"] = classification.roc_auc(truth == _positive(decision, margins), model.score)
        measured |= _rates(truth == _positive(decision, margins), model.decided == _positive(decision, margins))
    if margins:
        return {**measured, **dict.fromkeys(("log_loss", "brier", "ece", "calibration_ks"), MARGINS)}
    hit = classification.came_true(truth, model.predictions, positive)
    measured["log_loss"] = classification.log_loss(truth, model.predictions)
    measured["brier"] = classification.brier(truth, model.predictions, positive)
    measured["ece"] = classification.ece(hit, model.score)
    measured["calibration_ks"] = classification.ks(hit, model.score)
    return measured


def _rates(positive: NDArray[np.bool_], decided: NDArray[np.bool_]) -> dict[str, Number]:
    """How often the decision is positive: of all rows, of those that are positive, of those that are not."""
    rows = {"positive_rate": np.ones(len(positive), dtype=bool), "tpr": positive, "fpr": ~positive}
    return {name: change.share(int(np.sum(decided & among)), int(np.sum(among))) for name, among in rows.items()}


def changes(truth: NDArray[Any], before: Side, after: Side, decision: Decision) -> dict[str, Number]:
    """What changed from the reference to a candidate on the same rows: measure -> number."""
    moved = np.abs(after.score - before.score)
    measured = {
        "max_abs_error": _largest(before, after),
        "mean_abs_error": change.mean_abs_error(before.predictions, after.predictions),
        "sqnr_db": change.sqnr_db(before.predictions, after.predictions),
        "score_change": change.quantile(moved, SCORE_QUANTILE),
    }
    if before.decided is None or after.decided is None:
        return measured
    flips = change.count_flips(truth, before.decided, after.decided)
    for name, count in (("", flips.total), ("_fixed", flips.fixed), ("_broken", flips.broken), ("_other", flips.other)):
        measured[f"flips{name}"] = Number(float(count), None, flips.n)
    measured["flip_rate"] = change.flip_rate(before.decided, after.decided)
    measured["accuracy_change"] = classification.accuracy_change(flips)
    measured["mcnemar_p"] = Number(mcnemar(flips.fixed, flips.broken), None, flips.n)
    if decision.output == "binary":
        label = _positive(decision, before.predictions.shape[1] == 1)
        measured["auc_change"] = classification.auc_change(truth == label, before.score, after.score)
        was, now = before.decided == label, after.decided == label
        measured["positive_rate_change"] = _rate_change(was, now)
        for name, among in (("tpr_change", truth == label), ("fpr_change", truth != label)):
            measured[name] = _rate_change(was[among], now[among])
    return measured


def divergence(before: Side, after: Side) -> dict[str, Number]:
    """KL of class probabilities in nats: "" the mean, "p99" the 99 % quantile, "max"; empty where there are none."""
    if before.decided is None or before.predictions.shape[1] == 1:
        return {}
    rows = change.kl_rows(before.predictions, after.predictions)
    mean = Number(float(np.mean(rows)), None, len(rows)) if len(rows) else Number(None, None, 0, "no rows")
    return {"": mean, "p99": change.quantile(rows, 0.99), "max": change.quantile(rows, 1.0)}


def differences(before: Mapping[str, Number], after: Mapping[str, Number]) -> dict[str, Number]:
    """`log_loss_change` and the like: after minus before, not assessed where either is not."""
    return {f"{name}_change": _minus(before[name], after[name]) for name in DIFFERENCES if name in after}


def row(measure: str, number: Number, about: Mapping[str, str], topic: str, model: Side) -> Evidence:
    """One row of the table, by the stage `evaluate`; `model` settles the unit of scores."""
    unit = score_unit(model) if known(measure).unit in DEPENDENT else None
    return measured(
        measure, number.value, dict(about), "evaluate", topic,
        unit=unit, interval=number.interval, n=number.n, reason=number.reason,
    )  # fmt: skip


def marked(number: Number) -> Number:
    """A number of a group of fewer than SMALL rows keeps its value and says that the group is small."""
    if number.n is None or number.n >= SMALL:
        return number
    reason = f"small group: n < {SMALL}" + (f"; {number.reason}" if number.reason else "")
    return Number(number.value, number.interval, number.n, reason)


def label(value: Any) -> str:
    """A group's value in print: whole numbers without ".0", "missing" for None and NaN."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "missing"
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def positive_class(decision: Decision, model: Side) -> int:
    """The class for which a larger score speaks."""
    return _positive(decision, model.predictions.shape[1] == 1)


def _positive(decision: Decision, margins: bool) -> int:
    # a larger binary margin favours the model's second class
    return 1 if margins else decision.positive


def score_unit(model: Side) -> Unit:
    """The unit of what the model gives."""
    if model.decided is None:
        return "target"
    return "margin" if model.predictions.shape[1] == 1 else "probability"


def _rate_change(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Number:
    n = len(before)
    if n == 0:
        return Number(None, None, 0, "no rows")
    lost, gained = int(np.sum(before & ~after)), int(np.sum(~before & after))
    interval = newcombe_paired(int(np.sum(before & after)), lost, gained, int(np.sum(~before & ~after)))
    return Number((gained - lost) / n, interval, n)


def _largest(before: Side, after: Side) -> Number:
    number = change.max_abs_error(before.predictions, after.predictions)
    return number if number.value is None else replace(number, reason=LARGEST_CHANGE)


def _minus(before: Number, after: Number) -> Number:
    if before.value is None or after.value is None:
        return Number(None, None, after.n, after.reason or before.reason)
    return Number(after.value - before.value, None, after.n)
