"""One pass for reference and candidates: the same numbers as each alone, in order, whatever is swept beside them."""

from __future__ import annotations

import warnings

import lowered
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from qaudit.core.program import Program, Quantized
from qaudit.core.tensor import Floats, Grid, QType, QuantizedTensor
from qaudit.engine import sweep, trees

X, y = make_classification(900, 8, n_informative=5, n_classes=3, random_state=3)
FOREST = lowered.forest(*(lambda m: (m, list(m.estimators_)))(RandomForestClassifier(12, max_depth=5, random_state=0).fit(X, y)))
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # an unfinished fit is a model like any other here
    NETWORK = lowered.network(MLPClassifier((11, 7), max_iter=30, random_state=0).fit(X, y))


def coarse(values: Floats, bits: int) -> QuantizedTensor:
    top = 2 ** (bits - 1) - 1
    scale = float(np.abs(values).max() / top) or 1.0
    return QuantizedTensor(np.rint(values / scale).astype(np.int32), scale, QType(bits))


def candidates(program: Program) -> dict[str, Quantized]:
    found = {}
    for bits in (8, 3, 5):
        for role in ("leaf", "threshold", "weight"):
            parts = {n: coarse(p.values, bits) for n, p in program.parameters().items() if p.role == role}
            grids = {0: Grid(0.05, 3, QType(8, signed=False)), 1: Grid(0.05, 0, QType(8))} if role == "weight" else {}
            if parts:
                found[f"{role}{bits}"] = Quantized(program, parts, grids if bits != 5 else {})
    return found


def swept(program: Program, models: dict[str, Quantized], rows: Floats, block: int) -> tuple[dict[str, Floats], list[slice]]:
    seen: list[slice] = []
    parts: dict[str, list[Floats]] = {}

    def consume(at: slice, values: object) -> None:
        seen.append(at)
        assert isinstance(values, dict)
        assert list(values) == ["reference", *sorted(models)]
        for name, value in values.items():
            parts.setdefault(name, []).append(value)

    sweep.sweep(program, models, rows, consume, block=block)
    return {name: np.concatenate(values) for name, values in parts.items()}, seen


@pytest.mark.parametrize("program", [FOREST, NETWORK], ids=["forest", "network"])
def test_a_sweep_gives_what_each_model_gives_alone(program: Program) -> None:
    models = candidates(program)
    assert len(models) >= 3
    together, seen = swept(program, models, X, 256)
    assert seen == [slice(0, 256), slice(256, 512), slice(512, 768), slice(768, 900)]
    assert together["reference"].tobytes() == sweep.predict(program, X, block=256).tobytes()
    for name, model in models.items():
        assert together[name].tobytes() == sweep.predict(model, X, block=256).tobytes()
        alone, _ = swept(program, {name: model}, X, 256)
        assert together[name].tobytes() == alone[name].tobytes()
        assert not np.array_equal(together[name], together["reference"])


def test_a_forest_candidate_equals_the_dequantized_program() -> None:
    for model in candidates(FOREST).values():
        plain = FOREST.with_parameters({name: tensor.dequantize() for name, tensor in model.tensors.items()})
        assert np.array_equal(sweep.predict(model, X), sweep.predict(plain, X))


def test_leaf_candidates_share_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    walks = []
    monkeypatch.setattr(sweep, "leaves_of", lambda walk, rows: (walks.append(walk), trees.leaves_of(walk, rows))[1])
    models = candidates(FOREST)
    rebuilt = FOREST.with_parameters({})  # the same trees in other objects, as they come out of a child
    models["leaf9"] = Quantized(rebuilt, candidates(rebuilt)["leaf8"].tensors)
    swept(FOREST, models, X, len(X))
    assert len(walks) == 1 + 3  # the reference with four leaf candidates, and three sets of thresholds


def test_rows_in_any_memory_layout_give_the_same_bytes() -> None:
    for program in (FOREST, NETWORK):
        expected = sweep.predict(program, X).tobytes()
        assert sweep.predict(program, np.asfortranarray(X)).tobytes() == expected
        assert sweep.predict(program, np.repeat(X, 2, axis=0)[::2]).tobytes() == expected


def test_no_rows_and_one_row() -> None:
    assert sweep.predict(FOREST, X[:0]).shape == (0, 3)
    assert sweep.predict(NETWORK, X[:0]).shape == (0, 3)
    assert np.array_equal(sweep.predict(FOREST, X[:1]), sweep.predict(FOREST, X)[:1])
    _, seen = swept(FOREST, candidates(FOREST), X[:0], 256)
    assert seen == [slice(0, 0)]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(900, 7\), expected \(n, 8\)"):
        sweep.predict(FOREST, X[:, :7])
    with pytest.raises(ValueError, match="called 'reference'"):
        sweep.sweep(FOREST, {"reference": Quantized(FOREST, {})}, X, lambda at, values: None)
    with pytest.raises(ValueError, match=r"no parameter 'layer9\.weight'"):
        sweep.prepare(Quantized(NETWORK, {"layer9.weight": coarse(np.ones((2, 2)), 4)}))
    with pytest.raises(ValueError, match=r"layer0.weight: shape \(2, 2\), expected \(11, 8\)"):
        sweep.prepare(Quantized(NETWORK, {"layer0.weight": coarse(np.ones((2, 2)), 4)}))
