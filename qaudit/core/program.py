"""A model as a Program: arrays and names that qaudit evaluates itself, without code of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from qaudit.core.catalogue.steps import kind_of
from qaudit.core.steps import Parameter, Step
from qaudit.core.tensor import Floats, Grid, QuantizedTensor

Link = Literal["identity", "logistic", "softmax", "ovr", "margin"]
Output = Literal["binary", "multiclass", "regression"]


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
        return {
            parameter.name: parameter
            for layer, step in enumerate(self.steps)
            for parameter in kind_of(step).parameters(step, layer, self.inputs)
        }

    def problems(self) -> list[str]:
        """Why the program cannot be evaluated, one line per problem; empty where all shapes and indices fit.

        Where it is empty, every index lies inside its array and every walk through a tree ends.
        """
        problems: list[str] = []
        width = self.width
        for layer, step in enumerate(self.steps):
            kind = kind_of(step)
            # the checks of later steps need a valid width, so the first faulty step ends the list
            if layer and kind.first:
                return [f"step {layer}: {kind.name} behind another step; their parameters are named after the model's inputs"]
            if wrong := kind.problems(step, width):
                return [f"step {layer}: {line}" for line in wrong]
            width = kind.outputs(step)
        single = (
            self.output == "regression" or self.link == "logistic" or (self.output == "binary" and self.link in ("margin", "ovr"))
        )
        expected = 1 if single else len(self.classes)
        if width != expected:
            problems.append(f"link {self.link}: {width} scores for {len(self.classes)} classes, expected {expected}")
        if self.output == "binary" and len(self.classes) != 2:
            problems.append(f"classes: {len(self.classes)}, expected 2 for binary")
        return problems

    def with_parameters(self, values: Mapping[str, Floats]) -> Program:
        """The same program with some parameters replaced; shapes must agree."""
        known = self.parameters()
        for name, array in values.items():
            if name not in known:
                raise KeyError(f"no parameter {name!r}")
            if array.shape != known[name].values.shape:
                raise ValueError(f"{name}: shape {array.shape}, expected {known[name].values.shape}")
        steps = (kind_of(step).replaced(step, layer, self.inputs, values) for layer, step in enumerate(self.steps))
        return replace(self, steps=tuple(steps))


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A program under quantization: the float program, the tensors that replace its parameters, the grids of layer inputs.

    `grids[layer]` quantizes the input of dense step `layer`. A layer with a grid and a weight tensor of integer codes
    accumulates in integers.
    """

    program: Program
    tensors: Mapping[str, QuantizedTensor]
    grids: Mapping[int, Grid] = field(default_factory=dict)
