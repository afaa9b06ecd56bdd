"""The parts of report.json that say what was audited, on which rows, by which plugins, and where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qaudit.core.catalogue.measures import OF_PLUGIN, Better
from qaudit.core.catalogue.sections import Anchor
from qaudit.core.program import Output
from qaudit.core.records import Tier
from qaudit.core.table import Kind
from qaudit.report.field_types import Count, Day, Digest, Part, Scalar, Settings, Share


class Audit(Part):
    """The run itself."""

    id: str
    """Name of the audit."""
    date: Day
    """The date of the report (YYYY-MM-DD, UTC), an input of the audit."""
    seed: Count
    """Seed of everything random."""
    bits: tuple[Count, ...] | None
    """Numbers of bits that the quantizers were asked for; null where each used its own."""


class Feature(Part):
    """An input column of the model."""

    name: str
    """Name of the column."""
    kind: Kind
    """What its cells hold."""


class Parameter(Part):
    """An array of numbers of the model."""

    name: str
    """Name of the array."""
    role: str
    """What it does in the model."""
    shape: tuple[Count, ...]
    """Its shape; an empty list for a single number."""


class Lowering(Part):
    """The reading proof: on the holdout, the program that qaudit evaluates predicts as the model does."""

    proved: bool
    """Whether it does; if not, the model is audited as a black box."""
    statement: str
    """The result of the comparison as a sentence."""
    rows: Count
    """Rows that were compared."""
    max_error: float | None
    """Largest difference between two predictions; null for a black box."""
    bound: float | None
    """Largest difference that rounding can explain; null for a black box."""
    ambiguous_rows: tuple[Count, ...]
    """Rows, counted from 0, so near the cut-off that rounding alone could decide them; the first 50."""
    ambiguous_count: Count = 0
    """How many such rows there are."""
    why_not: str | None
    """Why the model is audited as a black box; null where it is not."""


class Subject(Part):
    """The audited model."""

    name: str
    """Its name in the registry, or that of its file."""
    version: int | None
    """Its version in the registry; null for a file."""
    digest: Digest
    """Digest of the model file."""
    parent: str | None
    """The registered model that it was made from."""
    format: str
    """The format plugin that read it."""
    tier: Tier
    """How far its file had to be trusted: data alone, checked before it was built, or code that runs."""
    family: str
    """Kind of model, in words."""
    loaded_by: str
    """Libraries that built it, with versions."""
    output: Output
    """What it predicts."""
    classes: tuple[str, ...]
    """Names of the classes in the order of the predictions' columns; empty for a regression."""
    positive: str | None
    """The positive class; null unless there are two classes."""
    positive_source: str | None = None
    """Whether the author declared the positive class."""
    cutoff: float | None
    """The score at which a row is decided positive; null where none was declared and the decision is the model's own."""
    cutoff_source: str | None
    """Whether the author declared the cut-off; null unless there are two classes."""
    tolerance: float | None = None
    """Change of a predicted number beyond which a row counts as moved; null where none was declared."""
    decision: str = ""
    """How predictions become decisions, in words; empty for a regression."""
    decided_otherwise: Count | None = None
    """Holdout rows on which the model's own predict decides otherwise; null where a cut-off is declared, or it was not asked."""
    target: str
    """The column that the model predicts."""
    size_bytes: Count
    """Size of the model file."""
    features: tuple[Feature, ...]
    """Its input columns, in its order."""
    parameters: tuple[Parameter, ...]
    """Its arrays; empty for a black box."""
    lowering: Lowering
    """The proof that the audited formulas equal the model."""


class Role(Part):
    """Rows that were used for one purpose."""

    file: str
    """Name of the file, without its folder."""
    digest: Digest
    """Digest of the file."""
    rows: Count
    """Number of rows."""
    how: str
    """Where in the file the rows come from; empty where all of them are meant."""


class Roles(Part):
    """Rows by purpose."""

    holdout: Role
    """Rows that the model has never seen: everything is measured on them."""
    training: Role | None = None
    """Rows that the model was trained on."""
    calibration: Role | None = None
    """Rows that quantizers may look at."""

    def named(self) -> list[tuple[str, Role]]:
        """The roles that there are, by name in alphabetical order."""
        roles = {"calibration": self.calibration, "holdout": self.holdout, "training": self.training}
        return [(name, role) for name, role in roles.items() if role is not None]


class Overlap(Part):
    """Rows that occur under two purposes."""

    roles: tuple[str, str]
    """The two purposes."""
    rows: Count
    """How many rows are equal in all columns."""


class Column(Part):
    """A column of the holdout."""

    name: str
    """Name of the column."""
    kind: Kind
    """What its cells hold."""
    role: str
    """Whether it is an input of the model (feature) or only tells groups of rows apart (group)."""
    missing: Count
    """Cells without a value."""
    distinct: Count
    """Different values."""
    low: float | None
    """Smallest number; null for text."""
    mean: float | None
    """Mean of the numbers; null for text."""
    high: float | None
    """Largest number; null for text."""
    top: tuple[tuple[Scalar, Count], ...]
    """The most frequent texts, each with its number of rows."""


class ClassShare(Part):
    """How often a class occurs in the holdout."""

    label: str
    """Name of the class."""
    rows: Count
    """Rows of this class."""
    share: Share
    """Share of all rows."""


class TargetRange(Part):
    """The target of a regression in the holdout."""

    low: float
    """Smallest value."""
    mean: float
    """Mean."""
    high: float
    """Largest value."""


class Data(Part):
    """The rows that were used."""

    roles: Roles
    """Files and numbers of rows by purpose."""
    overlap: tuple[Overlap, ...]
    """Rows that occur under two purposes."""
    columns: tuple[Column, ...]
    """The columns of the holdout."""
    groups: tuple[str, ...]
    """Columns whose values divide the rows into groups."""
    cluster: str | None = None
    """Column whose equal values mark rows that belong together; null where every row stands for itself."""
    clusters: Count | None = None
    """The number of clusters in the holdout; null without such a column."""
    target: tuple[ClassShare | TargetRange, ...]
    """The classes of the holdout, or one range for a regression."""
    notes: tuple[str, ...]
    """How the rows were read, as sentences."""


class DeclaredMeasure(Part):
    """A measure that a plugin declares; its values are the plugin's own and were not measured by qaudit."""

    name: Annotated[str, Field(pattern=rf"^{OF_PLUGIN.pattern}$")]
    """Its name in the evidence table: plugin.measure."""
    title: str
    """Its name in print."""
    unit: str
    """The unit of its values; empty where it has none."""
    section: Anchor
    """The section that shows it."""
    better: Better
    """The side that is preferred; empty where neither is."""


class Plugin(Part):
    """A plugin that was found, whether or not it ran."""

    kind: Literal["quantizer", "explainer", "format", "framework"]
    """What it does."""
    name: str
    """Its name."""
    distribution: str
    """The package or file that has it."""
    version: str
    """Version of the package."""
    digest: str
    """sha256 of its files, as far as they are recorded."""
    summary: str
    """One line by its author."""
    status: Literal["ran", "declined", "failed", "unselected", "broken"]
    """Whether it ran, declined, failed or was not selected."""
    reason: str
    """Why it did not run; empty where it ran."""
    settings: Settings
    """Settings that it ran with."""
    expected_failures: dict[str, str] = Field(default_factory=dict)
    """Contract checks that its author says it fails, with the reason; absent where there are none."""
    measures: tuple[DeclaredMeasure, ...] = ()
    """Measures of its own that it declares; absent where there are none."""


class Environment(Part):
    """What the bytes of a report depend on besides its inputs."""

    qaudit: str = ""
    """Version of qaudit."""
    python: str
    """Version of Python."""
    platform: str
    """Operating system and architecture."""
    cpu: str
    """Processor, and the features from which numpy chooses its kernels."""
    blas: str
    """The library of linear algebra and its kernel."""
    packages: dict[str, str]
    """Versions of packages."""
    pdf: dict[str, str | None]
    """Versions of the libraries that make the PDF; null where one is not installed."""
