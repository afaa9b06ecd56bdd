"""Importance by leaving a column out and training again.

    prediction change   I_j,r = mean_i |f(x_i) - f_r^(-j)(x_i)|
    loss change         L_j,r = mean_i loss(y_i, f_r^(-j)(x_i)) - loss(y_i, f(x_i))

f_r^(-j) is trained without column j with seed r; every column has the same number of repeats. The loss is the log loss
(probabilities clipped to [1e-12, 1]), the squared error for regression, and the error rate for models that answer with one
margin. It explains the training procedure as much as the model: a column whose information another column carries scores near
0.

Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, Distribution-Free Predictive Inference for Regression, JASA 113 (2018) 1094-1111
(LOCO).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit import Context, Decline, Explainer, Importance, Subject, hookimpl

Array = NDArray[Any]


def losses(context: Context, predictions: Array) -> Array:
    """The loss (n,) of predictions (n, k) against the target of the context."""
    target = context.target
    assert target is not None
    decided = context.decide(predictions)
    if decided is None:
        return np.asarray((predictions[:, 0] - target) ** 2)
    if predictions.shape[1] == 1:
        return np.asarray(decided != target, dtype=np.float64)
    return np.asarray(-np.log(np.clip(predictions[np.arange(len(target)), target], 1e-12, 1.0)))


def explain(context: Context) -> tuple[Importance, Importance]:
    """Prediction change and loss change, each (repeats, d), over the repeats that every column has.

    Raises Decline where a column has no refitted model.
    """
    refits = context.refits or {}
    if missing := [name for name in context.names if not refits.get(name)]:
        raise Decline(f"no refit without column {missing[0]!r}")
    repeats = min(len(refits[name]) for name in context.names)
    full = context.predict(context.rows)
    rows, loss = np.arange(len(full)), losses(context, full)
    prediction_change, loss_change = np.zeros((repeats, len(context.names))), np.zeros((repeats, len(context.names)))
    for j, name in enumerate(context.names):
        for repeat in range(repeats):
            without = refits[name][repeat]
            prediction_change[repeat, j] = np.abs(without[rows, context.output] - full[rows, context.output]).mean()
            loss_change[repeat, j] = np.mean(losses(context, without) - loss)
    return Importance(prediction_change, "prediction_change"), Importance(loss_change, "loss_change")


@hookimpl
def qaudit_offer_explainers(subject: Subject) -> Iterator[Explainer]:
    """Offer the only explainer of this plugin."""
    yield Explainer(
        "drop_column",
        "importance by training again without a column: change of prediction and of loss",
        explain,
        needs=("target", "refits"),
    )
