"""bucket_prune: vectors by hand, the invariants of pruning, contributions in closed form, Shapley shares."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from qaudit_quantizers.bucket_prune import bucket_prune, contributions, free_ranges, keep, ranges, shapley
from qaudit_quantizers.symmetric import symmetric
from quantizer_kit import EXTREME, calibration, tensors

from qaudit import Decline, Dense, Program, Refused

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "quantizers.json").read_text())
PLAIN = {"bits": 4, "buckets": 4, "scope": "tensor", "tau": 0.9, "tol": None}


def network(*weights):
    """A chain of linear layers without biases."""
    steps = tuple(Dense(w, np.zeros(len(w))) for w in weights)
    return Program(tuple(f"x{i}" for i in range(weights[0].shape[1])), steps, "identity", "regression")


class Linear:
    """Calibrations of a chain of linear layers, with a plain effect and a list of the labelled calls."""

    def __init__(self, weights, rows):
        self.weights, self.rows, self.labels = {f"layer{i}.weight": w for i, w in enumerate(weights)}, rows, []

    def run(self, weights):
        x = self.rows
        for weight in weights.values():
            x = x @ weight.T
        return x

    def calibrations(self):
        return {
            name: calibration(w, name=name, layer=i, inputs=self.rows, effect=self.effect(name))
            for i, (name, w) in enumerate(self.weights.items())
        }

    def effect(self, own):
        def measured(replaced, label=None):
            values = replaced if isinstance(replaced, dict) else {own: replaced}
            change = float(np.abs(self.run({**self.weights, **values}) - self.run(self.weights)).mean())
            if label is not None:
                self.labels.append((tuple(values), label, change))
            return change

        return measured


def pruned(weights, rows=None, **changed):
    """Tensors by name, and the model they were made on."""
    rows = np.random.default_rng(0).normal(size=(50, weights[0].shape[1])) if rows is None else rows
    model = Linear(weights, rows)
    return bucket_prune(network(*weights), model.calibrations(), **{**PLAIN, **changed}), model


@pytest.mark.parametrize("case", VECTORS["bucket_prune"], ids=lambda case: case["why"])
def test_by_hand(case):
    weight, rows = np.array(case["weight"]), np.array(case["rows"])
    made, model = pruned([weight], rows, bits=case["bits"], buckets=case["buckets"], tau=case["tau"], tol=case["tol"])
    tensor = made["layer0.weight"]
    assert ranges({"w": weight}, case["buckets"])["w"].tolist() == case["ranges"]
    assert [change for _, _, change in model.labels] == case["contributions"]
    kept = np.ones(weight.shape, bool) if tensor.mask is None else tensor.mask
    assert kept.tolist() == case["kept"]
    assert tensor.scale == case["scale"]
    assert tensor.dequantize().tolist() == case["dequantized"]


@given(tensors(), st.integers(1, 9))
def test_ranges_partition_the_weights(values, buckets):
    number = ranges({"w": values}, buckets)["w"]
    peak = np.abs(values).max()
    for value, k in zip(np.abs(values).ravel(), number.ravel(), strict=True):
        expected = next((j for j in range(buckets - 1) if value < (j + 1) / buckets * peak), buckets - 1)
        assert k == expected
    assert np.array_equal(sum(np.where(number == k, values, 0.0) for k in range(buckets)), values)
    assert number.ravel()[np.abs(values).argmax()] == buckets - 1


@given(tensors(), st.integers(2, 8), st.sampled_from(["tensor", "layer", "global"]))
def test_tau_one_and_one_range_equal_plain_quantization(values, bits, scope):
    plain = symmetric(values, calibration(values), bits=bits, axis="tensor")
    for changed in ({"tau": 1.0}, {"buckets": 1}):
        made = pruned([values], bits=bits, scope=scope, **changed)[0]["layer0.weight"]
        assert made.codes.tolist() == plain.codes.tolist()
        assert made.dequantize().tolist() == plain.dequantize().tolist()
        assert made.mask is None or not np.any(values[~made.mask])


@given(tensors(), st.integers(2, 8), st.floats(0.001, 1.0), st.integers(1, 6))
def test_discarded_is_zero_and_kept_is_close(values, bits, tau, buckets):
    made = pruned([values], bits=bits, tau=tau, buckets=buckets)[0]["layer0.weight"]
    after = made.dequantize()
    kept = np.ones(values.shape, bool) if made.mask is None else made.mask
    assert np.all(after[~kept] == 0.0)
    assert np.all(np.abs(after - values)[kept] <= made.scale / 2 * (1 + 1e-9))
    assert np.all(after[values == 0] == 0)
    assert kept.ravel()[np.abs(values).argmax()]
    assert made.problems(values.shape) == []


@given(tensors(), st.randoms(use_true_random=False))
def test_permuting_inputs_permutes_the_result(values, random):
    order = list(range(values.shape[1]))
    random.shuffle(order)
    rows = np.random.default_rng(1).integers(-4, 5, size=(20, values.shape[1])).astype(float)
    values = np.rint(values)  # sums of whole numbers are the same in any order
    plain = pruned([values], rows)[0]["layer0.weight"]
    moved = pruned([values[:, order]], rows[:, order])[0]["layer0.weight"]
    assert moved.dequantize().tolist() == plain.dequantize()[:, order].tolist()


@given(tensors(), st.integers(2, 6))
def test_contribution_of_a_linear_model_in_closed_form(values, buckets):
    model = Linear([values], np.random.default_rng(2).normal(size=(30, values.shape[1])))
    number = ranges({"layer0.weight": values}, buckets)
    found = contributions({"layer0.weight": values}, number, buckets, model.calibrations()["layer0.weight"])
    for k in range(buckets):
        of_range = np.where(number["layer0.weight"] == k, values, 0.0)
        assert found[k] == pytest.approx(np.abs(model.rows @ of_range.T).mean(), rel=1e-9, abs=1e-9)


def test_keep_takes_the_smallest_set_largest_first():
    shares, filled = np.array([0.05, 0.5, 0.0, 0.45]), [True, True, False, True]
    assert keep(shares, filled, 0.9, None).tolist() == [False, True, False, True]
    assert keep(shares, filled, 0.96, None).tolist() == [True, True, False, True]
    assert keep(shares, filled, 0.4, None).tolist() == [False, True, False, True]  # the range of max|w| stays
    assert keep(shares, filled, 1.0, None).tolist() == filled
    assert keep(shares, filled, 0.9, 0.04).tolist() == [True, True, False, True]
    assert keep(shares, filled, 0.9, 0.5).tolist() == [False, False, False, True]
    assert keep(np.zeros(3), [True] * 3, 0.9, None).tolist() == [False, False, True]


def test_scopes_take_their_ranges_together():
    weights = [np.array([[8.0, 1.0]]), np.array([[0.5]])]
    for scope, labels in (("tensor", 2 + 1), ("layer", 2 + 1), ("global", 2)):
        made, model = pruned(weights, scope=scope, tau=1.0)
        assert set(made) == {"layer0.weight", "layer1.weight"}
        assert len(model.labels) == labels
    made, model = pruned(weights, scope="global", tol=1e9)
    assert made["layer1.weight"].mask.tolist() == [[False]]
    assert made["layer1.weight"].dequantize().tolist() == [[0.0]]
    assert [label for _, label, _ in model.labels] == ["range 1 of 4", "range 4 of 4"]


def test_free_ranges_round_to_zero_anyway():
    assert [free_ranges(4, bits) for bits in (2, 3, 4)] == [2, 0, 0]
    assert free_ranges(64, 4) == 4
    values = np.linspace(-1.0, 1.0, 201)[None]
    number = ranges({"w": values}, 64)["w"]
    after = symmetric(values, calibration(values), bits=4, axis="tensor").dequantize()
    assert not np.any(after[number < 4])
    assert np.all(after[number > 4] != 0)


@given(tensors(10.0), st.integers(1, 4))
def test_shapley_shares_sum_to_the_whole_change(values, buckets):
    model = Linear([values], np.random.default_rng(3).normal(size=(10, values.shape[1])))
    known = model.calibrations()["layer0.weight"]
    assert shapley(values, known, buckets=buckets).sum() == pytest.approx(known.effect(np.zeros_like(values)), rel=1e-9, abs=1e-9)
    assert model.labels == []


def test_shapley_of_two_ranges_by_hand():
    # f = 4x + y over x = y = 1 and x = 1, y = -1: v({1}) = 1, v({2}) = 4, v(both) = (5 + 3) / 2 = 4
    model = Linear([np.array([[4.0, 1.0]])], np.array([[1.0, 1.0], [1.0, -1.0]]))
    assert shapley(model.weights["layer0.weight"], model.calibrations()["layer0.weight"], buckets=2).tolist() == [0.5, 3.5]


@pytest.mark.parametrize("name", [name for name in EXTREME if not name.startswith("huge")])
def test_scale_rule_is_total(name):
    values = EXTREME[name]
    made = pruned([values])[0]["layer0.weight"]
    assert made.problems(values.shape) == []
    assert np.all(made.dequantize()[values == 0] == 0)


def test_huge_weights_have_finite_edges():
    values = EXTREME["huge both ways"]
    number = ranges({"w": values}, 3)["w"]
    assert number.tolist() == [[2, 2], [0, 0]]


def test_nothing_to_prune_declines_and_nan_is_refused():
    with pytest.raises(Decline, match="has neither"):
        bucket_prune(Program(("x",), (), "identity", "regression"), {}, **PLAIN)
    with pytest.raises(Refused, match=r"layer0\.weight: 1 values"):
        pruned([np.array([[np.nan, 1.0]])])


@given(tensors())
def test_input_is_untouched(values):
    assume(values.size > 1)
    before = values.tobytes()
    pruned([values])
    assert values.tobytes() == before
