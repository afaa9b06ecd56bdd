"""The values that cross the border between the host and a child."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from qaudit.core.__about__ import SPEC
from qaudit.core.json_values import Json

if TYPE_CHECKING:  # the list of plugins reads this file and does not wait for numpy
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[Any]"]
FailureKind = Literal["raised", "declined", "refused", "timed out", "crashed", "out of memory", "broken contract", "no answer"]


@dataclass(frozen=True, slots=True)
class PluginRef:
    """A plugin known without importing it. `value` is the entry point's text; `file` is set for `--plugin FILE`.

    `spec` is the number of the contract that its source states.
    """

    kind: Literal["quantizer", "explainer", "format", "framework"]
    name: str
    value: str
    distribution: str
    version: str
    digest: str
    file: str | None = None
    spec: int = SPEC


@dataclass(frozen=True, slots=True)
class Limits:
    """What one unit may use."""

    seconds: float = 300.0
    memory: int = 4 * 2**30
    answer: int = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit gave no answer. `reason` is one plain line; blame falls on the model in the phases load, encode and predict."""

    kind: FailureKind
    phase: str
    reason: str
    blame: Literal["model", "plugin"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Answer and arrays of a unit, or its failure."""

    answer: Json
    arrays: Arrays
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What a task sees inside the child. `offers[kind]` are the records of the plugins that were loaded for it.

    `phase(name)` announces a step before it is taken, so that blame is exact.
    """

    request: Json
    arrays: Arrays
    offers: Mapping[str, list[Any]] = field(default_factory=dict)
    phase: Callable[[str], None] = lambda name: None
