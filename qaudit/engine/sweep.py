"""Predictions of programs and of their quantized forms in row blocks of fixed height, so that memory does not grow with the rows.

All candidates are evaluated in one pass. They share work only where this changes no bit: candidates with the thresholds
of the reference use its leaves, and candidates with the same grid for the model's inputs use the same codes. Blocks have a fixed
height and BLAS has one thread, so the predictions of a candidate do not depend on which others are evaluated with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from qaudit.core.catalogue.steps import TREES
from qaudit.core.program import Link, Program, Quantized
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Floats, Grid, QuantizedTensor
from qaudit.engine.dense import FloatLayer, IntegerLayer, Layer, centred_codes, layer_of
from qaudit.engine.links import predictions
from qaudit.engine.trees import Walk, by_tree, gather, leaves_of, walk_of

BLOCK = 2048
"""Rows of a block. A fixed number: float64 products may differ in the last bit with it."""
REFERENCE = "reference"

Consume = Callable[[slice, Mapping[str, Floats]], None]


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """A prepared tree step. Forests with the same Walk object lead each row to the same leaves."""

    step: Trees
    walk: Walk


PreparedStep = Layer | Forest


@dataclass(frozen=True, slots=True, eq=False)
class PreparedProgram:
    """A model prepared for evaluation: dequantized, transposed and checked for overflow."""

    width: int
    steps: tuple[PreparedStep, ...]
    link: Link
    link_scale: float


class _BlockCache:
    """Leaves and input codes of one row block, computed once for all models. They depend on the model's inputs, so that only the
    first step of a model may use them."""

    def __init__(self, encoded: Floats) -> None:
        self.encoded = encoded
        self._leaves: dict[int, NDArray[np.intp]] = {}
        self._codes: dict[Grid, Floats] = {}

    def leaves(self, walk: Walk) -> NDArray[np.intp]:
        """Leaf nodes (T, n) of the block."""
        if id(walk) not in self._leaves:
            self._leaves[id(walk)] = by_tree(leaves_of(walk, self.encoded))
        return self._leaves[id(walk)]

    def codes(self, grid: Grid) -> Floats:
        """q_x - z_x of the block."""
        if grid not in self._codes:
            self._codes[grid] = centred_codes(grid, self.encoded)
        return self._codes[grid]


def prepare(model: Program | Quantized, walks: dict[bytes, Walk] | None = None) -> PreparedProgram:
    """Prepares a model. `walks`: the trees that are prepared already, by digest of structure and thresholds, to be shared.

    Raises ValueError where an integer accumulator would overflow int64, and where a tensor does not fit its parameter.
    """
    program, tensors, grids = (model, {}, {}) if isinstance(model, Program) else (model.program, model.tensors, model.grids)
    known = program.parameters()
    for name, tensor in tensors.items():
        if name not in known:
            raise ValueError(f"no parameter {name!r}")
        if tensor.codes.shape != known[name].values.shape:
            raise ValueError(f"{name}: shape {tensor.codes.shape}, expected {known[name].values.shape}")
    walks = {} if walks is None else walks
    steps: list[PreparedStep] = []
    for index, step in enumerate(program.steps):
        own = {name: tensor for name, tensor in tensors.items() if known[name].layer == index}
        match step:
            case Dense():
                weight, bias = own.get(f"layer{index}.weight"), own.get(f"layer{index}.bias")
                steps.append(layer_of(step, weight, bias, grids.get(index)))
            case Trees():
                steps.append(_forest(step, index, program.inputs, own, walks))
            case _:
                assert_never(step)
    return PreparedProgram(program.width, tuple(steps), program.link, program.link_scale)


def _forest(
    step: Trees, layer: int, inputs: Sequence[str], own: Mapping[str, QuantizedTensor], walks: dict[bytes, Walk]
) -> Forest:
    """A tree step, its thresholds and leaf values replaced by the tensors `own`."""
    if own:
        step = TREES.replaced(step, layer, inputs, {name: tensor.dequantize() for name, tensor in own.items()})
    return Forest(step, _walk(step, walks))


def _walk(step: Trees, walks: dict[bytes, Walk]) -> Walk:
    """The Walk of a step, made once for all steps of equal structure and thresholds."""
    digest = hashlib.sha256()
    for part in (step.roots, step.feature, step.left, step.right, step.missing_left, step.threshold):
        digest.update(np.ascontiguousarray(part).data)
    key = digest.digest()
    if key not in walks:
        walks[key] = walk_of(step)
    return walks[key]


@lru_cache(maxsize=4)
def _prepared_once(model: Program | Quantized) -> PreparedProgram:
    """Prepares a model once for thousands of predictions of an explainer. Models are frozen and are hashed by identity."""
    return prepare(model)


def predict(model: Program | Quantized | PreparedProgram, encoded: Any, block: int = BLOCK) -> Floats:
    """Predictions (n, k) float64 of encoded rows (n, width). Raises ValueError where the width differs."""
    prepared = model if isinstance(model, PreparedProgram) else _prepared_once(model)
    rows = _rows(prepared, encoded)
    with _blas().limit(limits=1):
        parts = [_evaluate(prepared, _BlockCache(rows[at])) for at in _blocks(len(rows), block)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def sweep(reference: Program, candidates: Mapping[str, Quantized], encoded: Any, consume: Consume, block: int = BLOCK) -> None:
    """Reference and all candidates in one pass over encoded rows (n, width).

    `consume(rows, predictions)` is called for each block in order, with {"reference": (m, k), then the ids in sorted order}.
    Raises ValueError where the width differs, where a candidate cannot be evaluated (see `prepare`), or is called "reference".
    """
    if REFERENCE in candidates:
        raise ValueError(f"a candidate is called {REFERENCE!r}")
    walks: dict[bytes, Walk] = {}
    models = {REFERENCE: prepare(reference, walks)}
    models |= {name: prepare(candidates[name], walks) for name in sorted(candidates)}
    rows = _rows(models[REFERENCE], encoded)
    with _blas().limit(limits=1):
        for at in _blocks(len(rows), block):
            shared = _BlockCache(rows[at])
            consume(at, {name: _evaluate(model, shared) for name, model in models.items()})


def watch_inputs(model: Quantized, encoded: Any, consume: Callable[[int, Grid, Floats], None], block: int = BLOCK) -> None:
    """Evaluate a candidate once more on encoded rows (n, width), for what its dense layers with a grid are given.

    `consume(step, grid, inputs)` is called for every block of rows and every such step in order, with the inputs (m, in)
    before rounding. Raises ValueError as `predict` does.
    """
    prepared = _prepared_once(model)
    rows = _rows(prepared, encoded)
    with _blas().limit(limits=1):
        for at in _blocks(len(rows), block):
            shared = _BlockCache(rows[at])
            x = shared.encoded
            for index, step in enumerate(prepared.steps):
                if isinstance(step, FloatLayer | IntegerLayer) and step.grid is not None:
                    consume(index, step.grid, x)
                x = _apply(step, index, x, shared)


def _evaluate(model: PreparedProgram, shared: _BlockCache) -> Floats:
    """One block through all steps and the link."""
    x = shared.encoded
    for index, step in enumerate(model.steps):
        x = _apply(step, index, x, shared)
    return predictions(model.link, model.link_scale, x)


def _apply(step: PreparedStep, index: int, x: Floats, shared: _BlockCache) -> Floats:
    """One block through one step; the first may use what is shared."""
    match step:
        case Forest():
            return gather(step.step, shared.leaves(step.walk) if index == 0 else by_tree(leaves_of(step.walk, x)))
        case FloatLayer() | IntegerLayer():
            return step(x, shared.codes(step.grid) if index == 0 and step.grid is not None else None)
        case _:
            assert_never(step)


def _rows(model: PreparedProgram, encoded: Any) -> Floats:
    # one memory layout: BLAS may round otherwise for another
    rows = np.ascontiguousarray(encoded, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != model.width:
        raise ValueError(f"encoded rows of shape {rows.shape}, expected (n, {model.width})")
    return rows


def _blocks(n: int, block: int) -> Iterator[slice]:
    """Slices of `block` rows; one empty slice where there are no rows."""
    for start in range(0, max(n, 1), block):
        yield slice(start, min(start + block, n))


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    """The control of BLAS threads, made once a process, since it takes a millisecond. numpy has loaded its library by then."""
    return ThreadpoolController()
