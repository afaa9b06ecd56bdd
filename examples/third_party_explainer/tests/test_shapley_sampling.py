from pathlib import Path

import numpy as np
from qaudit_shapley_sampling import shapley_sampling

from qaudit import Context
from qaudit.testing import check_explainer

test_contract = check_explainer(Path(__file__).parent.parent / "qaudit_shapley_sampling.py")


def test_a_linear_model_has_closed_shapley_values():
    rng = np.random.default_rng(0)
    rows, background = ({name: rng.normal(size=n) for name in ("a", "b")} for n in (5, 40))

    def predict(columns):
        return (2.0 * columns["a"] - columns["b"])[:, None]

    context = Context(predict, lambda p: None, np.zeros(5, int), rows, background, ("a", "b"), (), 0, 10**6)
    found = shapley_sampling(context, draws=300)
    assert np.allclose(found.base + found.values.sum(axis=1), predict(rows)[:, 0])
    # of the sampled background rows themselves: within what 300 draws allow
    assert np.allclose(found.values[:, 0], 2.0 * (rows["a"] - background["a"].mean()), atol=0.5)
    assert np.ptp(found.values[:, 0] - 2.0 * rows["a"]) < 1e-9
