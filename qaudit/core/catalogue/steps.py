"""The kinds of step that a program is made of: arrays, checks, and the parameters that a quantizer may replace.

`qaudit.engine` says how a step is evaluated and how far two correct evaluations may differ, since core imports no engine.
There a `match` over all steps ends in `assert_never`, so that mypy names every place to which a new step must be added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, assert_never, get_args

import numpy as np

from qaudit.core.catalogue.complete import by_name
from qaudit.core.steps import Activation, Aggregate, Dense, Parameter, Step, StepName, Trees
from qaudit.core.tensor import Floats

S = TypeVar("S", bound=Step)


@dataclass(frozen=True, slots=True, eq=False)
class StepKind(Generic[S]):
    """One kind of step. Every function takes the step first.

    `arrays`: dtype of each array field; those in `optional` may be None. `words`: the values that a text field may take.
    `problems(step, width)`: why it cannot be evaluated on rows of that width, one line per problem.
    `outputs(step)`: the number of its outputs; called only where there are no problems.
    `parameters(step, layer, inputs)`: its named tensors; `inputs` are the names of the program's columns.
    `replaced(step, layer, inputs, values)`: the step with the tensors that `values` names replaced; unknown names are ignored.
    `first`: it must be the first step of a program, since its parameters are named after the inputs of the model.
    """

    name: StepName
    record: type[S]
    arrays: Mapping[str, str]
    problems: Callable[[S, int], list[str]]
    outputs: Callable[[S], int]
    parameters: Callable[[S, int, Sequence[str]], Iterator[Parameter]]
    replaced: Callable[[S, int, Sequence[str], Mapping[str, Floats]], S]
    optional: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first: bool = False


def _dense_problems(step: Dense, width: int) -> list[str]:
    if step.weight.ndim != 2 or step.weight.shape[1] != width:
        return [f"weight: shape {step.weight.shape}, expected (outputs, {width})"]
    outputs = step.weight.shape[0]
    if step.bias.shape != (outputs,):
        return [f"bias: shape {step.bias.shape}, expected ({outputs},)"]
    finite = np.isfinite(step.weight).all() and np.isfinite(step.bias).all()
    return [] if finite else ["weights: not finite"]


def _dense_parameters(step: Dense, layer: int, inputs: Sequence[str]) -> Iterator[Parameter]:
    yield Parameter(f"layer{layer}.weight", "weight", layer, step.weight, 0)
    yield Parameter(f"layer{layer}.bias", "bias", layer, step.bias, 0)


def _dense_replaced(step: Dense, layer: int, inputs: Sequence[str], values: Mapping[str, Floats]) -> Dense:
    weight, bias = values.get(f"layer{layer}.weight", step.weight), values.get(f"layer{layer}.bias", step.bias)
    return replace(step, weight=weight, bias=bias)


DENSE = StepKind(
    name="dense",
    record=Dense,
    arrays={"weight": "float64", "bias": "float64"},
    words={"activation": get_args(Activation)},
    problems=_dense_problems,
    outputs=lambda step: len(step.weight),
    parameters=_dense_parameters,
    replaced=_dense_replaced,
)


def _trees_problems(step: Trees, width: int) -> list[str]:
    """Where there are none, every index lies inside its array, and no walk is endless, since children follow their parents."""
    nodes, outputs = len(step.left), step.base.size
    if wrong := _trees_shapes(step, nodes, outputs):
        return wrong
    inner, itself = step.left >= 0, np.arange(nodes)
    problems = []
    if not step.roots.size or step.roots.min() < 0 or step.roots.max() >= nodes:
        problems.append(f"roots: expected one or more node numbers below {nodes}")
    for name in ("left", "right"):
        child = getattr(step, name)
        if np.any(child[inner] <= itself[inner]) or np.any(child >= nodes) or np.any(child[~inner] != -1):
            problems.append(f"{name}: expected node numbers behind the parent and below {nodes}, -1 in leaves")
    if np.any(step.feature[inner] < 0) or np.any(step.feature >= width):
        problems.append(f"feature: expected 0 to {width - 1} in inner nodes")
    if step.column is not None and (step.column.min() < 0 or step.column.max() >= outputs):
        problems.append(f"column: expected 0 to {outputs - 1}")
    if np.isnan(step.threshold[inner]).any() or not np.isfinite(step.value[~inner]).all() or not np.isfinite(step.base).all():
        problems.append("thresholds and leaf values: not finite")
    return problems


def _trees_shapes(step: Trees, nodes: int, outputs: int) -> list[str]:
    columns = outputs if step.column is None else 1
    by_node = ("left", "right", "feature", "threshold", "missing_left")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(by_node, (nodes,))
    shapes |= {"value": (nodes, columns), "base": (outputs,), "roots": (step.roots.size,)}
    if step.column is not None:
        shapes["column"] = (step.roots.size,)
    for name, shape in shapes.items():
        if getattr(step, name).shape != shape:
            return [f"{name}: shape {getattr(step, name).shape}, expected {shape}"]
    return []


def _trees_parameters(step: Trees, layer: int, inputs: Sequence[str]) -> Iterator[Parameter]:
    for index in np.unique(step.feature[step.feature >= 0]):
        values = step.threshold[step.feature == index]
        yield Parameter(f"threshold[{inputs[index]}]", "threshold", layer, values, None)
    leaves = np.ascontiguousarray(step.value[step.left < 0].T)  # transposed once, since reading a column of a large array is slow
    for output, values in enumerate(leaves):
        yield Parameter(f"leaf[{output}]", "leaf", layer, values, None)


def _trees_replaced(step: Trees, layer: int, inputs: Sequence[str], values: Mapping[str, Floats]) -> Trees:
    threshold, leaf = step.threshold.copy(), step.value.copy()
    for index in np.unique(step.feature[step.feature >= 0]):
        if (name := f"threshold[{inputs[index]}]") in values:
            threshold[step.feature == index] = values[name]
    for output in range(leaf.shape[1]):
        if (name := f"leaf[{output}]") in values:
            leaf[step.left < 0, output] = values[name]
    return replace(step, threshold=threshold, value=leaf)


TREES = StepKind(
    name="trees",
    record=Trees,
    arrays={
        "left": "int32",
        "right": "int32",
        "feature": "int32",
        "threshold": "float64",
        "value": "float64",
        "roots": "int32",
        "base": "float64",
        "missing_left": "bool",
        "column": "int32",
    },
    optional=("column",),
    words={"aggregate": get_args(Aggregate)},
    problems=_trees_problems,
    outputs=lambda step: int(step.base.size),
    parameters=_trees_parameters,
    replaced=_trees_replaced,
    first=True,
)

STEP_KINDS: dict[str, StepKind[Any]] = by_name((DENSE, TREES), Step, StepName)


def kind_of(step: Step) -> StepKind[Any]:
    """The catalogue record of a step."""
    match step:
        case Dense():
            return DENSE
        case Trees():
            return TREES
        case _:
            assert_never(step)
