"""Everything that was measured, as one table, and the findings and assessments that rest on it.

These values stand in report.json under the names of their fields; qaudit/report/model.py declares the whole file.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qaudit.core.catalogue.measures import OF_PLUGIN, Unit, known
from qaudit.core.catalogue.sections import Anchor
from qaudit.core.catalogue.verdicts import VerdictWord

ABOUT = (
    "candidate",
    "against",
    "group",
    "intersection",
    "feature",
    "parameter",
    "range",
    "bin",
    "row",
    "output",
    "explainer",
    "repeat",
    "value_of",
)

TOPICS = (
    "model.identity",
    "model.purpose",
    "data.description",
    "data.provenance",
    "metrics.performance",
    "quantization.method",
    "quantization.precision_loss",
    "quantization.per_layer",
    "explain.importance",
    "explain.surrogate_tree",
    "explain.local",
    "explain.drift",
    "robustness",
    "limits",
    "human_oversight",
    "change_log",
    "monitoring_plan",
    "signoff",
    "environment",
    "hashes",
)
"""The evidence fields that frameworks ask for; every row of evidence has one as its topic."""


@dataclass(frozen=True, slots=True)
class Interval:
    """[low, high] at `level` by `method`."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    level: float
    """Confidence, or the share of what lies in it; between 0 and 1."""
    method: str
    """How it was computed."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One measured number.

    `measure` is a name of the catalogue, in a unit declared there, or `plugin.measure` where a plugin declares it. `value` is
    None where it could not be assessed; `reason` then says why. `about` has keys from ABOUT only. `by` is the plugin or stage
    that it came from. `topic` is one of the evidence fields of the frameworks ("quantization.precision_loss"). Raises ValueError
    on a measure or a unit that the catalogue does not have.
    """

    measure: str
    """What was measured."""
    value: float | None
    """The number; null where it could not be assessed."""
    unit: str
    """Its unit; empty where it has none."""
    interval: Interval | None
    """Its interval; null where none is computed."""
    n: int | None
    """The number of rows, repeats or elements on which it rests; null where there is no such number."""
    about: Mapping[str, str]
    """What was measured on: the candidate, and a group, a feature, a parameter ..."""
    by: str
    """The stage or plugin that it comes from."""
    topic: str
    """The evidence field of the frameworks that it answers."""
    reason: str | None = None
    """Why it could not be assessed, or should be read with care."""

    def __post_init__(self) -> None:
        if unknown := set(self.about) - set(ABOUT):
            raise ValueError(f"evidence {self.measure}: unknown about keys {sorted(unknown)}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"evidence {self.measure}: value {self.value}")
        self._check_measure()

    def _check_measure(self) -> None:
        """Measures of plugins are checked where a plugin declares them."""
        if not OF_PLUGIN.fullmatch(self.measure):
            known(self.measure).unit_in(self.unit)


NOT_FINITE = "the result is not a finite number: values so large overflow"
NO_INTERVAL = "no interval: its ends are not finite numbers"


def measured(
    measure: str,
    value: float | None,
    about: Mapping[str, str],
    by: str,
    topic: str,
    *,
    unit: Unit | None = None,
    interval: Interval | None = None,
    n: int | None = None,
    reason: str | None = None,
) -> Evidence:
    """A row of one of the host's measures in the unit that the catalogue declares; `unit` only where that depends on the task.

    A number that is not finite, since values so large overflow, is not assessed, and the reason says so.
    """
    if value is not None and not math.isfinite(value):
        value, interval, reason = None, None, "; ".join(filter(None, (NOT_FINITE, reason)))
    if interval is not None and not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        interval, reason = None, "; ".join(filter(None, (NO_INTERVAL, reason)))
    return Evidence(measure, value, known(measure).unit_in(unit), interval, n, about, by, topic, reason)


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence with the evidence on which it rests.

    `code` (QA-...) is stable; `section` is the anchor where it is shown; `evidence` are row numbers of the table.
    """

    code: str
    """The rule that gives this finding; it is stable over versions."""
    statement: str
    """The sentence."""
    evidence: tuple[int, ...]
    """Numbers of the rows of evidence on which it rests."""
    section: Anchor
    """The section that shows it."""
    severity: Literal["note", "attention"] = "note"
    """Whether a person should look at it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of the author's policy on one measure of the judged candidate."""

    id: str
    """Its id in the policy."""
    measure: str
    """The measure that is limited."""
    where: Mapping[str, str]
    """Which rows of the measure are meant, beside the judged candidate; "*", and "column=*" of a group, mean every one."""
    use: Literal["value", "lower", "upper"] | None
    """What is compared: "value" the value alone; null the whole interval where the measure has one, else the value. "lower" and
    "upper" are of policies of version 0.1 and mean the interval too."""
    at_most: float | None
    """Upper limit."""
    at_least: float | None
    """Lower limit."""
    near: float | None
    """Where the warning band begins."""
    reason: str
    """Why the author set it."""
    title: str = ""
    """Its title on the pages."""
    todo: str = ""
    """What to do where it is not met."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The end of an interval that decided about a limit: the end beyond the limit or towards it, never a measured value."""

    value: float
    """Where it lies."""
    end: Literal["lower", "upper"]
    """Which end of the interval it is."""
    level: float
    """Confidence of the interval."""
    method: str
    """How the interval was computed."""


@dataclass(frozen=True, slots=True)
class RowsNeeded:
    """How many rows would settle a limit that these rows do not."""

    as_observed: int | None
    """If the observed rate, mean or spread stayed as it is; null where it lies on the limit, or no number would do."""
    at_best: int | None
    """If nothing counted against the limit: no changed decision, no case, no exception; null where that means nothing for the
    measure, or no number would do."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A row of evidence compared with a limit: what was observed, the end of the interval that decides, and the verdict."""

    evidence: int
    """Number of the row of evidence."""
    verdict: VerdictWord
    """The verdict on this row."""
    observed: float | None = None
    """The measured value; null where there is none."""
    bound: Bound | None = None
    """The deciding end of the interval; null where the value alone was compared."""
    n: int | None = None
    """The number of rows behind the value."""
    rows_needed: RowsNeeded | None = None
    """The rows that would do; null where the verdict is another than "not_demonstrable"."""
    reason: str = ""
    """A remark on the comparison."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """A limit compared with its row of evidence (None: nothing was measured).

    `section` is the anchor of the page that shows it. `observed`, `bound`, `n` and `rows_needed` are those of the row; `rows` are
    all rows with which the limit was compared, where there are several: the one that needs attention first decides.
    """

    limit: Limit
    """The limit."""
    evidence: int | None
    """Number of the row of evidence that decided; null where nothing was measured."""
    verdict: VerdictWord
    """The verdict."""
    section: Anchor
    """The section that shows it."""
    reason: str = ""
    """A remark on the comparison."""
    observed: float | None = None
    """The measured value; null where there is none."""
    bound: Bound | None = None
    """The deciding end of the interval; null where the value alone was compared."""
    n: int | None = None
    """The number of rows behind the value."""
    rows_needed: RowsNeeded | None = None
    """The rows that would do; null where the verdict is another than "not_demonstrable"."""
    rows: tuple[ComparedRow, ...] = ()
    """Every row with which the limit was compared, in the order of the table of evidence; empty where there is one at most."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What could not be done: a visible row. `kind` declined is no failure."""

    stage: str
    """The stage of the audit."""
    by: str
    """The plugin or step that it concerns."""
    reason: str
    """Why, in one line."""
    kind: Literal["declined", "failed"] = "failed"
    """Whether the plugin declined, or failed."""


def plain(value: Any) -> Any:
    """Dataclasses, tuples and numpy scalars as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        return plain(value.item())
    return value


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, UTF-8, no NaN. Floats are written by Python's shortest repr."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
