"""Importance by leaving a column out and training again.

What was wrong in the sample: no model was trained at all. Two products of random vectors were compared, and the sum was divided
by the number of output columns, which is 1.

Here a ridge regression is trained again without each column of real data (LOCO: Lei et al., JASA 113, 2018). The column `copy`
repeats `bmi`: both score near 0, since either carries what the other did. It says what training needs, not what the model reads.
"""

from __future__ import annotations

import numpy as np
from qaudit_explainers.drop_column import explain
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.preprocessing import scale

from qaudit import Context

REPEATS = 3


def main() -> dict[str, float]:
    """Mean change of the prediction a column, and the spread over repeats (0: the learner uses no seed)."""
    data = load_diabetes()
    x = np.column_stack([scale(data.data), scale(data.data)[:, 2]])
    names = (*data.feature_names, "copy")
    train, held = slice(0, None, 2), slice(1, None, 2)

    def fitted(columns: list[int]) -> np.ndarray:
        return Ridge(alpha=1e-6).fit(x[train][:, columns], data.target[train]).predict(x[held][:, columns])[:, None]

    every = list(range(len(names)))
    refits = {name: [fitted([c for c in every if c != j])] * REPEATS for j, name in enumerate(names)}
    rows = {name: x[held][:, j] for j, name in enumerate(names)}
    model = Ridge(alpha=1e-6).fit(x[train], data.target[train])
    context = Context(
        predict=lambda columns: model.predict(np.column_stack([columns[name] for name in names]))[:, None],
        decide=lambda predictions: None,
        output=np.zeros(len(x[held]), dtype=np.int64),
        rows=rows,
        background=rows,
        names=names,
        classes=(),
        seed=0,
        budget=10_000,
        target=data.target[held],
        refits=refits,
    )
    change, loss = explain(context)
    found = {name: float(change.values[:, j].mean()) for j, name in enumerate(names)}
    found["largest spread over repeats"] = float(np.ptp(change.values, axis=0).max())
    found["loss change without s5"] = float(loss.values[:, names.index("s5")].mean())
    return found


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name:32} {value:.4f}")
