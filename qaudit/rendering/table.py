"""Reading a report: the evidence table by measure and by what a row is about, and the names measures have in print."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from qaudit.rendering.numbers import NONE, column, one, span
from qaudit.rendering.text import visible
from qaudit.report.model import Candidate, Limit, Report, Row

MEASURES: dict[str, tuple[str, str]] = {
    "accuracy": ("Accuracy", "high"),
    "roc_auc": ("AUC (ROC)", "high"),
    "log_loss": ("Log loss", "low"),
    "brier": ("Brier score", "low"),
    "ece": ("Calibration error (ECE)", "low"),
    "r2": ("R²", "high"),
    "mae": ("Mean absolute error", "low"),
    "rmse": ("Root mean squared error", "low"),
    "flips": ("Decisions changed, rows", "low"),
    "flip_rate": ("Decisions changed", "low"),
    "flips_fixed": ("Changed to the right decision", ""),
    "flips_broken": ("Changed to the wrong decision", "low"),
    "max_abs_error": ("Largest score change", "low"),
    "mean_abs_error": ("Mean score change", "low"),
    "kl": ("Divergence of predictions (KL)", "low"),
    "sqnr_db": ("Signal to quantization noise", "high"),
    "effective_bits": ("Effective bits", "low"),
    "size_bytes": ("Size of the parameters", "low"),
    "importance": ("Feature importance", ""),
    "kendall_tau": ("Rank agreement (Kendall τ)", "high"),
    "fidelity": ("Surrogate agreement", "high"),
    "base_rate_fidelity": ("Base rate of the decision", ""),
    "added_nodes": ("Nodes added by the tree", "low"),
    "added_parameters": ("Parameters added by the tree", "low"),
    "accuracy_change": ("Change of accuracy", "high"),
    "auc_change": ("Change of AUC", "high"),
    "brier_change": ("Change of the Brier score", "low"),
    "log_loss_change": ("Change of log loss", "low"),
    "ece_change": ("Change of calibration error", "low"),
    "r2_change": ("Change of R²", "high"),
    "mae_change": ("Change of the mean absolute error", "low"),
    "rmse_change": ("Change of the root mean squared error", "low"),
    "positive_rate": ("Share of positive decisions", ""),
    "positive_rate_change": ("Change of the share of positive decisions", ""),
    "flips_other": ("Changed between two wrong decisions", ""),
    "mcnemar_p": ("Fixed against broken, exact McNemar p", ""),
    "score_change": ("Score change", "low"),
    "attribution": ("Attribution", ""),
    "local_r2": ("Fit of local models (R²)", "high"),
    "reason_change_rate": ("Top reason changed", "low"),
    "reason_change_floor": ("Top reason changed, floor", ""),
    "drift": ("Explanation drift", "low"),
    "drift_floor": ("Drift floor", ""),
    "explain_cost": ("Model rows evaluated per explained row", "low"),
    "leaves": ("Leaves of the surrogate tree", "low"),
    "depth": ("Depth of the surrogate tree", "low"),
    "contribution": ("Mean change of the prediction", ""),
    "proved_rate": ("Rows proved unchanged", "high"),
    "score_change_histogram": ("Rows by score change", ""),
}
METRICS = ("accuracy", "roc_auc", "log_loss", "brier", "ece", "positive_rate", "r2", "mae", "rmse")
CHANGES = {"roc_auc": "auc_change"}
KEYS = (
    "auc_change", "accuracy_change", "r2_change", "flip_rate", "flips_broken", "max_abs_error", "mean_abs_error", "mae_change",
    "kendall_tau", "fidelity", "reason_change_rate", "drift", "effective_bits",
)  # fmt: skip
VERDICTS: dict[str, tuple[str, str]] = {
    "outside": ("Outside", "does not meet the limit"),
    "undecided": ("Undecided", "the interval lies on both sides of the limit"),
    "near": ("Near", "meets the limit, inside the warning band"),
    "not_assessed": ("Not assessed", "nothing was measured for it; never counted as within"),
    "no_limit": ("No limit set", "measured, with no limit to hold it against"),
    "within": ("Within", "meets the limit"),
}
ORDER = tuple(VERDICTS)
SECTIONS: dict[str, str] = {
    "result": "Result",
    "rules": "Rules and results",
    "precision": "Precision loss",
    "importance": "Feature importance",
    "surrogate": "Surrogate tree",
    "local": "Local explanations",
    "drift": "Explanation drift",
    "frameworks": "Regulatory evidence lists",
    "evidence": "Evidence and limits",
    "signoff": "Sign-off and exceptions",
}


def title(measure: str) -> str:
    """The name of a measure in print."""
    known = MEASURES.get(measure)
    return known[0] if known else visible(measure.replace("_", " ").capitalize())


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """A report with ways to look rows of its evidence up."""

    report: Report
    _by_measure: dict[str, list[Row]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for row in self.evidence:
            self._by_measure.setdefault(row.measure, []).append(row)

    @property
    def judged(self) -> str | None:
        """The id of the judged candidate."""
        return self.report.judged

    @property
    def judged_candidate(self) -> Candidate | None:
        """The judged candidate; None where none is judged."""
        return next((each for each in self.report.candidates if each.id == self.judged), None)

    @property
    def evidence(self) -> tuple[Row, ...]:
        """The whole table."""
        return self.report.evidence

    def rows(self, measure: str, **about: str | None) -> list[Row]:
        """Rows of a measure. A key given as None must be absent; a key not given may be anything."""
        named = self._by_measure.get(measure, ())
        return [row for row in named if all(row.about.get(key) == value for key, value in about.items())]

    def whole(self, measure: str, candidate: str | None) -> Row | None:
        """The row over all holdout rows of a candidate: about nothing but the candidate, or it against the reference."""
        if candidate is None:
            return None
        over_all_rows = [
            row
            for row in self.rows(measure, candidate=candidate)
            if set(row.about) <= {"candidate", "against"} and row.about.get("against") in (None, "reference")
        ]
        return min(over_all_rows, key=lambda row: len(row.about), default=None)

    def at(self, index: int | None) -> Row | None:
        """Row number `index` of the table; None for None."""
        return None if index is None else self.evidence[index]


def interval(row: Row | None) -> tuple[float | None, float | None]:
    """The ends of a row's interval."""
    return (None, None) if row is None or row.interval is None else (row.interval.low, row.interval.high)


def value(row: Row | None) -> float | None:
    """The value of a row."""
    return None if row is None else row.value


def shown(row: Row | None) -> str:
    """Value with its unit, or a dash."""
    return NONE if row is None else one(row.value, row.unit, signed(row))


def shown_span(row: Row | None) -> str:
    """Interval of a row as "a to b"."""
    return NONE if row is None else span(*interval(row), row.unit, signed(row))


def unit_of(rows: Iterable[Row | None]) -> str:
    """The unit of rows of one measure; empty where there is no row."""
    return next((row.unit for row in rows if row is not None), "")


def judged_number(limit: Limit, row: Row | None) -> float | None:
    """The number a limit is held against: the value, or the interval end that `use` names."""
    low, high = interval(row)
    end = {"lower": low, "upper": high}.get(limit.use or "")
    return value(row) if end is None else end


def signed(of: Row | Limit) -> bool:
    """Whether a measure is a change, printed with its sign."""
    return of.measure.endswith("_change")


def limit_text(limit: Limit, unit: str) -> str:
    """ "at most 1.00%", "at least 0.90" or both."""
    ends = (("at least", limit.at_least), ("at most", limit.at_most))
    return " and ".join(f"{word} {one(end, unit, signed(limit))}" for word, end in ends if end is not None) or NONE


def where_text(about: Mapping[str, str]) -> str:
    """ "group afam=yes, explainer permutation": what a row is about beside the candidate."""
    return ", ".join(
        f"{key.replace('_', ' ')} {visible(text if key == 'group' else text.replace('_', ' '), 40)}"
        for key, text in sorted(about.items())
        if key not in ("candidate", "against")
    )


def worst(verdicts: Iterable[str]) -> str | None:
    """The verdict that needs attention first."""
    return min(verdicts, key=ORDER.index, default=None)


NUMBER = re.compile(r"(?<![\d.])[-+]?(?:inf|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)")


def bin_edges(text: str) -> tuple[float, float] | None:
    """The two ends in the text of a bin: "0.01 to 0.02", "[0.01, 0.02)", "0.01..0.02"."""
    ends = [float(t) for t in NUMBER.findall(text.replace("..", " ").replace("\u2212", "-"))]
    return (ends[0], ends[1]) if len(ends) == 2 and ends[0] <= ends[1] and not math.isnan(ends[0]) else None


def same_decimals(rows: Sequence[Row | None], sign: bool = False) -> list[str]:
    """Values of rows of one measure, decimals aligned."""
    return column([value(row) for row in rows], unit_of(rows), sign)


def spans(rows: Sequence[Row | None]) -> list[str]:
    """Intervals of rows of one measure as "a to b", decimals aligned down the column."""
    ends = [interval(row) for row in rows]
    cells = column([end for pair in ends for end in pair], unit_of(rows))
    return [
        NONE if low is None or high is None else f"{a} to {b}"
        for (low, high), a, b in zip(ends, cells[::2], cells[1::2], strict=True)
    ]
