"""The decision rule on which flips, fidelity and reasons are based."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qaudit.core.tensor import Floats

Ties = Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule that turns predictions (n, k) into decisions (n,): class indices in the model's order, None for regression.

    Without a declared `cutoff` the decision is the model's own: the class with the largest probability, or for binary margins
    (k = 1) the second class above 0. Where several classes have the largest, it takes the `first` or the `last` of them.
    With a declared cut-off, two classes: `positive` where its probability is at least `cutoff`, or its margin exceeds it.
    """

    output: str
    positive: int = 1
    cutoff: float | None = None
    ties: Ties = "first"

    def __call__(self, predictions: Floats) -> NDArray[Any] | None:
        """The class index of each row (n,), or None for regression."""
        if self.output == "regression":
            return None
        if self.output == "binary" and predictions.shape[1] == 1:
            above = predictions[:, 0] >= 0.0 if self.ties == "last" else predictions[:, 0] > 0.0
            return (above if self.cutoff is None else predictions[:, 0] > self.cutoff).astype(np.int64)
        if self.output == "binary" and self.cutoff is not None:
            is_positive = predictions[:, self.positive] >= self.cutoff
            return np.where(is_positive, self.positive, 1 - self.positive)
        if self.ties == "last":
            return np.asarray(predictions.shape[1] - 1 - np.argmax(predictions[:, ::-1], axis=1))
        return np.asarray(np.argmax(predictions, axis=1))

    def distance(self, predictions: Floats) -> Floats:
        """How far each row (n,) lies from another decision, in the unit of its score; infinity where there is no other."""
        if self.output == "regression" or (self.output == "multiclass" and predictions.shape[1] < 2):
            return np.full(len(predictions), np.inf)
        if self.output == "binary" and (self.cutoff is not None or predictions.shape[1] == 1):
            return np.asarray(np.abs(self.score(predictions) - (self.cutoff or 0.0)))
        top = np.sort(predictions, axis=1)
        return np.asarray((top[:, -1] - top[:, -2]) / 2)

    def score(self, predictions: Floats) -> Floats:
        """The number (n,) behind the decision: probability of the positive class, margin, largest probability, or prediction."""
        if self.output == "multiclass":
            return np.asarray(predictions.max(axis=1))
        if self.output == "binary" and predictions.shape[1] == 2:
            return np.asarray(predictions[:, self.positive])
        return np.asarray(predictions[:, 0])
