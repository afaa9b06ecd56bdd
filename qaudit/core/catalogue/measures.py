"""All measures with their units, their printed names, and the place where the report shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Literal, cast, get_args

from qaudit.core.catalogue.sections import SECTIONS, Anchor
from qaudit.errors import unknown

Unit = Literal[
    "", "share", "probability", "margin", "target", "prediction", "parameter", "R2", "nats", "dB", "bits", "bytes", "rows",
    "count",
]  # fmt: skip
"""The unit of a value in report.json; "" is a plain number."""
Dependent = Literal["score", "values", "agreement", "distance"]
"""A unit that depends on the task, see DEPENDENT."""
DEPENDENT: Mapping[str, tuple[Unit, ...]] = MappingProxyType(
    {
        # what the model gives: probabilities, margins, or values of the target
        "score": ("probability", "margin", "target"),
        # of two arrays that are compared: two scores, or a parameter and its quantized form
        "values": ("probability", "margin", "target", "parameter"),
        # of a surrogate with its model: the share of equal decisions, or the coefficient of determination
        "agreement": ("share", "R2"),
        # between two explanations: a share of rows where decisions are compared, else in the unit of the explanation
        "distance": ("", "share"),
    }
)
Place = Literal["key", "performance", "changes", "groups", "sweep", "sweep metric", "surrogate", "further"]
"""A list of the report that takes its measures from this catalogue:

key           the key figures of page one
performance   levels of fit, reference beside judged
changes       what quantization changed over all rows
groups        the first measured one is drawn and listed by group
sweep         the first measured one is the loss of the candidate chart
sweep metric  the first measured one stands beside it in the candidate table
surrogate     the numbers of the surrogate tree
further       the table at the end of the measure's own section
"""
Better = Literal["high", "low", ""]
OF_PLUGIN = re.compile(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}")
"""The full name of a measure that a plugin declares: `plugin.measure`."""
FURTHER: Mapping[Place, int] = MappingProxyType({"further": 0})
ELSEWHERE: Mapping[Place, int] = MappingProxyType({})
"""The measure is in none of the lists: a chart or table of its own shows it, or report.json alone has it."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of number in the evidence table.

    `title` is its name in print, `unit` one of Unit or Dependent, `section` the anchor of the section that shows it, `better`
    the side that is preferred: "high", "low", or "" where neither is. `change_of` names the measure whose change this is: the
    report then prints values with their sign. `grouped` says whether it is measured for each declared group: for the judged
    candidate and the reference only, or for every candidate. `interval` names the kind of interval, "" where there is none.
    `difference` marks a difference between rows of one model, which is printed with its sign too.
    `of` is what it speaks of: a candidate, or the audit as a whole. `places` maps each list of the report that shows it to its
    rank there: the lowest comes first.
    """

    name: str
    title: str
    unit: Unit | Dependent
    section: Anchor
    better: Better = ""
    _: KW_ONLY
    change_of: str | None = None
    grouped: Literal["no", "judged", "every"] = "no"
    interval: str = ""
    difference: bool = False
    of: Literal["candidate", "audit"] = "candidate"
    places: Mapping[Place, int] = field(default_factory=lambda: FURTHER)

    @property
    def signed(self) -> bool:
        """Whether values are printed with their sign."""
        return self.change_of is not None or self.difference

    @property
    def inferred(self) -> bool:
        """Whether its interval says how sure the value is. A range of rows or of reruns does not, and nor does no interval."""
        return self.interval not in ("", QUANTILES, RERUNS)

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that a value can have."""
        return DEPENDENT.get(self.unit) or (cast(Unit, self.unit),)

    def unit_in(self, task: str | None = None) -> str:
        """The unit of a value: the declared one, or `task` where that depends on the task. Raises ValueError on another unit."""
        units = self.units
        unit = units[0] if task is None and len(units) == 1 else task
        if unit not in units:
            raise ValueError(f"measure {self.name}: unit {unit!r}; declared: {', '.join(map(repr, units))}")
        return unit


EXACT, PAIRED, DELONG, REPEATS = "Clopper-Pearson", "Newcombe, paired", "DeLong", "Student's t over repeats"
QUANTILES, RERUNS = "quantiles over rows", "range of reruns"
RESAMPLED, OVER_ROWS, BANDS = "bootstrap-t over rows", "Student's t over rows, paired", "bootstrap of the bins"
INDEPENDENT, WELCH, OF_A_SLICE = "difference of two exact intervals", "Welch's t over rows", "Student's t over rows"
CURVE, RANKS = "Brownian band; of changes: bootstrap of the curve", "ranks of rows, binomial"

BETWEEN = "Newcombe, independent; over clusters: Korn and Graubard"
WELCH = "Welch's t"


def _between_groups(name: str, what: str, unit: Unit | Dependent, interval: str, better: Better, changes: bool) -> list[Measure]:
    """A rate of each group less that of all other rows, the largest gap between two groups, and the change of that gap."""
    gap = Measure(
        f"{name}_gap", f"Largest gap between groups, {what}", unit, "precision", "low", interval=interval, places=ELSEWHERE
    )
    apart = Measure(f"{name}_difference", f"Difference to all others, {what}", unit, "precision", better, interval=interval,
                    difference=True, places=ELSEWHERE)  # fmt: skip
    change = Measure(f"{name}_gap_change", f"Change of the gap, {what}", unit, "precision", "low", change_of=gap.name,
                     interval=interval, places=ELSEWHERE)  # fmt: skip
    return [apart, gap, *([change] if changes else [])]


_ALL = (
    # how well predictions fit
    Measure("accuracy", "Accuracy", "share", "precision", "high", grouped="judged", interval=EXACT, places={"performance": 10}),
    Measure("roc_auc", "AUC (ROC)", "", "precision", "high", grouped="judged", interval=DELONG, places={"performance": 20}),
    Measure("log_loss", "Log loss", "nats", "precision", "low", grouped="judged", interval=RESAMPLED, places={"performance": 30}),
    Measure("brier", "Brier score", "", "precision", "low", grouped="judged", interval=RESAMPLED, places={"performance": 40}),
    Measure(
        "ece", "Calibration error (ECE, 15 bins of equal width)", "probability", "precision", "low", grouped="judged",
        interval=BANDS, places={"performance": 50},
    ),
    Measure(
        "calibration_ks", "Calibration error without bins (KS)", "probability", "precision", "low", grouped="judged",
        interval=CURVE, places={"performance": 55},
    ),
    Measure(
        "positive_rate", "Share of positive decisions", "share", "precision", grouped="judged", interval=EXACT,
        places={"performance": 60},
    ),
    Measure(
        "tpr", "True positive rate", "share", "precision", "high", grouped="judged", interval=EXACT, places={"performance": 62},
    ),
    Measure(
        "fpr", "False positive rate", "share", "precision", "low", grouped="judged", interval=EXACT, places={"performance": 64},
    ),
    Measure("r2", "R²", "", "precision", "high", grouped="judged", interval=RESAMPLED, places={"performance": 70}),
    Measure(
        "mae", "Mean absolute error", "target", "precision", "low",
        grouped="judged", interval=RESAMPLED, places={"performance": 80},
    ),
    Measure(
        "rmse", "Root mean squared error", "target", "precision", "low",
        grouped="judged", interval=RESAMPLED, places={"performance": 90},
    ),
    # the change of each: candidate minus reference
    Measure(
        "accuracy_change", "Change of accuracy", "share", "precision", "high", change_of="accuracy", grouped="judged",
        interval=PAIRED, places={"key": 20, "sweep metric": 10},
    ),
    Measure(
        "auc_change", "Change of AUC", "", "precision", "high", change_of="roc_auc", grouped="judged", interval=DELONG,
        places={"key": 10},
    ),
    Measure(
        "log_loss_change", "Change of log loss", "nats", "precision", "low",
        change_of="log_loss", grouped="judged", interval=OVER_ROWS, places=ELSEWHERE,
    ),
    Measure(
        "brier_change", "Change of the Brier score", "", "precision", "low",
        change_of="brier", grouped="judged", interval=OVER_ROWS, places=ELSEWHERE,
    ),
    Measure(
        "ece_change", "Change of calibration error", "probability", "precision", "low",
        change_of="ece", grouped="judged", interval=BANDS, places=ELSEWHERE,
    ),
    Measure(
        "calibration_ks_change", "Change of calibration error without bins", "probability", "precision", "low",
        change_of="calibration_ks", grouped="judged", interval=CURVE, places=ELSEWHERE,
    ),
    Measure(
        "positive_rate_change", "Change of the share of positive decisions", "share", "precision", change_of="positive_rate",
        grouped="judged", interval=PAIRED, places=ELSEWHERE,
    ),
    Measure(
        "tpr_change", "Change of the true positive rate", "share", "precision", "high", change_of="tpr", grouped="judged",
        interval=PAIRED, places=ELSEWHERE,
    ),
    Measure(
        "fpr_change", "Change of the false positive rate", "share", "precision", "low", change_of="fpr", grouped="judged",
        interval=PAIRED, places=ELSEWHERE,
    ),
    Measure(
        "r2_change", "Change of R²", "", "precision", "high",
        change_of="r2", grouped="judged", interval=RESAMPLED, places={"key": 30, "sweep metric": 20},
    ),
    Measure(
        "mae_change", "Change of the mean absolute error", "target", "precision", "low", change_of="mae",
        grouped="judged", interval=OVER_ROWS, places={"key": 80, "groups": 20, "sweep metric": 30},
    ),
    Measure(
        "rmse_change", "Change of the root mean squared error", "target", "precision", "low", change_of="rmse",
        grouped="judged", interval=RESAMPLED, places=ELSEWHERE,
    ),
    # several classes
    Measure(
        "roc_auc_pairs", "AUC, mean over pairs of classes (Hand and Till)", "", "precision", "high", interval=DELONG,
        places={"performance": 25},
    ),
    Measure(
        "roc_auc_pairs_change", "Change of AUC over pairs of classes", "", "precision", "high", change_of="roc_auc_pairs",
        interval=DELONG, places=ELSEWHERE,
    ),
    Measure("class_recall", "Recall of a class", "share", "precision", "high", interval=EXACT, places=ELSEWHERE),
    Measure("class_precision", "Precision of a class", "share", "precision", "high", interval=EXACT, places=ELSEWHERE),
    Measure(
        "class_recall_change", "Change of the recall of a class", "share", "precision", "high", change_of="class_recall",
        interval=PAIRED, places=ELSEWHERE,
    ),
    Measure(
        "class_precision_change", "Change of the precision of a class", "share", "precision", "high",
        change_of="class_precision", interval="score intervals, correlated", places=ELSEWHERE,
    ),
    # differences between groups
    *_between_groups("flip_rate", "decisions changed", "share", BETWEEN, "low", False),
    *_between_groups("positive_rate", "share of positive decisions", "share", BETWEEN, "", True),
    *_between_groups("tpr", "true positive rate", "share", BETWEEN, "", True),
    *_between_groups("fpr", "false positive rate", "share", BETWEEN, "", True),
    *_between_groups("accuracy", "accuracy", "share", BETWEEN, "", True),
    *_between_groups("mean_abs_error", "mean score change", "score", WELCH, "low", False),
    *_between_groups("mae", "mean absolute error", "target", WELCH, "", True),
    # decisions and scores that quantization changed
    Measure(
        "flip_rate", "Decisions changed", "share", "precision", "low", grouped="every", interval=EXACT,
        places={"key": 40, "changes": 10, "groups": 10, "sweep": 10},
    ),
    Measure(
        "moved_share", "Predictions moved by more than the tolerance", "share", "precision", "low", grouped="every",
        interval=EXACT, places={"key": 45, "changes": 15, "groups": 15, "sweep": 15},
    ),
    Measure("flips", "Decisions changed, rows", "rows", "precision", "low", places={"changes": 20}),
    Measure("flips_fixed", "Changed to the right decision", "rows", "precision", grouped="judged", places={"changes": 30}),
    Measure(
        "flips_broken", "Changed to the wrong decision", "rows", "precision", "low", grouped="judged",
        places={"key": 50, "changes": 40},
    ),
    Measure("flips_other", "Changed between two wrong decisions", "rows", "precision", places={"changes": 50}),
    Measure("mcnemar_p", "Fixed against broken, exact McNemar p", "probability", "precision", places={"changes": 60}),
    Measure(
        "max_abs_error", "Largest score change", "values", "precision", "low", places={"key": 60, "changes": 70, "sweep": 30}
    ),
    Measure(
        "mean_abs_error", "Mean score change", "score", "precision", "low", grouped="judged", interval=RESAMPLED,
        places={"key": 70, "changes": 80, "groups": 30, "sweep": 20},
    ),
    Measure("kl", "Divergence of predictions (KL)", "nats", "precision", "low", interval=RESAMPLED, places={"changes": 90}),
    Measure("score_change", "Score change", "score", "precision", "low", interval=RANKS, places=ELSEWHERE),
    Measure("score_change_histogram", "Rows by score change", "rows", "precision", places=ELSEWHERE),
    Measure("sqnr_db", "Signal to quantization noise", "dB", "precision", "high", interval=RESAMPLED, places=ELSEWHERE),
    Measure("contribution", "Mean change of the prediction", "prediction", "precision", places=ELSEWHERE),
    Measure(
        "clipped_rows", "Rows with a value clipped by the calibrated range", "share", "precision", "low",
        interval=EXACT, places=ELSEWHERE,
    ),
    Measure("clipped_values", "Values clipped by the calibrated range", "share", "precision", "low", places=ELSEWHERE),
    Measure("effective_bits", "Effective bits", "bits", "precision", "low", places={"key": 130}),
    Measure("size_bytes", "Size of the parameters", "bytes", "precision", "low", places=ELSEWHERE),
    # the slice of rows on which most changed: searched on other rows, measured once
    Measure(
        "worst_slice_flip_rate", "Decisions changed in the worst slice", "share", "precision", "low", interval=EXACT,
        places=ELSEWHERE,
    ),
    Measure(
        "worst_slice_flip_rate_difference", "Decisions changed, worst slice minus other rows", "share", "precision", "low",
        interval=INDEPENDENT, difference=True, places=ELSEWHERE,
    ),
    Measure(
        "worst_slice_mean_change", "Mean change in the worst slice", "target", "precision", "low", interval=OF_A_SLICE,
        places=ELSEWHERE,
    ),
    Measure(
        "worst_slice_mean_change_difference", "Mean change, worst slice minus other rows", "target", "precision", "low",
        interval=WELCH, difference=True, places=ELSEWHERE,
    ),
    # importance and its ranking
    Measure("importance", "Feature importance", "", "importance", interval=REPEATS, places=ELSEWHERE),
    Measure("spearman", "Rank agreement (Spearman ρ)", "", "importance", "high", places=ELSEWHERE),
    Measure("rank_biased_overlap", "Rank agreement (rank-biased overlap)", "", "importance", "high", places=ELSEWHERE),
    Measure("top_k_overlap", "Overlap of the leading features", "", "importance", "high", places=ELSEWHERE),
    # the surrogate tree: fit and size, and the same over a sweep of its depth
    Measure(
        "fidelity", "Surrogate agreement", "agreement", "surrogate", "high", interval=EXACT, places={"key": 100, "surrogate": 10}
    ),
    Measure(
        "class_fidelity", "Surrogate agreement by predicted class", "share", "surrogate", "high", interval=EXACT,
        places=ELSEWHERE,
    ),
    Measure("leaf_fidelity", "Surrogate agreement by leaf", "share", "surrogate", "high", interval=EXACT, places=ELSEWHERE),
    Measure("base_rate_fidelity", "Base rate of the decision", "agreement", "surrogate", places={"surrogate": 20}),
    Measure("leaves", "Leaves of the surrogate tree", "count", "surrogate", "low", places={"surrogate": 30}),
    Measure("depth", "Depth of the surrogate tree", "count", "surrogate", "low", places={"surrogate": 40}),
    Measure("added_nodes", "Nodes added by the tree", "count", "surrogate", "low", places={"surrogate": 50}),
    Measure("added_parameters", "Parameters added by the tree", "count", "surrogate", "low", places={"surrogate": 60}),
    Measure("explain_cost", "Model rows evaluated per explained row", "rows", "surrogate", "low", places=ELSEWHERE),
    Measure(
        "sweep_fidelity", "Surrogate agreement by depth", "agreement", "surrogate", "high", interval=EXACT, places=ELSEWHERE
    ),
    Measure("sweep_leaves", "Leaves by depth", "count", "surrogate", "low", places=ELSEWHERE),
    Measure("sweep_depth", "Depth reached", "count", "surrogate", "low", places=ELSEWHERE),
    Measure("sweep_added_parameters", "Parameters added by depth", "count", "surrogate", "low", places=ELSEWHERE),
    # local explanations and their reasons
    Measure("local_r2", "Fit of local models (R²)", "R2", "local", "high", interval=QUANTILES, places=ELSEWHERE),
    Measure("class_local_r2", "Fit of local models by predicted class (R²)", "R2", "local", "high", interval=QUANTILES),
    Measure("reason_change_rate", "Top reason changed", "share", "local", "low", interval=EXACT, places={"key": 110}),
    Measure("reason_change_floor", "Top reason changed, floor", "share", "local", interval=RERUNS, places=ELSEWHERE),
    # drift between reference and judged candidate, beside the drift between reruns
    Measure("drift", "Explanation drift", "distance", "drift", "low", places={"key": 120}),
    Measure("drift_floor", "Drift floor", "distance", "drift", interval=RERUNS, places=ELSEWHERE),
    Measure("drift_ratio", "Drift as a multiple of its floor", "", "drift", "low", places=ELSEWHERE),
    Measure("kendall_tau", "Rank agreement (Kendall τ)", "", "drift", "high", places={"key": 90}),
    # the audit itself
    Measure("split_overlap", "Overlap of the columns that two trees split on", "share", "evidence", "high", places=ELSEWHERE),
    Measure(
        "cross_fidelity", "Agreement of the reference's tree with the candidate", "agreement", "evidence", "high", interval=EXACT,
        places=ELSEWHERE,
    ),
    Measure("parameters_changed", "Parameters changed", "count", "evidence", places=ELSEWHERE),
    Measure("environment_packages", "Packages recorded with their versions", "count", "evidence", of="audit", places=ELSEWHERE),
    Measure("inputs_hashed", "Inputs recorded with their digests", "count", "evidence", of="audit", places=ELSEWHERE),
    Measure("model_bytes", "Size of the model file", "bytes", "evidence", of="audit", places=ELSEWHERE),
    Measure(
        "lowering_max_error", "Largest difference between the model and our reading of it", "", "evidence", "low", of="audit",
        places=ELSEWHERE,
    ),
    Measure("rows", "Rows", "rows", "evidence", of="audit", places=ELSEWHERE),
    Measure("missing", "Missing values", "rows", "evidence", of="audit", places=ELSEWHERE),
    Measure("unseen_categories", "Rows with a category not seen in training", "rows", "evidence", of="audit", places=ELSEWHERE),
    Measure("target_share", "Share of a class in the target", "share", "evidence", of="audit", places=ELSEWHERE),
    Measure("target_mean", "Mean of the target", "", "evidence", of="audit", places=ELSEWHERE),
    Measure("overlap_rows", "Rows in two roles at once", "rows", "evidence", of="audit", places=ELSEWHERE),
)  # fmt: skip
MEASURES: Mapping[str, Measure] = MappingProxyType({measure.name: measure for measure in _ALL})
"""Name -> measure, for everything that qaudit itself measures."""

if len(MEASURES) != len(_ALL):
    raise ImportError("catalogue of measures: a name occurs twice")


def known(name: str) -> Measure:
    """The host's measure of that name. Raises ValueError with the nearest name where there is none."""
    if name not in MEASURES:
        raise ValueError(unknown("measure", name, MEASURES))
    return MEASURES[name]


def listed(place: Place) -> tuple[Measure, ...]:
    """The measures of one list of the report, in its order."""
    measures = [measure for measure in MEASURES.values() if place in measure.places]
    return tuple(sorted(measures, key=lambda measure: measure.places[place]))


def names(place: Place) -> tuple[str, ...]:
    """Their names."""
    return tuple(measure.name for measure in listed(place))


def change_of(name: str) -> Measure | None:
    """The measure that is the change of another one."""
    return next((measure for measure in MEASURES.values() if measure.change_of == name), None)


def section_of(name: str) -> Anchor:
    """The anchor of the section that shows a measure."""
    return known(name).section


def is_signed(name: str) -> bool:
    """Whether values of a measure are printed with their sign."""
    return name in MEASURES and MEASURES[name].signed


def is_range(name: str) -> bool:
    """Whether what a measure has in the place of an interval is a range of rows or of reruns, which bounds no value."""
    return name in MEASURES and MEASURES[name].interval in (QUANTILES, RERUNS)


if any(measure.section not in SECTIONS for measure in _ALL) or set(DEPENDENT) != set(get_args(Dependent)):
    raise ImportError("catalogue of measures: a section or a unit that is not declared")
