"""Local surrogates: exact on linear models, equal to a plain loop, keyed by column names."""

from __future__ import annotations

import numpy as np
import pytest
from qaudit_explainers import local_surrogate as plugin

from qaudit import Context
from qaudit.core.measures.agreement import weighted_r2

CHOSEN = {"samples": 200, "width": 1.0, "kernel": 0.75, "penalty": 0.01, "redraw": 0.5}


def columns(rows, seed):
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(3.0, 2.0, rows),
        "y": np.where(rng.random(rows) < 0.3, np.nan, rng.normal(0.0, 0.1, rows)),
        "k": rng.integers(0, 3, rows).astype(float),
        "t": np.array(rng.choice(["u", "v", None], rows), dtype=object),
    }


def context(predict, *, names=("x", "y", "k", "t"), seed=5, rows=12):
    shown, background = columns(rows, 1), columns(80, 2)
    return Context(
        predict=predict,
        decide=lambda p: None,
        output=np.zeros(rows, dtype=int),
        rows={name: shown[name] for name in names},
        background={name: background[name] for name in names},
        names=tuple(names),
        classes=(),
        seed=seed,
        budget=10**6,
    )


def linear(given):
    return (2.0 * given["x"] - 3.0 * given["k"] + 0.5)[:, None]


def bent(given):
    lost = np.isnan(given["y"]).astype(float)
    text = np.array([{"u": 1.0, None: -0.5}.get(value, 0.0) for value in given["t"]])
    return np.tanh(given["x"] - 3 + np.nan_to_num(given["y"]) * 4 + lost + text * given["k"])[:, None]


def test_a_linear_model_gives_its_coefficients_as_the_penalty_vanishes():
    found = plugin.explain(context(linear, names=("x", "k")), **CHOSEN | {"penalty": 1e-9})
    np.testing.assert_allclose(found.coef, np.tile([2.0, -3.0], (12, 1)), atol=1e-8)
    np.testing.assert_allclose(weighted_r2(found), 1.0, atol=1e-12)
    np.testing.assert_allclose(found.intercept, found.answers[:, 0], atol=1e-8)


def test_the_vectorised_solve_is_the_weighted_ridge_of_each_row():
    found = plugin.explain(context(bent), **CHOSEN)
    units = [float(np.nanstd(context(bent).background[name])) if name != "t" else 1.0 for name in ("x", "y", "k", "t")]
    for row in range(12):
        scale = np.array(
            [1.0 if name == "y" and np.isnan(context(bent).rows["y"][row]) else u for name, u in zip("xykt", units, strict=True)]
        )
        design = np.column_stack([np.ones(200), found.design[row] / scale])
        weights = np.array(
            [
                np.exp(-sum((z / s) ** 2 for z, s in zip(sample, scale, strict=True)) / (0.75**2 * 4))
                for sample in found.design[row]
            ]
        )
        np.testing.assert_allclose(found.weights[row], weights, rtol=1e-12)
        ridge = np.diag([0.0] + [0.01] * 4)
        solution = np.linalg.solve(design.T @ (weights[:, None] * design) + ridge, design.T @ (weights * found.answers[row]))
        np.testing.assert_allclose(found.coef[row], solution[1:] / scale, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found.intercept[row], solution[0], rtol=1e-7, atol=1e-9)


def test_design_and_answers_belong_to_rows_that_the_model_was_asked():
    asked = {}

    def record(given):
        asked.update({name: np.concatenate([asked.get(name, values[:0]), values]) for name, values in given.items()})
        return bent(given)

    shown = context(record)
    found = plugin.explain(shown, **CHOSEN)
    assert found.answers.ravel().tolist() == bent(asked)[:, 0].tolist()
    for j, name in enumerate(shown.names):
        for place, (x, z) in enumerate(zip(np.repeat(shown.rows[name], 200), asked[name], strict=True)):
            lost = [value is None or value != value for value in (x, z)]
            plain = (0.0 if all(lost) else 1.0) if any(lost) else (float(x != z) if name == "t" else z - x)
            assert found.design.reshape(-1, 4)[place, j] == plain


def test_permuting_columns_permutes_coefficients():
    one, other = plugin.explain(context(bent), **CHOSEN), plugin.explain(context(bent, names=("t", "k", "y", "x")), **CHOSEN)
    np.testing.assert_allclose(one.coef[:, ::-1], other.coef, rtol=1e-9, atol=1e-12)


def test_one_seed_gives_one_answer_and_draws_do_not_depend_on_the_model():
    one, again = plugin.explain(context(bent), **CHOSEN), plugin.explain(context(bent), **CHOSEN)
    assert one.coef.tobytes() == again.coef.tobytes()
    other = plugin.explain(context(linear), **CHOSEN)
    assert one.design.tobytes() == other.design.tobytes()
    assert one.design.tobytes() != plugin.explain(context(bent, seed=6), **CHOSEN).design.tobytes()


def test_a_column_the_model_ignores_and_a_constant_one_count_for_nothing():
    found = plugin.explain(context(lambda given: np.full((len(given["x"]), 1), 4.0)), **CHOSEN)
    assert np.abs(found.coef).max() < 1e-12
    fixed = context(linear, names=("x", "k"))
    fixed.background["k"][:] = 1.0
    fixed.rows["k"][:] = 1.0
    assert (plugin.explain(fixed, **CHOSEN).coef[:, 1] == 0.0).all()


def test_noise_falls_with_the_root_of_the_samples():
    def spread(samples):
        runs = [plugin.explain(context(bent, seed=seed), **CHOSEN | {"samples": samples}).coef for seed in range(12)]
        return float(np.mean(np.std(runs, axis=0)))

    assert spread(100) / spread(1600) == pytest.approx(4.0, rel=0.35)


def test_a_short_budget_means_fewer_draws():
    short = context(bent)
    object.__setattr__(short, "budget", 12 * 50)
    assert plugin.explain(short, **CHOSEN).answers.shape == (12, 50)
