"""The values that are exchanged between the host and a child process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from qaudit.core.__about__ import SPEC
from qaudit.core.json_values import Json

if TYPE_CHECKING:  # `qaudit plugins` imports this module and must not wait for numpy
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[Any]"]
FailureKind = Literal["raised", "declined", "refused", "timed out", "crashed", "out of memory", "broken contract", "no answer"]


@dataclass(frozen=True, slots=True)
class PluginRef:
    """A reference to a plugin, obtained without importing it.

    `value` is the text of its entry point; `digest` the sha256 of its sources; `file` is set for `--plugin FILE`; `spec` is the
    version of the plugin contract that its source states.
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
    """The resources that one unit may use: seconds of time, bytes of memory, bytes of its answer."""

    seconds: float = 300.0
    memory: int = 4 * 2**30
    answer: int = 2 * 2**30


_DEFAULT = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One unit before it runs: its task, the input of that task, the plugins that the child loads, and its limits."""

    task: str
    request: Json
    arrays: Arrays = field(default_factory=dict)
    plugins: Sequence[PluginRef] = ()
    limits: Limits = _DEFAULT


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a unit gave no answer. `reason` is one line of plain text.

    The model is blamed in the phases load, encode and predict, in which its code runs; the plugin in all others.
    """

    kind: FailureKind
    phase: str
    reason: str
    blame: Literal["model", "plugin"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The answer of a unit with its arrays, or its failure."""

    answer: Json
    arrays: Arrays
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """The input of a task inside the child. `offers[kind]` are the records of the plugins that were loaded for it.

    `phase(name)` announces a step before it begins, so that a failure is attributed to the right step.
    """

    request: Json
    arrays: Arrays
    offers: Mapping[str, list[Any]] = field(default_factory=dict)
    phase: Callable[[str], None] = lambda name: None
