"""What the host must know of a kind of explanation, as one frozen record; `explanations` fills one in for each kind."""

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
    """A field that is no array: how it becomes JSON, and how it is read from JSON."""

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]


@dataclass(frozen=True, slots=True, eq=False)
class DistanceInputs:
    """What distances need besides two explanations: rows to compare trees on, the mean design of local rows (n, d), the task."""

    table: Table
    design: Floats
    regression: bool


@dataclass(frozen=True, slots=True, eq=False)
class Distance(Generic[E]):
    """A distance between two explanations of one kind; 0 where they say the same.

    `means` is printed. `between(a, b, inputs)` gives None where the distance has no value; `undefined` then says why. A distance
    of unit "share" is a share of rows that are told something else. `task`: the subjects for which it is taken.
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

    `topic`: that of its evidence. `cost_rows`: what its cost is divided by, the explained rows or those outside the background.
    `distances`: the one that the verdict of the drift goes by comes first.
    `problem(explanation, sizes)`: a breach of the contract that shapes do not show, in one line; `sizes` of dimensions by name.
    `column_sizes(explanation, names)`: how much each of so many columns matters (d,); all 0 where it tells no rows apart.
    `same(a, b, order, table)`: whether b, whose columns come in another order, says what a says. Column j of a is column
    `order[j]` of b; `table` holds rows, its columns in the order of a.
    `contributions(explanation, design)`: what each column adds to the explained output of each row (n, d), against the
    background; None for a kind that does not explain row by row.
    `quantity(explanation)`: what is explained, where an explainer may explain several; `repeats`: the draws that one holds.
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
