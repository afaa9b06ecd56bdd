"""Everything the host measured, in one tidy table, and the report that is rendered and sealed.

Format of report.json (FORMAT below; raise it with any change of shape, and keep the old golden file):

    format        int
    qaudit        version text
    audit         {id, date, seed, bits: sweep axis or null}
    subject       {name, version, digest, parent, format, tier, family, loaded_by, output, classes, positive, cutoff,
                   cutoff_source, target, size_bytes, features: [{name, kind}], parameters: [{name, role, shape}],
                   lowering: {proved: bool, statement, rows, max_error, bound, ambiguous_rows: [int], why_not}}
    data          {roles: {holdout|training|calibration: {file, digest, rows, how}}, overlap: [{roles: [a, b], rows}],
                   columns: [{name, kind, role, missing, distinct, low, mean, high, top: [[value, count]]}],
                   groups: [name],
                   target: [{label, rows, share}] or [{low, mean, high}], notes: [text]}
    plugins       [{kind, name, distribution, version, digest, summary,
                   status: ran|declined|failed|unselected|broken, reason, settings,
                   expected_failures: {check: reason}, where the plugin states any}]
    candidates    [{id, by, settings, formulas: {role or parameter: text}, effective_bits, size_bytes, explained: bool,
                   tensors: [{parameter, role, bits, shape, sqnr_db, max_abs_error, saturated, zeros, distinct}]}]
    judged        candidate id or null
    evidence      [Evidence, with `previous`: the earlier report's value, where there is one]
    explanations  [{explainer, settings, candidate, kind: importance|attributions|local_models|tree, seed, floor_seeds, ...}]
                   importance: of, rows: [{feature, values: [..], mean, low, high, rank}]
                   tree: names, classes, nodes: [{feature, threshold, categories, missing_left, left, right,
                         rows, label, share, agreement}],
                         depth, leaves, rules: [text]
                   local_models / attributions: cases: [{row, why: median|worst flip|changed reason|stable, decision, prediction,
                         features: [{column, value, contribution}]}], r2: {median, low, high} (local models);
                        value: null unless audit.toml says [report] show_values = true
    findings      [Finding]
    assessments   [Assessment]
    skipped       [Skipped]
    environment   {python, platform, cpu, blas, packages: {name: version}, pdf: {weasyprint, pango, harfbuzz}}
    frameworks    [{id, title, source, status, binding, scope_note, dated, counts: {here, partial, not_here},
                   items: [{id, ref, paraphrase, evidence, also, coverage, applies_if, legacy,
                   state: here|partial|not_here, sections: [anchor], author: text or null}]}]
    author        {field of mapping: text}
    policy        {name, version, set, digest, limits: [Limit]} or null
    next_steps    [{text, limit, section}]
    previous      {id, digest, moved: [{limit, title, before, after}], kept, inputs: [text]} or null

Digests are "sha256:" and 64 hex digits. The schema ships as qaudit/schemas/report.schema.json.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

FORMAT = 1

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
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number the host measured.

    `value` is None where it could not be assessed; `reason` then says why. `about` has keys from ABOUT only. `by` is the plugin
    or stage that it came from. `topic` is one of the evidence fields of the frameworks ("quantization.precision_loss").
    """

    measure: str
    value: float | None
    unit: str
    interval: Interval | None
    n: int | None
    about: Mapping[str, str]
    by: str
    topic: str
    reason: str | None = None

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
    statement: str
    evidence: tuple[int, ...]
    section: str
    severity: Literal["note", "attention"] = "note"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of the author's policy on one measure of the judged candidate."""

    id: str
    measure: str
    where: Mapping[str, str]
    use: Literal["value", "lower", "upper"] | None
    at_most: float | None
    at_least: float | None
    near: float | None
    reason: str
    title: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """A limit held against its evidence row (None: nothing was measured). `section` is the anchor of the page that shows it."""

    limit: Limit
    evidence: int | None
    verdict: Verdict
    section: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What could not be done: a visible row. `kind` declined is no failure."""

    stage: str
    by: str
    reason: str
    kind: Literal["declined", "failed"] = "failed"


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
