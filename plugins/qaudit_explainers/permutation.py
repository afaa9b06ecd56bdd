"""Permutation importance of a fixed model.

    prediction change   I_j = mean_i |f(x_i) - f(x_i with column j permuted)|
    loss change         L_j = mean_i loss(y_i, f(x_i with column j permuted)) - loss(y_i, f(x_i))

The loss is the log loss (probabilities clipped to [1e-12, 1]), the squared error for regression, and the error rate for
models that answer with one margin. One value a repeat; each repeat draws one permutation of the rows a column, keyed by the
column's name.

Breiman, Random Forests, Machine Learning 45 (2001) 5-32; Fisher, Rudin, Dominici, JMLR 20(177) (2019). Permuting correlated
columns asks the model about rows that do not occur (Hooker, Mentch, Zhou, Statistics and Computing 31 (2021) 82).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit import Context, Explainer, Importance, Setting, Subject, hookimpl

Array = NDArray[Any]
BATCH = 20_000


def generator(seed: int, *names: str) -> np.random.Generator:
    """A random generator that depends on the seed and the names only, so that the order of columns changes no draw."""
    digest = hashlib.sha256("/".join((str(seed), *names)).encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:8], "big")))


def differs(before: Array, after: Array) -> NDArray[np.bool_]:
    """Where two columns (n,) differ; two missing values are equal."""
    if before.dtype == object:
        return np.array([a is not b and a != b for a, b in zip(before, after, strict=True)], dtype=bool)
    return np.asarray(~((before == after) | (np.isnan(before) & np.isnan(after))))


def losses(context: Context, predictions: Array) -> Array:
    """The loss (n,) of predictions (n, k) against the target of the context."""
    target = context.target
    assert target is not None
    decided = context.decide(predictions)
    if decided is None:
        return np.asarray((predictions[:, 0] - target) ** 2)
    if predictions.shape[1] == 1:
        return np.asarray(decided != target, dtype=np.float64)
    of_target = predictions[np.arange(len(target)), target]
    return np.asarray(-np.log(np.clip(of_target, 1e-12, 1.0)))


def predict_parts(context: Context, parts: list[dict[str, Array]]) -> Iterator[Array]:
    """The predictions of each part. Parts are joined to batches, since calls are slow; empty parts are not predicted."""
    batch: list[dict[str, Array]] = []
    for number, part in enumerate(parts):
        batch.append(part)
        total = sum(len(next(iter(waiting_part.values()))) for waiting_part in batch)
        if total < BATCH and number + 1 < len(parts):
            continue
        sizes = [len(next(iter(waiting_part.values()))) for waiting_part in batch]
        if total:
            joined = {name: np.concatenate([waiting_part[name] for waiting_part in batch]) for name in context.names}
            yield from np.split(context.predict(joined), np.cumsum(sizes)[:-1])
        else:
            yield from (np.empty((0, 1)) for _ in batch)
        batch = []


def explain(context: Context, *, repeats: int) -> tuple[Importance, Importance]:
    """Prediction change and loss change, each (repeats, d). Only rows that a permutation changes are predicted again."""
    rows, names = context.rows, context.names
    every = np.arange(len(context.output))
    before = context.predict(rows)
    loss = losses(context, before)
    prediction_change, loss_change = np.zeros((repeats, len(names))), np.zeros((repeats, len(names)))
    for repeat in range(repeats):
        changed, parts = [], []
        for name in names:
            permuted = rows[name][generator(context.seed, str(repeat), name).permutation(len(every))]
            where = np.flatnonzero(differs(rows[name], permuted))
            changed.append(where)
            parts.append({column: (permuted if column == name else rows[column])[where] for column in names})
        for j, predicted in enumerate(predict_parts(context, parts)):
            if not len(where := changed[j]):
                continue
            output = context.output[where]
            prediction_change[repeat, j] = np.abs(predicted[np.arange(len(where)), output] - before[where, output]).sum() / len(
                every
            )
            full = before.copy()
            full[where] = predicted
            loss_change[repeat, j] = np.mean(losses(context, full) - loss)
    return Importance(prediction_change, "prediction_change"), Importance(loss_change, "loss_change")


@hookimpl
def qaudit_offer_explainers(subject: Subject) -> Iterator[Explainer]:
    """Offer the only explainer of this plugin."""
    yield Explainer(
        "permutation",
        "permutation importance: change of prediction and of loss",
        explain,
        settings={"repeats": Setting((5,), allowed=range(1, 101), help="permutations a column")},
        needs=("target",),
    )
