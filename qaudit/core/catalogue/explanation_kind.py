"""What the host must know about a kind of explanation, as one frozen record; `explanations.py` has one for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from qaudit.core.explanation import Explanation, ExplanationName
from qaudit.core.table import Table
from qaudit.core.tensor import Floats

E = TypeVar("E", bound=Explanation)


@dataclass(frozen=True, slots=True)
class ArrayField:
    """An array of an explanation. `shape` names its dimensions.

    "rows", "names" and "outputs" are the explained rows, the raw columns, and the classes (1 for regression). Any other name is
    free: one number of at least 1, the same in all arrays of the explanation.
    """

    shape: tuple[str, ...]
    dtype: type[Any] = np.float64


@dataclass(frozen=True, slots=True)
class JsonField:
    """A field that is not an array: the functions that turn it into JSON and back."""

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]


@dataclass(frozen=True, slots=True, eq=False)
class DistanceInputs:
    """What a distance needs besides two explanations.

    `table` has the rows on which trees are compared, `design` the mean design of the rows that are explained one by one (n, d).
    """

    table: Table
    design: Floats
    regression: bool


@dataclass(frozen=True, slots=True, eq=False)
class Distance(Generic[E]):
    """A distance between two explanations of one kind; 0 where they are equal.

    `means` describes it in the report. `between(a, b, inputs)` returns None where the distance has no value; `undefined` then
    says why. The unit "share" stands for a share of rows with another result. `task` says for which models it is computed.
    """

    name: str
    means: str
    between: Callable[[E, E, DistanceInputs], float | None]
    unit: Literal["", "share"] = ""
    undefined: str = ""
    task: Literal["any", "classification", "regression"] = "any"


@dataclass(frozen=True, slots=True, eq=False)
class ExplanationKind(Generic[E]):
    """One kind of explanation.

    `topic`: the topic of its evidence. `cost_rows`: the rows by whose number its cost is divided, either the explained rows or
    those outside the background.
    `distances`: the first one decides the verdict of the drift.
    `problem(explanation, sizes)`: one line about a breach of the contract that the shapes do not show, else None; `sizes` has the
    sizes of the dimensions by name.
    `column_sizes(explanation, names)`: how much each of the `names` columns matters (d,); all 0 where no column matters.
    `same(a, b, order, table)`: whether b, whose columns are in another order, is equal to a. Column j of a is column
    `order[j]` of b; `table` has rows, with its columns in the order of a.
    `contributions(explanation, design)`: what each column adds to the explained output of each row (n, d), compared with the
    background; None for a kind that does not explain row by row.
    `quantity(explanation)`: what is explained, where an explainer may explain several quantities.
    `repeats(explanation)`: the single repetitions of which the explanation consists.
    """

    name: ExplanationName
    record: type[E]
    topic: str
    cost_rows: Literal["explained", "unseen"]
    arrays: Mapping[str, ArrayField]
    distances: tuple[Distance[E], ...]
    problem: Callable[[E, Mapping[str, int]], str | None]
    column_sizes: Callable[[E, int], Floats]
    same: Callable[[E, E, NDArray[np.int64], Table], bool]
    contributions: Callable[[E, Floats], Floats] | None = None
    json: Mapping[str, JsonField] = field(default_factory=dict)
    quantity: Callable[[E], str] = lambda explanation: ""
    repeats: Callable[[E], Sequence[E]] = lambda explanation: [explanation]
