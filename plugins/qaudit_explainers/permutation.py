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
    """A random generator keyed by the seed and names, so that the order of columns changes no draw."""
    digest = hashlib.sha256("/".join((str(seed), *names)).encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:8], "big")))


def moved(before: Array, after: Array) -> NDArray[np.bool_]:
    """Where two columns (n,) differ; two missing values are equal."""
    if before.dtype == object:
        return np.array([a is not b and a != b for a, b in zip(before, after, strict=True)], dtype=bool)
    return np.asarray(~((before == after) | (np.isnan(before) & np.isnan(after))))


def losses(context: Context, predictions: Array) -> Array:
    """The loss (n,) of predictions (n, k) on the context's target."""
    target = context.target
    assert target is not None
    decided = context.decide(predictions)
    if decided is None:
        return np.asarray((predictions[:, 0] - target) ** 2)
    if predictions.shape[1] == 1:
        return np.asarray(decided != target, dtype=np.float64)
    taken = predictions[np.arange(len(target)), target]
    return np.asarray(-np.log(np.clip(taken, 1e-12, 1.0)))


def answers(context: Context, parts: list[dict[str, Array]]) -> Iterator[Array]:
    """Predictions of each part, asked in tall batches; parts without rows are not asked."""
    waiting: list[dict[str, Array]] = []
    for number, part in enumerate(parts):
        waiting.append(part)
        total = sum(len(next(iter(each.values()))) for each in waiting)
        if total < BATCH and number + 1 < len(parts):
            continue
        sizes = [len(next(iter(each.values()))) for each in waiting]
        if total:
            tall = {name: np.concatenate([each[name] for each in waiting]) for name in context.names}
            yield from np.split(context.predict(tall), np.cumsum(sizes)[:-1])
        else:
            yield from (np.empty((0, 1)) for _ in waiting)
        waiting = []


def explain(context: Context, *, repeats: int) -> tuple[Importance, Importance]:
    """Prediction change and loss change (repeats, d) each. Only rows that a permutation changes are asked again."""
    rows, names = context.rows, context.names
    every = np.arange(len(context.output))
    plain = context.predict(rows)
    loss = losses(context, plain)
    shown, lost = np.zeros((repeats, len(names))), np.zeros((repeats, len(names)))
    for repeat in range(repeats):
        changed, parts = [], []
        for name in names:
            other = rows[name][generator(context.seed, str(repeat), name).permutation(len(every))]
            differ = np.flatnonzero(moved(rows[name], other))
            changed.append(differ)
            parts.append({column: (other if column == name else rows[column])[differ] for column in names})
        for j, predicted in enumerate(answers(context, parts)):
            if not len(differ := changed[j]):
                continue
            output = context.output[differ]
            shown[repeat, j] = np.abs(predicted[np.arange(len(differ)), output] - plain[differ, output]).sum() / len(every)
            full = plain.copy()
            full[differ] = predicted
            lost[repeat, j] = np.mean(losses(context, full) - loss)
    return Importance(shown, "prediction_change"), Importance(lost, "loss_change")


@hookimpl
def qaudit_offer_explainers(subject: Subject) -> Iterator[Explainer]:
    """The one record of this plugin."""
    yield Explainer(
        "permutation",
        "permutation importance: change of prediction and of loss",
        explain,
        settings={"repeats": Setting((5,), allowed=range(1, 101), help="permutations a column")},
        needs=("target",),
    )
