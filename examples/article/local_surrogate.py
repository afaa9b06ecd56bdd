"""A simple model around single rows.

What was wrong in the sample: it crashed, since rows of numbers were used as an index; the "local" rows were taken from
everywhere; and the simple model was never compared with the one that it should explain.

Here draws lie around each row, near ones weigh more, and the fit is compared by its weighted R2 (Ribeiro, Singh, Guestrin, KDD
2016). On a linear model the coefficients must come back; on a neural network R2 says how far the simple model may be believed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qaudit_explainers.local_surrogate import explain
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import scale

from qaudit import Context, LocalModels

ROWS = 10


def around(predict: Callable[[np.ndarray], np.ndarray], x: np.ndarray, names: tuple[str, ...], seed: int = 0) -> LocalModels:
    """Local models of the first ROWS rows."""
    context = Context(
        predict=lambda columns: predict(np.column_stack([columns[name] for name in names]))[:, None],
        decide=lambda predictions: None,
        output=np.zeros(ROWS, dtype=np.int64),
        rows={name: x[:ROWS, j] for j, name in enumerate(names)},
        background={name: x[:, j] for j, name in enumerate(names)},
        names=names,
        classes=(),
        seed=seed,
        budget=100_000,
    )
    return explain(context, samples=500, width=0.5, kernel=0.75, penalty=1e-6, redraw=0.5)


def r2(local: LocalModels) -> np.ndarray:
    """Weighted R2 of each local model (ROWS,)."""
    fitted = local.intercept[:, None] + np.einsum("nsd,nd->ns", local.design, local.coef)
    centre = (local.weights * local.answers).sum(axis=1) / local.weights.sum(axis=1)
    rest = (local.weights * (local.answers - fitted) ** 2).sum(axis=1)
    return 1 - rest / (local.weights * (local.answers - centre[:, None]) ** 2).sum(axis=1)


def main() -> dict[str, float]:
    """How exactly a linear model comes back, R2 around rows of a network, and what another seed changes."""
    data = load_diabetes()
    x, y, names = scale(data.data), scale(data.target), tuple(data.feature_names)
    linear = LinearRegression().fit(x, y)
    network = MLPRegressor(
        hidden_layer_sizes=(16,), activation="tanh", alpha=1.0, solver="lbfgs", max_iter=2000, random_state=0
    ).fit(x, y)
    exact = around(linear.predict, x, names)
    one, other = around(network.predict, x, names), around(network.predict, x, names, seed=1)
    return {
        "linear: largest coefficient error": float(np.abs(exact.coef - linear.coef_).max()),
        "linear: smallest R2": float(r2(exact).min()),
        "network: median R2": float(np.median(r2(one))),
        "network: largest change by seed": float(np.abs(one.coef - other.coef).max()),
    }


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name:36} {value:.6f}")
