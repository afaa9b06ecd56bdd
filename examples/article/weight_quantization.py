"""Weight quantization about the mean, with the dither that was drawn really used.

What was wrong in the sample: the uniform draw was computed and thrown away; there was no number of bits, so the "integers" ran
as far as the data did; nothing turned codes back into weights, so nobody could say what was lost; and with weights a hundred
times smaller every code was the same.

Here the weights are those of a logistic regression on real data. Codes have `BITS` bits, the dequantization formula that
every report prints turns them back into values, and the draw makes the rounding unbiased: averaged over draws the weights come
back exactly (Schuchman 1964).
"""

from __future__ import annotations

import numpy as np
from qaudit_quantizers.dithered import dithered
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from qaudit import Calibration, QuantizedTensor

BITS = 4
DRAWS = 2000


def quantized(w: np.ndarray, dither: str, seed: int = 0) -> QuantizedTensor:
    """The weights in codes of BITS bits, one scale for all."""
    about = Calibration("coef", "weight", 0, 0, float(w.min()), float(w.max()), None, seed, lambda replaced, label=None: 0.0)
    return dithered(w, about, bits=BITS, range="maxabs", k=None, dither=dither, axis="tensor", seed=0)


def main() -> dict[str, float]:
    """Largest error and bias in steps, without dither, with it, and with it taken off again."""
    x, y = load_breast_cancer(return_X_y=True)
    w = LogisticRegression(max_iter=500).fit(scale(x), y).coef_
    step = float(quantized(w, "none").step().flat[0])
    found = {"levels": float(len(np.unique(quantized(w, "none").codes)))}
    for dither in ("none", "stochastic", "subtractive"):
        errors = np.array([quantized(w, dither, seed).dequantize() - w for seed in range(DRAWS)]) / step
        found[f"{dither}: largest error"] = float(np.abs(errors).max())
        found[f"{dither}: largest bias"] = float(np.abs(errors.mean(axis=0)).max())
    found["levels, weights / 100"] = float(len(np.unique(quantized(w / 100, "none").codes)))
    return found


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name:32} {value:.4f}")
