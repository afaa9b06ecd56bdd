"""Everything the host measured, in one tidy table, and what is concluded from it.

These values stand in report.json under the names of their fields; qaudit/report/model.py declares the whole file.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["within", "near", "outside", "undecided", "no_limit", "not_assessed"]
VERDICTS: tuple[Verdict, ...] = ("within", "near", "outside", "undecided", "no_limit", "not_assessed")
ABOUT = (
    "candidate",
    "against",
    "group",
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

PAGES: dict[str, tuple[str, ...]] = {
    "precision": (
        "accuracy",
        "accuracy_change",
        "auc_change",
        "brier",
        "brier_change",
        "contribution",
        "ece",
        "ece_change",
        "effective_bits",
        "flip_rate",
        "flips",
        "flips_broken",
        "flips_fixed",
        "flips_other",
        "kl",
        "log_loss",
        "log_loss_change",
        "mae",
        "mae_change",
        "max_abs_error",
        "mcnemar_p",
        "mean_abs_error",
        "positive_rate",
        "positive_rate_change",
        "r2",
        "r2_change",
        "rmse",
        "rmse_change",
        "roc_auc",
        "score_change",
        "score_change_histogram",
        "size_bytes",
        "sqnr_db",
    ),
    "importance": ("importance", "rank_biased_overlap", "spearman", "top_k_overlap"),
    "surrogate": (
        "added_nodes",
        "added_parameters",
        "base_rate_fidelity",
        "depth",
        "explain_cost",
        "fidelity",
        "leaves",
        "sweep_added_parameters",
        "sweep_depth",
        "sweep_fidelity",
        "sweep_leaves",
    ),
    "local": ("attribution", "local_r2", "reason_change_floor", "reason_change_rate"),
    "drift": ("drift", "drift_floor", "drift_ratio", "kendall_tau"),
    "evidence": ("environment_packages", "inputs_hashed", "parameters_changed"),
}
"""Where a measure is shown: section anchor -> measures. Limits and links read it."""

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
"""The evidence fields that frameworks ask for; every row of evidence bears one as its topic."""


def section_of(measure: str) -> str:
    """The anchor of the section that shows a measure; the evidence section for one that is not listed."""
    return next((anchor for anchor, measures in PAGES.items() if measure in measures), "evidence")


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
    """One number the host measured.

    `value` is None where it could not be assessed; `reason` then says why. `about` has keys from ABOUT only. `by` is the plugin
    or stage that it came from. `topic` is one of the evidence fields of the frameworks ("quantization.precision_loss").
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
    """Rows, repeats or elements that it rests on; null where there is no such number."""
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


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence with the numbers under it.

    `code` (QA-...) is stable; `section` is the anchor where it is shown; `evidence` are row numbers of the table.
    """

    code: str
    """Which rule found it; stable over versions."""
    statement: str
    """The sentence."""
    evidence: tuple[int, ...]
    """Numbers of the rows of evidence under it."""
    section: str
    """The section that shows it."""
    severity: Literal["note", "attention"] = "note"
    """Whether it asks for attention."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of the author's policy on one measure of the judged candidate."""

    id: str
    """Its id in the policy."""
    measure: str
    """The measure that is limited."""
    where: Mapping[str, str]
    """Which row of the measure is meant, beside the judged candidate."""
    use: Literal["value", "lower", "upper"] | None
    """What is compared: the value, or an end of its interval; null: the whole interval where there is one."""
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
class Assessment:
    """A limit held against its evidence row (None: nothing was measured). `section` is the anchor of the page that shows it."""

    limit: Limit
    """The limit."""
    evidence: int | None
    """Number of the row of evidence that it was compared with; null where nothing was measured."""
    verdict: Verdict
    """The result."""
    section: str
    """The section that shows it."""
    reason: str = ""
    """What a reader should know of the comparison."""


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
