"""The records that plugins yield. A record holds pure functions; there is no base class to inherit from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from qaudit.core.catalogue.measures import Measure
from qaudit.core.catalogue.plugin_measures import ignored
from qaudit.core.program import Program
from qaudit.core.tensor import Floats

Value = int | float | str | bool | None
Tier = Literal["data", "checked", "code"]


class Decline(Exception):
    """Raised by a plugin that does not apply to this model. It becomes a row of the report and is not a failure."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A declared setting: the values that are tried by default, and all allowed values (None: the defaults only)."""

    default: tuple[Value, ...]
    allowed: Collection[Value] | None = None
    help: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """The properties that a quantizer claims. Only claimed properties are checked."""

    rounding: str = "nearest"
    zero_exact: bool = True
    max_kept: bool = False
    scale_equivariant: str | None = "powers of two"
    idempotent: bool = False
    deterministic: bool = True


@dataclass(frozen=True, slots=True)
class Quantizer:
    """A quantization method. At least one of `quantize`, `inputs` and `model` is needed.

    quantize(values, calibration, **settings) -> QuantizedTensor | None, for weights, thresholds and leaves;
    inputs(calibration, **settings) -> Grid | None, for the inputs of a dense layer;
    model(program, calibrations, **settings) -> {parameter: QuantizedTensor}, where tensors depend on each other.
    `measures` are numbers of its own that it records with `calibration.record_measure(name, value)`.
    """

    name: str
    summary: str
    quantize: Callable[..., Any] | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    inputs: Callable[..., Any] | None = None
    model: Callable[..., Any] | None = None
    needs: tuple[str, ...] = ()
    claims: Claims = Claims()
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True)
class Explainer:
    """explain(context, **settings) -> Explanation or a tuple of them; needs: "target", "refits".

    `measures` are numbers of its own that it records with `context.record_measure(name, value, feature=None)`.
    """

    name: str
    summary: str
    explain: Callable[..., Any]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """The input of an explainer: one model. The explainer is not told whether it is the reference or a candidate.

    `predict(columns) -> (n, k)`, `columns` a mapping of raw column name to array; `decide(predictions) -> (n,)` int, or None for
    regression; `output` (n,) int: the predict column explained for each of `rows`; `rows` and `background` are such mappings.
    `target` (n,) int class index (float64 for regression) with needs=("target",); `refits[column]` a list of (n, k) arrays with
    needs=("refits",). `record_measure(name, value, feature=None)` records a value of a measure that the plugin declares, of the
    model as a whole or of one column, once each.
    """

    predict: Callable[[Mapping[str, NDArray[Any]]], Floats]
    decide: Callable[[Floats], NDArray[Any] | None]
    output: NDArray[Any]
    rows: Mapping[str, NDArray[Any]]
    background: Mapping[str, NDArray[Any]]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    seed: int
    budget: int
    target: NDArray[Any] | None = None
    refits: Mapping[str, list[Floats]] | None = None
    record_measure: Callable[..., None] = ignored


@dataclass(frozen=True, slots=True)
class Feature:
    """A raw input column. `kind` and `takes_missing` are read from the model's encoder; None where it does not determine them."""

    name: str
    kind: Literal["number", "text"] | None = None
    takes_missing: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model that a format plugin has read.

    `encode(frame) -> (n, width) float64`; `predict(frame) -> (n, k) float64`, the model's own predictions.

    `refit(rows, target, without=column, seed=n) -> Loaded`, or None where the model cannot be retrained. `features` by name, or
    () where the model was fitted without names (then `width` columns are taken in order). `program` is None where the family
    cannot be lowered; `why_not` then says why in one line.
    """

    program: Program | None
    encode: Callable[[Any], Floats] | None
    predict: Callable[[Any], Floats]
    refit: Callable[..., Loaded] | None
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    output: Literal["binary", "multiclass", "regression"]
    family: str
    width: int
    why_not: str | None = None
    leaves: Callable[[Any], NDArray[Any]] | None = None
    """Encoded rows (n, width) -> flat numbers (n, trees) of the leaf nodes that the model itself reaches."""
    raw: Callable[[Any], Floats] | None = None
    """Encoded rows (n, width) -> the model's own margins (n, k) before the link."""
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The texts that the model's encoder knows, by column."""
    decide: Callable[[Any], NDArray[Any]] | None = None
    """Frame -> the class index (n,) that the model itself decides; the decisions of a report are compared with it."""
    ties: Literal["first", "last"] = "first"
    """Which class the model decides where several have the largest probability, or where a binary margin is 0."""


@dataclass(frozen=True, slots=True)
class Format:
    """A model file format. `recognise(path) -> bool` looks at content, not extension; `load(path) -> Loaded`."""

    name: str
    tier: Tier
    recognise: Callable[[Path], bool]
    load: Callable[[Path], Loaded]
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Framework:
    """A list of the evidence that a regulation or standard requires. It is data only, without functions."""

    id: str
    title: str
    source: str
    status: str
    binding: bool
    scope_note: str
    dated: str
    items: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a plugin may know about the model before it runs: names, shapes and roles, but no data."""

    output: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    parameters: tuple[tuple[str, str, tuple[int, ...]], ...]
    calibration: bool = False
    training: bool = False
