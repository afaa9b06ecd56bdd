"""The steps of a program, as arrays; `qaudit.core.catalogue.steps` describes how the host checks and uses each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qaudit.core.tensor import Floats

Activation = Literal["identity", "relu", "tanh", "logistic"]
Aggregate = Literal["mean", "sum"]
Role = Literal["weight", "bias", "threshold", "leaf"]
StepName = Literal["dense", "trees"]
STEP_NAMES: tuple[StepName, ...] = get_args(StepName)


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
    aggregate: Aggregate = "mean"
    column: NDArray[np.int32] | None = None


Step = Dense | Trees


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One named tensor of a Program that a quantizer may replace. `axis` is the output axis, where there is one."""

    name: str
    role: Role
    layer: int
    values: Floats
    axis: int | None
