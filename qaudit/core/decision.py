"""The decision rule on which flips, fidelity and reasons are based."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.tensor import Floats


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule that turns predictions (n, k) into decisions (n,): class indices in the model's order, None for regression.

    Two classes with probabilities: `positive` where its probability is at least `cutoff`. Binary margins (k = 1): the second
    class where the margin exceeds `cutoff` (0 by default). More classes: argmax.
    """

    output: str
    positive: int = 1
    cutoff: float = 0.5

    def __call__(self, predictions: Floats) -> NDArray[Any] | None:
        """The class index of each row (n,), or None for regression."""
        if self.output == "regression":
            return None
        if self.output == "multiclass":
            return np.asarray(np.argmax(predictions, axis=1))
        if predictions.shape[1] == 1:
            # as scikit-learn decides: a decision function of exactly 0 is the first class
            return (predictions[:, 0] > self.cutoff).astype(np.int64)
        is_positive = predictions[:, self.positive] >= self.cutoff
        return np.where(is_positive, self.positive, 1 - self.positive)

    def score(self, predictions: Floats) -> Floats:
        """The number (n,) behind the decision: probability of the positive class, margin, largest probability, or prediction."""
        if self.output == "multiclass":
            return np.asarray(predictions.max(axis=1))
        if self.output == "binary" and predictions.shape[1] == 2:
            return np.asarray(predictions[:, self.positive])
        return np.asarray(predictions[:, 0])
