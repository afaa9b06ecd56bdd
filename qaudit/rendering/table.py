"""Reading report.json: the evidence table by measure and by what a row is about, and the names measures have in print."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qaudit.rendering.numbers import NONE, column, one, span
from qaudit.rendering.text import visible

Row = Mapping[str, Any]

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
    """report.json with ways to look rows up."""

    report: Mapping[str, Any]

    @property
    def judged(self) -> str | None:
        """The id of the judged candidate."""
        found = self.report.get("judged")
        return None if found is None else str(found)

    @property
    def evidence(self) -> Sequence[Row]:
        """The whole table."""
        found: Sequence[Row] = self.report.get("evidence") or ()
        return found

    def rows(self, measure: str | Iterable[str], **about: str | None) -> list[Row]:
        """Rows of a measure. A key given as None must be absent; a key not given may be anything."""
        names = {measure} if isinstance(measure, str) else set(measure)
        return [
            row
            for row in self.evidence
            if row["measure"] in names and all((row.get("about") or {}).get(key) == value for key, value in about.items())
        ]

    def whole(self, measure: str, candidate: str | None) -> Row | None:
        """The row over all holdout rows of a candidate: about nothing but the candidate, or it against the reference."""
        if candidate is None:
            return None
        found = [
            row
            for row in self.rows(measure, candidate=candidate)
            if set(row["about"]) <= {"candidate", "against"} and row["about"].get("against") in (None, "reference")
        ]
        return min(found, key=lambda row: len(row["about"]), default=None)

    def at(self, index: int | None) -> Row | None:
        """Row number `index` of the table."""
        return self.evidence[index] if index is not None and 0 <= index < len(self.evidence) else None


def interval(row: Row | None) -> tuple[float | None, float | None]:
    """The ends of a row's interval."""
    found = (row or {}).get("interval") or {}
    return found.get("low"), found.get("high")


def value(row: Row | None) -> float | None:
    """The value of a row."""
    found = (row or {}).get("value")
    return None if found is None else float(found)


def shown(row: Row | None) -> str:
    """Value with its unit, or a dash."""
    return NONE if row is None else one(value(row), row.get("unit", ""), signed(row))


def shown_span(row: Row | None) -> str:
    """Interval of a row as "a to b"."""
    return span(*interval(row), (row or {}).get("unit", ""), signed(row or {}))


def judged_number(limit: Row, row: Row | None) -> float | None:
    """The number a limit is held against: the value, or the interval end that `use` names."""
    low, high = interval(row)
    end = {"lower": low, "upper": high}.get(limit.get("use") or "")
    return value(row) if end is None else float(end)


def signed(row: Row) -> bool:
    """Whether a measure is a change, printed with its sign."""
    return str(row.get("measure", "")).endswith("_change")


def limit_text(limit: Row, unit: str) -> str:
    """ "at most 1.00%", "at least 0.90" or both."""
    parts = []
    for word, key in (("at least", "at_least"), ("at most", "at_most")):
        if limit.get(key) is not None:
            parts.append(f"{word} {one(float(limit[key]), unit, signed(limit))}")
    return " and ".join(parts) or NONE


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
    found = [float(t) for t in NUMBER.findall(text.replace("..", " ").replace("\u2212", "-"))]
    return (found[0], found[1]) if len(found) == 2 and found[0] <= found[1] and not math.isnan(found[0]) else None


def same_decimals(rows: Sequence[Row | None], sign: bool = False) -> list[str]:
    """Values of rows of one measure, decimals aligned."""
    unit = next((row.get("unit", "") for row in rows if row), "")
    return column([value(row) for row in rows], unit, sign)


def spans(rows: Sequence[Row | None]) -> list[str]:
    """Intervals of rows of one measure as "a to b", decimals aligned down the column."""
    unit = next((row.get("unit", "") for row in rows if row), "")
    ends = [interval(row) for row in rows]
    cells = column([end for pair in ends for end in pair], unit)
    return [
        NONE if low is None or high is None else f"{a} to {b}"
        for (low, high), a, b in zip(ends, cells[::2], cells[1::2], strict=True)
    ]
