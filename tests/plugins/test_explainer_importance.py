"""Permutation and drop-column importance: closed forms, zeros, repeats."""

from __future__ import annotations

import numpy as np
import pytest
from qaudit_explainers import drop_column, permutation

from qaudit import Context, Decline

ROWS = 400


def columns():
    rng = np.random.default_rng(0)
    return {
        "a": rng.normal(size=ROWS),
        "fixed": np.full(ROWS, 2.0),
        "lost": np.full(ROWS, np.nan),
        "t": np.array(rng.choice(["u", "v"], ROWS), dtype=object),
    }


def linear(given):
    return (3.0 * given["a"] + 2.0 * given["fixed"] + np.array([float(value == "u") for value in given["t"]]))[:, None]


def odds(given):
    yes = 1 / (1 + np.exp(-linear(given)[:, 0] + 4))
    return np.stack([1 - yes, yes], axis=1)


def context(predict=linear, *, target=None, refits=None, seed=1, names=("a", "fixed", "lost", "t"), classes=()):
    shown = {name: columns()[name] for name in names}
    truth = predict(columns())[:, 0] if target is None else target
    return Context(
        predict=predict,
        decide=(lambda p: (p[:, 1] >= 0.5).astype(int)) if classes else (lambda p: None),
        output=np.full(ROWS, 1 if classes else 0),
        rows=shown,
        background=shown,
        names=tuple(names),
        classes=classes,
        seed=seed,
        budget=10**7,
        target=truth,
        refits=refits,
    )


def test_permutation_is_the_plain_loop_over_columns_and_repeats():
    shown, lost = permutation.explain(context(odds, target=(columns()["a"] > 0).astype(int), classes=("n", "y")), repeats=3)
    data, truth = columns(), (columns()["a"] > 0).astype(int)
    plain = odds(data)
    for repeat in range(3):
        for j, name in enumerate(data):
            order = permutation.generator(1, str(repeat), name).permutation(ROWS)
            other = odds(data | {name: data[name][order]})
            assert shown.values[repeat, j] == pytest.approx(np.abs(other[:, 1] - plain[:, 1]).mean(), abs=1e-15)
            loss = [-np.log(p[np.arange(ROWS), truth]).mean() for p in (other, plain)]
            assert lost.values[repeat, j] == pytest.approx(loss[0] - loss[1], abs=1e-13)


def test_constant_missing_and_ignored_columns_have_importance_exactly_zero():
    shown, lost = permutation.explain(context(), repeats=4)
    assert (shown.values[:, 1:3] == 0).all()
    assert (lost.values[:, 1:3] == 0).all()
    assert (shown.values[:, 0] > 1).all()


def test_permuting_columns_permutes_importance_and_seeds_reproduce():
    one = permutation.explain(context(), repeats=2)[0].values
    other = permutation.explain(context(names=("t", "lost", "fixed", "a")), repeats=2)[0].values
    assert np.array_equal(one[:, ::-1], other)
    assert np.array_equal(one, permutation.explain(context(), repeats=2)[0].values)
    assert not np.array_equal(one, permutation.explain(context(seed=2), repeats=2)[0].values)


def test_asking_in_batches_changes_nothing(monkeypatch):
    whole = permutation.explain(context(), repeats=2)[0].values
    monkeypatch.setattr(permutation, "BATCH", 1)
    assert np.array_equal(whole, permutation.explain(context(), repeats=2)[0].values)


def test_a_noise_column_has_no_effect_on_the_loss_beyond_chance():
    rng = np.random.default_rng(7)
    covered = 0
    for seed in range(40):
        truth = columns()["a"] * 3 + rng.normal(size=ROWS)

        def fitted(given, noise=seed):
            return (3.0 * given["a"])[:, None] + 0.0 * noise

        values = permutation.explain(context(fitted, target=truth, seed=seed), repeats=5)[1].values[:, 3]
        covered += bool(values.min() <= 0 <= values.max())
    assert covered == 40


def test_dropping_a_column_of_an_orthogonal_linear_model_costs_its_mean_share():
    data = columns()
    text = np.array([float(value == "u") for value in data["t"]])
    without = {
        "a": [(linear(data)[:, 0] - 3 * data["a"])[:, None]] * 2,
        "fixed": [linear(data)] * 2,
        "lost": [linear(data)] * 2,
        "t": [(linear(data)[:, 0] - text)[:, None]] * 2,
    }
    shown, lost = drop_column.explain(context(refits=without))
    expected = [np.abs(3 * data["a"]).mean(), 0.0, 0.0, text.mean()]
    np.testing.assert_allclose(shown.values, [expected, expected], atol=1e-12)
    np.testing.assert_allclose(lost.values[0], [(9 * data["a"] ** 2).mean(), 0.0, 0.0, text.mean()], atol=1e-12)
    assert shown.of == "prediction_change"
    assert lost.of == "loss_change"


def test_repeats_are_balanced_and_an_absent_refit_declines():
    data = columns()
    uneven = {name: [linear(data)] * (2 if name == "a" else 3) for name in data}
    assert drop_column.explain(context(refits=uneven))[0].values.shape == (2, 4)
    with pytest.raises(Decline, match="'t'"):
        drop_column.explain(context(refits={name: [linear(data)] for name in ("a", "fixed", "lost")}))


def test_margins_are_judged_by_their_error_rate():
    truth = (columns()["a"] > 0).astype(int)
    margins = context(lambda given: given["a"][:, None], target=truth)
    object.__setattr__(margins, "decide", lambda p: (p[:, 0] > 0).astype(int))
    for module in (permutation, drop_column):
        assert module.losses(margins, -columns()["a"][:, None]).mean() == 1.0
        assert module.losses(margins, columns()["a"][:, None]).mean() == 0.0
