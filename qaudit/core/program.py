"""What a model is to us: a Program, data and not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qaudit.core.tensor import Floats, Grid, QuantizedTensor

Activation = Literal["identity", "relu", "tanh", "logistic"]
Link = Literal["identity", "logistic", "softmax", "ovr", "margin"]
Output = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """activation(x @ weight.T + bias); weight (out, in), bias (out,)."""

    weight: Floats
    bias: Floats
    activation: Activation = "identity"


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """An ensemble in flat arrays. A row goes left where float32(x) <= threshold; NaN goes left where `missing_left`.

    `left` and `right` are node numbers (-1 in a leaf), `feature` (-2 in a leaf), `threshold` float64, `value` (nodes, outputs).
    Tree t starts at node `roots[t]` and adds its leaf value to output `column[t]` (value has one column), or, where `column`
    is None, to all outputs at once. Contributions are added in tree order to `base`; `aggregate` mean divides by the number
    of trees.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Floats
    value: Floats
    roots: NDArray[np.int32]
    base: Floats
    missing_left: NDArray[np.bool_]
    aggregate: Literal["mean", "sum"] = "mean"
    column: NDArray[np.int32] | None = None


Step = Dense | Trees


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One named tensor of a Program that a quantizer may replace. `axis` is the output axis, where there is one."""

    name: str
    role: Literal["weight", "bias", "threshold", "leaf"]
    layer: int
    values: Floats
    axis: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """encoded rows (n, width) -> steps -> link -> predictions (n, k).

    k = number of classes for logistic, softmax, ovr and for identity over class probabilities (forests); 1 for regression and
    for binary margins. `link_scale` multiplies the margin first (2.0 for exponential loss). `classes` in the model's own order.
    """

    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    link: Link
    output: Output
    classes: tuple[str, ...] = ()
    link_scale: float = 1.0

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return len(self.inputs)

    def parameters(self) -> dict[str, Parameter]:
        """Every parameter by name, in order: layer0.weight, layer0.bias, threshold[x], leaf[0] ..."""
        found: dict[str, Parameter] = {}
        for layer, step in enumerate(self.steps):
            if isinstance(step, Dense):
                found[f"layer{layer}.weight"] = Parameter(f"layer{layer}.weight", "weight", layer, step.weight, 0)
                found[f"layer{layer}.bias"] = Parameter(f"layer{layer}.bias", "bias", layer, step.bias, 0)
                continue
            for index in np.unique(step.feature[step.feature >= 0]):
                name = f"threshold[{self.inputs[index]}]"
                found[name] = Parameter(name, "threshold", layer, step.threshold[step.feature == index], None)
            leaves = np.ascontiguousarray(step.value[step.left < 0].T)  # by output: a column of a large table is slow to take
            for output, values in enumerate(leaves):
                name = f"leaf[{output}]"
                found[name] = Parameter(name, "leaf", layer, values, None)
        return found

    def problems(self) -> list[str]:
        """What keeps these arrays from being a program, one plain line each; [] where shapes and indices fit.

        After this no index leads out of an array and no walk runs in a circle: children stand behind their parents.
        """
        found: list[str] = []
        width = self.width
        for layer, step in enumerate(self.steps):
            wrong, width = _dense_problems(step, width) if isinstance(step, Dense) else _trees_problems(step, width)
            if wrong:
                return [f"step {layer}: {line}" for line in wrong]
        single = (
            self.output == "regression" or self.link == "logistic" or (self.output == "binary" and self.link in ("margin", "ovr"))
        )
        expected = 1 if single else len(self.classes)
        if width != expected:
            found.append(f"link {self.link}: {width} scores for {len(self.classes)} classes, expected {expected}")
        if self.output == "binary" and len(self.classes) != 2:
            found.append(f"classes: {len(self.classes)}, expected 2 for binary")
        return found

    def with_parameters(self, values: Mapping[str, Floats]) -> Program:
        """The same program with some parameters replaced; shapes must agree."""
        known = self.parameters()
        for name, array in values.items():
            if name not in known:
                raise KeyError(f"no parameter {name!r}")
            if array.shape != known[name].values.shape:
                raise ValueError(f"{name}: shape {array.shape}, expected {known[name].values.shape}")
        return replace(self, steps=tuple(self._replaced(layer, step, values) for layer, step in enumerate(self.steps)))

    def _replaced(self, layer: int, step: Step, values: Mapping[str, Floats]) -> Step:
        if isinstance(step, Dense):
            return replace(
                step,
                weight=values.get(f"layer{layer}.weight", step.weight),
                bias=values.get(f"layer{layer}.bias", step.bias),
            )
        threshold, leaf = step.threshold.copy(), step.value.copy()
        for index in np.unique(step.feature[step.feature >= 0]):
            if (name := f"threshold[{self.inputs[index]}]") in values:
                threshold[step.feature == index] = values[name]
        for output in range(leaf.shape[1]):
            if (name := f"leaf[{output}]") in values:
                leaf[step.left < 0, output] = values[name]
        return replace(step, threshold=threshold, value=leaf)


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A program under quantization: the float program, the tensors that replace its parameters, the grids of layer inputs.

    `grids[layer]` quantizes the input of dense step `layer`. A layer with a grid and a weight tensor of integer codes
    accumulates in integers.
    """

    program: Program
    tensors: Mapping[str, QuantizedTensor]
    grids: Mapping[int, Grid] = field(default_factory=dict)


def _dense_problems(step: Dense, width: int) -> tuple[list[str], int]:
    if step.weight.ndim != 2 or step.weight.shape[1] != width:
        return [f"weight: shape {step.weight.shape}, expected (outputs, {width})"], width
    outputs = step.weight.shape[0]
    if step.bias.shape != (outputs,):
        return [f"bias: shape {step.bias.shape}, expected ({outputs},)"], outputs
    finite = np.isfinite(step.weight).all() and np.isfinite(step.bias).all()
    return ([] if finite else ["weights: not finite"]), outputs


def _trees_problems(step: Trees, width: int) -> tuple[list[str], int]:
    nodes, outputs = len(step.left), step.base.size
    columns = outputs if step.column is None else 1
    by_node = ("left", "right", "feature", "threshold", "missing_left")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(by_node, (nodes,))
    shapes |= {"value": (nodes, columns), "base": (outputs,), "roots": (step.roots.size,)}
    if step.column is not None:
        shapes["column"] = (step.roots.size,)
    for name, shape in shapes.items():
        if getattr(step, name).shape != shape:
            return [f"{name}: shape {getattr(step, name).shape}, expected {shape}"], outputs
    inner, itself = step.left >= 0, np.arange(nodes)
    found = []
    if not step.roots.size or step.roots.min() < 0 or step.roots.max() >= nodes:
        found.append(f"roots: expected one or more node numbers below {nodes}")
    for name in ("left", "right"):
        child = getattr(step, name)
        if np.any(child[inner] <= itself[inner]) or np.any(child >= nodes) or np.any(child[~inner] != -1):
            found.append(f"{name}: expected node numbers behind the parent and below {nodes}, -1 in leaves")
    if np.any(step.feature[inner] < 0) or np.any(step.feature >= width):
        found.append(f"feature: expected 0 to {width - 1} in inner nodes")
    if step.column is not None and (step.column.min() < 0 or step.column.max() >= outputs):
        found.append(f"column: expected 0 to {outputs - 1}")
    if np.isnan(step.threshold[inner]).any() or not np.isfinite(step.value[~inner]).all() or not np.isfinite(step.base).all():
        found.append("thresholds and leaf values: not finite")
    return found, outputs
