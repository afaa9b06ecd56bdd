"""The values that pass from stage to stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision
from qaudit.core.evidence import Evidence, Skipped
from qaudit.core.explanation import Explanation
from qaudit.core.inference.worst_slice import Slice
from qaudit.core.json_values import Json
from qaudit.core.program import Program, Quantized
from qaudit.core.records import Feature, Subject, Tier
from qaudit.core.table import Table
from qaudit.core.tensor import Floats
from qaudit.sandbox.job import PluginRef

Progress = Callable[[str], None]
"""Called with one line of text as work proceeds."""


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceRows:
    """Training rows on which candidates are compared: their numbers (m,) in the role `training`, the declared group columns (m,)
    that the training file has, where the rows come from or why there are none, and the declared clusters (m,)."""

    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    how: str = "no training rows were given"
    cluster: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LoadedSubject:
    """The loaded subject: the model, its input columns, and its predictions for the rows of each role.

    `tables`, `encoded`, `native`, `target` are by role (holdout, training, calibration). `target` holds class indices (int64) or
    float64 for regression. `native` are the model's own predictions (n, k). `program` is None for a black box. `model` is a
    private copy of the file, already hashed; `report` has the finished parts `subject` and `data` of report.json. `groups` and
    `cluster` (n,) are of the holdout.
    """

    name: str
    version: int | None
    digest: str
    model: Path
    format: PluginRef
    tier: Tier
    family: str
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    decision: Decision
    program: Program | None
    why_not: str | None
    refittable: bool
    tables: Mapping[str, Table]
    encoded: Mapping[str, Floats]
    native: Mapping[str, Floats]
    target: Mapping[str, NDArray[Any]]
    groups: Mapping[str, NDArray[Any]]
    report: Mapping[str, Json]
    evidence: tuple[Evidence, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    choice: ChoiceRows = field(default_factory=ChoiceRows)
    cluster: NDArray[Any] | None = None
    tolerance: float | None = None

    def for_plugins(self) -> Subject:
        """What a plugin may know of the subject before it works."""
        parameters = self.program.parameters().values() if self.program else ()
        return Subject(
            output=self.decision.output,
            features=tuple(feature.name for feature in self.features),
            classes=self.classes,
            parameters=tuple((each.name, each.role, each.values.shape) for each in parameters),
            calibration="calibration" in self.tables,
            training="training" in self.tables,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One quantized form of the subject. `row` is its entry in report.json's `candidates`."""

    id: str
    by: str
    settings: Mapping[str, Any]
    quantized: Quantized
    row: Json


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """All candidates in sorted order, their evidence, what declined or failed, and the rows of the plugins."""

    all: tuple[Candidate, ...]
    evidence: tuple[Evidence, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    plugins: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The candidate that was chosen where none was named, None where none could be.

    `row` is the entry `choice` of report.json.
    """

    candidate: Candidate | None
    row: Json


@dataclass(frozen=True, slots=True, eq=False)
class WorstSlice:
    """The slice on which quantization changed most, None where none stands out, with its evidence.

    `row` is the entry `worst_slice` of report.json.
    """

    slice: Slice | None
    row: Json
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Evidence of the evaluation, and the predictions (n, k) that are needed for explanations, by candidate id."""

    evidence: tuple[Evidence, ...]
    predictions: Mapping[str, Floats]
    skipped: tuple[Skipped, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Evidence of importance, fidelity and drift; `explanations` are entries of report.json."""

    evidence: tuple[Evidence, ...]
    explanations: tuple[Json, ...]
    raw: Mapping[tuple[str, str], tuple[Explanation, ...]] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    plugins: tuple[Json, ...] = ()
