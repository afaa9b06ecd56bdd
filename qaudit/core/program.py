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
            leaves = step.left < 0
            for output in range(step.value.shape[1]):
                name = f"leaf[{output}]"
                found[name] = Parameter(name, "leaf", layer, step.value[leaves, output], None)
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
