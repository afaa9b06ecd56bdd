"""The values that pass through the hooks of the host: units that proxies prepare, and the answers of the plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qaudit.core.json_values import Json
from qaudit.sandbox.job import Arrays, Call, Failure, Limits, Outcome, PluginRef

if TYPE_CHECKING:  # the list of plugins reads this file and does not wait for numpy
    from qaudit.core.evidence import Skipped
    from qaudit.core.records import Subject


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One plugin's unit, prepared by its proxy and not started."""

    plugin: PluginRef
    call: Call


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer of one plugin to a hook of the host.

    After a failure, which raises nothing, `skipped` is its row of the report.
    """

    plugin: PluginRef
    call: Call
    outcome: Outcome
    skipped: Skipped | None = None

    @property
    def failure(self) -> Failure | None:
        """Why there is no answer; None where there is one."""
        return self.outcome.failure


@dataclass(frozen=True, slots=True, eq=False)
class QuantizeTask:
    """What every quantizer's unit needs besides the subject.

    `program` is the packed program (None for a black box, with the reason in `why_not`), `arrays` its arrays and, where there
    are calibration rows, `calibration` (n, width). `settings` are the author's by quantizer name; `bits` replaces the default
    sweep of a setting `bits` that the author did not give.
    """

    program: Json | None
    arrays: Arrays
    why_not: str | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bits: Sequence[int] | None = None
    seed: int = 0
    limits: Limits = field(default_factory=Limits)


def subject_request(subject: Subject) -> Json:
    """The subject in the form of a request, which `plugin_loader.subject_of` reads in the child."""
    return {
        "output": subject.output,
        "features": list(subject.features),
        "classes": list(subject.classes),
        "parameters": [[name, role, list(shape)] for name, role, shape in subject.parameters],
        "calibration": subject.calibration,
        "training": subject.training,
    }
