"""Across the border and back: the same values, the same predictions; and nothing broken comes in."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from qaudit.core.program import Program, Quantized
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Grid, QType, QuantizedTensor
from qaudit.engine import sweep
from qaudit.sandbox.pack_program import (
    pack_program,
    pack_quantized,
    pack_tensor,
    pack_tensors,
    unpack_program,
    unpack_quantized,
    unpack_tensor,
    unpack_tensors,
)


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


RNG = np.random.default_rng(0)
NETWORK = Program(
    ("a", "b"),
    (Dense(RNG.normal(size=(3, 2)), RNG.normal(size=3), "tanh"), Dense(RNG.normal(size=(2, 3)), RNG.normal(size=2))),
    "softmax",
    "multiclass",
    ("nein", "ja"),
    0.1 + 0.2,
)
FOREST = Program(
    ("a", 'b"]["'),
    (
        Trees(
            left=whole(1, -1, -1, -1),
            right=whole(2, -1, -1, -1),
            feature=whole(1, -2, -2, -2),
            threshold=np.array([0.25, 0.0, 0.0, 0.0]),
            value=np.array([[0.0], [1 / 3], [-2.5], [7.0]]),
            roots=whole(0, 3),
            base=np.array([0.5, 0.75]),
            missing_left=np.array([True, False, False, False]),
            aggregate="sum",
            column=whole(1, 0),
        ),
    ),
    "identity",
    "multiclass",
    ("x", "y"),
)
ROWS = np.array([[0.1, 0.2], [3.0, 4.0], [-1.0, np.nan]])

TENSORS = {
    "plain": QuantizedTensor(np.array([[1, -2], [3, 0]], dtype=np.int8), 0.1, QType(3), formula="round(w / s)"),
    "axis": QuantizedTensor(np.array([[1, 2], [3, 0]]), np.array([0.1, 0.3]), QType(4), np.array([1, 2]), axis=0),
    "blocks": QuantizedTensor(
        np.array([[1, 2, 3]]), np.array([[0.1, 0.2]]), QType(4, True, False), offset=np.array([[0.5, 1.0]]), axis=1, block=2
    ),
    "pruned": QuantizedTensor(np.array([1, 2]), 0.1, QType(4), mask=np.array([True, False]), dither_seed=2**63 + 1),
    "book": QuantizedTensor(np.array([0, 2]), 0.1, QType(2, signed=False), table=np.array([0.0, 0.5, 1.0])),
    "nested": QuantizedTensor(np.array([1, 2]), QuantizedTensor(np.array([7, 9]), 0.01, QType(8)), QType(4), axis=0),
}


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.mark.parametrize("program", [NETWORK, FOREST], ids=["network", "forest"])
def test_a_program_comes_back_whole(program: Program) -> None:
    answer, arrays = pack_program(program, "p")
    assert all(name.startswith("p.") and array.dtype.kind in "biuf" for name, array in arrays.items())
    back = unpack_program(through_json(answer), arrays)
    for name in ("inputs", "link", "output", "classes", "link_scale"):
        assert getattr(back, name) == getattr(program, name)
    assert {n: p.values.tobytes() for n, p in back.parameters().items()} == {
        n: p.values.tobytes() for n, p in program.parameters().items()
    }
    assert sweep.predict(back, ROWS).tobytes() == sweep.predict(program, ROWS).tobytes()


def same(one: QuantizedTensor, other: QuantizedTensor) -> None:
    assert one.codes.dtype == other.codes.dtype
    assert one.dequantize().tobytes() == other.dequantize().tobytes()
    assert one.size_bits == other.size_bits
    for name in ("qtype", "axis", "block", "dither_seed", "formula"):
        assert getattr(one, name) == getattr(other, name)


def test_tensors_of_every_kind_come_back() -> None:
    answer, arrays = pack_tensors(TENSORS)
    back = unpack_tensors(through_json(answer), arrays)
    assert list(back) == list(TENSORS)
    for name, tensor in TENSORS.items():
        same(back[name], tensor)


def test_a_quantized_program_predicts_the_same_on_the_other_side() -> None:
    weight = QuantizedTensor(np.array([[1, -2], [3, 0], [2, 2]]), np.array([0.1, 0.2, 0.3]), QType(4), axis=0)
    quantized = Quantized(NETWORK, {"layer0.weight": weight}, {0: Grid(0.1, 3, QType(8, signed=False))})
    answer, arrays = pack_quantized(quantized)
    back = unpack_quantized(through_json(answer), arrays)
    assert back.grids == quantized.grids
    assert sweep.predict(back, ROWS).tobytes() == sweep.predict(quantized, ROWS).tobytes()


def test_a_scale_that_is_no_number_crosses_and_is_named() -> None:
    answer, arrays = pack_tensor(QuantizedTensor(np.array([1, 2]), float("nan"), QType(4)))
    assert unpack_tensor(through_json(answer), arrays).problems() == ["scale: not finite and positive everywhere"]


def broken(change: Any) -> None:
    answer, arrays = pack_program(FOREST)
    answer, arrays = copy.deepcopy(answer), {name: array.copy() for name, array in arrays.items()}
    change(answer, arrays)
    unpack_program(answer, arrays)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a, x: a.pop("link"), "no key 'link'"),
        (lambda a, x: a.update(link="cosine"), "link: 'cosine', expected one of"),
        (lambda a, x: a.update(link_scale=float("nan")), "link_scale: nan"),
        (lambda a, x: a.update(inputs=["a", "a"]), "inputs: expected different texts"),
        (lambda a, x: a.update(classes=[1, 2]), "classes: expected different texts"),
        (lambda a, x: a.update(steps="x"), "steps: str, expected a list"),
        (lambda a, x: a.update(steps=["x"]), "program.0: str, expected an object"),
        (lambda a, x: a["steps"][0].update(kind="kernel"), "kind: 'kernel'"),
        (lambda a, x: a["steps"][0].update(aggregate="max"), "aggregate: 'max'"),
        (lambda a, x: x.pop("program.0.left"), "no array 'program.0.left'"),
        (lambda a, x: x.update({"program.0.left": np.ones(4)}), "program.0.left: float64 array, expected int32"),
        (lambda a, x: x.update({"program.0.left": whole(0, -1, -1, -1)}), "left: expected node numbers behind the parent"),
        (lambda a, x: x.update({"program.0.feature": whole(5, -2, -2, -2)}), "feature: expected 0 to 1"),
    ],
)
def test_a_broken_program_is_refused_in_one_line(change: Any, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        broken(change)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_broken_tensors_are_refused() -> None:
    answer, arrays = pack_tensor(TENSORS["plain"])
    with pytest.raises(ValueError, match="no array"):
        unpack_tensor(answer, {})
    with pytest.raises(ValueError, match="expected numbers"):
        unpack_tensor(answer, {"tensor.codes": np.array(["a"])})
    with pytest.raises(ValueError, match="scale: str"):
        unpack_tensor({**answer, "scale": "big"}, arrays)
    with pytest.raises(ValueError, match="expected 1 to 32"):
        unpack_tensor({**answer, "qtype": {"bits": 99, "signed": True, "narrow": True}}, arrays)
    with pytest.raises(ValueError, match="expected one object a name"):
        unpack_tensors({"names": ["a"], "tensors": []}, {})
    nested = answer
    for _ in range(6):
        nested = {**answer, "scale": nested}
    with pytest.raises(ValueError, match="more than three"):
        unpack_tensor(nested, arrays)
    tensor = QuantizedTensor(np.ones((9, 9), dtype=int), 0.1, QType(4))
    for tensors, says in (({"layer0.weight": tensor}, "expected \\(3, 2\\)"), ({"elsewhere": tensor}, "no parameter")):
        packed, parts = pack_quantized(Quantized(NETWORK, tensors))
        with pytest.raises(ValueError, match=says):
            unpack_quantized(packed, parts)
    packed, parts = pack_quantized(Quantized(NETWORK, {}, {0: Grid(-1.0, 0, QType(8))}))
    with pytest.raises(ValueError, match="expected above 0"):
        unpack_quantized(packed, parts)


def test_what_is_no_step_is_refused() -> None:
    program = Program(("x",), ("a layer",), "identity", "regression")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="step 0: str, expected one of dense, trees"):
        pack_program(program)
