"""Pruning by the contribution of ranges of |w|, then quantizing what is kept.

What was wrong in the sample: the ranges were cumulative (each held all smaller ones), the contribution came from random inputs
instead of the model's, the ranking of five ranges was used as an index into ten weights, the peak ignored negative weights, and
2 was hard-wired as the largest code.

Here the model is a ridge regression on real data. A range's contribution is the mean change of the prediction when its weights
are zero, on calibration rows; for a linear model that is mean|X_k w_k|, which the test checks.
"""

from __future__ import annotations

import numpy as np
from qaudit_quantizers.bucket_prune import bucket_prune, ranges
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.preprocessing import scale

from qaudit import Calibration, Dense, Program

BUCKETS = 4
BITS = 6


def main() -> dict[str, float]:
    """Contribution of each range, the share of weights that are exactly zero, and what it costs."""
    data = load_diabetes()
    x, y = scale(data.data), data.target
    rows = x[::2]  # calibration rows; the others stay unseen
    model = Ridge().fit(rows, y[::2])
    w = model.coef_[None, :]
    program = Program(tuple(data.feature_names), (Dense(w, np.atleast_1d(model.intercept_)),), "identity", "regression")
    found: dict[str, float] = {}

    def effect(replaced: dict[str, np.ndarray], label: str | None = None) -> float:
        change = float(np.abs(rows @ (w - replaced["layer0.weight"]).T).mean())
        if label:
            found[label] = change
        return change

    about = Calibration("layer0.weight", "weight", 0, 0, float(w.min()), float(w.max()), rows, 0, effect)
    tensors = bucket_prune(program, {"layer0.weight": about}, bits=BITS, buckets=BUCKETS, scope="tensor", tau=0.85, tol=None)
    kept = tensors["layer0.weight"].dequantize()
    number = ranges({"w": w}, BUCKETS)["w"]
    for k in range(BUCKETS):
        found[f"range {k + 1}: mean |X w|"] = float(np.abs(rows @ np.where(number == k, w, 0.0).T).mean())
    found["sparsity"] = float((kept == 0).mean())
    found["step"] = float(tensors["layer0.weight"].step().flat[0])
    found["largest error of a kept weight"] = float(np.abs(kept - w)[kept != 0].max())
    unseen = x[1::2]
    for name, weights in (("float", w), ("pruned and quantized", kept)):
        rest = y[1::2] - (unseen @ weights.T)[:, 0] - model.intercept_
        found[f"R2 on unseen rows, {name}"] = float(1 - (rest**2).sum() / ((y[1::2] - y[1::2].mean()) ** 2).sum())
    return found


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name:40} {value:.4f}")
