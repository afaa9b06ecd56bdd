"""The catalogue: every record complete, every list derived from it in the order that pages have always had."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from qaudit.core.catalogue import measures
from qaudit.core.catalogue.measures import DEPENDENT, MEASURES, Measure, Place, Unit, known, names, section_of
from qaudit.core.catalogue.sections import NUMBERS, SECTIONS, Anchor
from qaudit.core.catalogue.verdicts import VERDICTS, VerdictWord, precedence, worst
from qaudit.core.evidence import TOPICS, Evidence, measured
from qaudit.core.measures.group_gaps import MEANS, SHARES
from qaudit.core.measures.rows import DIFFERENCES
from qaudit.pipeline.stages.explain_entries import COUNTS

QAUDIT = Path(__file__).parents[3] / "qaudit"

# The lists of release 0.1, kept here as they stood, with what came since.
PERFORMANCE = (
    "accuracy", "roc_auc", "roc_auc_pairs", "log_loss", "brier", "ece", "calibration_ks", "positive_rate", "tpr", "fpr", "r2",
    "mae", "rmse",
)  # fmt: skip
CHANGES = (
    "flip_rate", "moved_share", "flips", "flips_fixed", "flips_broken", "flips_other", "mcnemar_p", "max_abs_error",
    "mean_abs_error", "kl",
)  # fmt: skip
KEYS = (
    "auc_change", "accuracy_change", "r2_change", "flip_rate", "moved_share", "flips_broken", "max_abs_error", "mean_abs_error",
    "mae_change", "kendall_tau", "fidelity", "reason_change_rate", "drift", "effective_bits",
)  # fmt: skip
SURROGATE = ("fidelity", "base_rate_fidelity", "leaves", "depth", "added_nodes", "added_parameters")
CLASSES = ("class_recall", "class_precision", "class_recall_change", "class_precision_change")
PAGES = {
    "precision": (
        "calibration_ks", "calibration_ks_change", "roc_auc_pairs", "roc_auc_pairs_change",
        "fpr", "fpr_change", "tpr", "tpr_change",
        "accuracy", "accuracy_change", "auc_change", "brier", "brier_change", "clipped_rows", "clipped_values",
        "contribution", "ece", "ece_change",
        "effective_bits", "flip_rate", "flips", "flips_broken", "flips_fixed", "flips_other", "kl", "log_loss",
        "log_loss_change", "mae", "mae_change", "max_abs_error", "mcnemar_p", "mean_abs_error", "positive_rate",
        "positive_rate_change", "r2", "r2_change", "rmse", "rmse_change", "roc_auc", "score_change",
        "score_change_histogram", "size_bytes", "sqnr_db",
    ),
    "importance": ("importance", "rank_biased_overlap", "spearman", "top_k_overlap"),
    "surrogate": (
        "added_nodes", "added_parameters", "base_rate_fidelity", "class_fidelity", "depth", "explain_cost", "fidelity",
        "leaf_fidelity", "leaves", "sweep_added_parameters", "sweep_depth", "sweep_fidelity", "sweep_leaves",
    ),
    "local": ("class_local_r2", "local_r2", "reason_change_floor", "reason_change_rate"),
    "drift": ("drift", "drift_floor", "drift_ratio", "kendall_tau"),
    "evidence": ("environment_packages", "inputs_hashed", "parameters_changed"),
}  # fmt: skip
TITLES = {
    "accuracy": "Accuracy", "roc_auc": "AUC (ROC)", "log_loss": "Log loss", "brier": "Brier score",
    "ece": "Calibration error (ECE, 15 bins of equal width)",
    "r2": "R²", "mae": "Mean absolute error", "rmse": "Root mean squared error",
    "flips": "Decisions changed, rows", "flip_rate": "Decisions changed", "flips_fixed": "Changed to the right decision",
    "flips_broken": "Changed to the wrong decision", "max_abs_error": "Largest score change",
    "mean_abs_error": "Mean score change", "kl": "Divergence of predictions (KL)",
    "sqnr_db": "Signal to quantization noise", "effective_bits": "Effective bits", "size_bytes": "Size of the parameters",
    "importance": "Feature importance", "kendall_tau": "Rank agreement (Kendall τ)", "fidelity": "Surrogate agreement",
    "base_rate_fidelity": "Base rate of the decision", "added_nodes": "Nodes added by the tree",
    "added_parameters": "Parameters added by the tree", "accuracy_change": "Change of accuracy", "auc_change": "Change of AUC",
    "brier_change": "Change of the Brier score", "log_loss_change": "Change of log loss",
    "ece_change": "Change of calibration error", "r2_change": "Change of R²",
    "mae_change": "Change of the mean absolute error", "rmse_change": "Change of the root mean squared error",
    "positive_rate": "Share of positive decisions", "positive_rate_change": "Change of the share of positive decisions",
    "flips_other": "Changed between two wrong decisions", "mcnemar_p": "Fixed against broken, exact McNemar p",
    "score_change": "Score change", "local_r2": "Fit of local models (R²)", "reason_change_rate": "Top reason changed",
    "reason_change_floor": "Top reason changed, floor", "drift": "Explanation drift", "drift_floor": "Drift floor",
    "explain_cost": "Model rows evaluated per explained row", "leaves": "Leaves of the surrogate tree",
    "depth": "Depth of the surrogate tree", "contribution": "Mean change of the prediction",
    "score_change_histogram": "Rows by score change",
}  # fmt: skip
SECTION_TITLES = {
    "result": "Result", "rules": "Rules and results", "precision": "Precision loss", "importance": "Feature importance",
    "surrogate": "Surrogate tree", "local": "Local explanations", "drift": "Explanation drift",
    "frameworks": "Regulatory evidence lists", "evidence": "Evidence and limits", "signoff": "Sign-off and exceptions",
}  # fmt: skip


def test_lists_have_the_order_that_they_had() -> None:
    assert names("performance") == PERFORMANCE
    assert names("changes") == CHANGES
    assert names("key") == KEYS
    assert names("surrogate") == SURROGATE
    assert names("groups") == ("flip_rate", "moved_share", "mae_change", "mean_abs_error")
    assert names("sweep") == ("flip_rate", "moved_share", "mean_abs_error", "max_abs_error")
    assert names("sweep metric") == ("accuracy_change", "r2_change", "mae_change")


def test_pages_and_titles_are_those_that_they_were() -> None:
    was = {name: anchor for anchor, listed in PAGES.items() for name in listed}
    assert {name: section_of(name) for name in was} == was
    new = {name for name in MEASURES if name.endswith(("_difference", "_gap", "_gap_change")) or name in CLASSES}
    new |= {"moved_share"} | {name for name in MEASURES if name.startswith("worst_slice_")}
    assert {section_of(name) for name in new} == {"precision"}
    assert {section_of(name) for name in MEASURES if name not in was and name not in new} == {"evidence"}
    assert {name: MEASURES[name].title for name in TITLES} == TITLES
    assert {anchor: section.title for anchor, section in SECTIONS.items()} == SECTION_TITLES
    assert list(SECTIONS) == list(SECTION_TITLES)
    assert list(NUMBERS.values()) == list(range(10))


def test_what_is_measured_by_group() -> None:
    fit = {
        "accuracy",
        "roc_auc",
        "log_loss",
        "brier",
        "ece",
        "calibration_ks",
        "positive_rate",
        "tpr",
        "fpr",
        "r2",
        "mae",
        "rmse",
    }
    judged = fit | {measures.change_of(name).name for name in fit}  # type: ignore[union-attr]
    judged |= {"flips_fixed", "flips_broken", "mean_abs_error"}
    assert {name for name, measure in MEASURES.items() if measure.grouped == "judged"} == judged
    assert {name for name, measure in MEASURES.items() if measure.grouped == "every"} == {"flip_rate", "moved_share"}


def test_changes_are_signed_and_nothing_else_is() -> None:
    signed = {name for name, measure in MEASURES.items() if measure.signed and not measure.difference}
    assert {name for name, measure in MEASURES.items() if measure.difference} == {
        name for name in MEASURES if name.endswith("_difference")
    }
    assert signed == {name for name in MEASURES if name.endswith("_change")} - {"score_change", "worst_slice_mean_change"}
    for measure in MEASURES.values():
        if measure.change_of is not None:
            assert measure.unit == known(measure.change_of).unit
            assert measures.change_of(measure.change_of) is measure


@pytest.mark.parametrize("measure", MEASURES.values(), ids=lambda measure: measure.name)
def test_every_measure_is_complete(measure: Measure) -> None:
    assert measure.title == measure.title.strip() != ""
    assert measure.section in SECTIONS
    assert set(measure.units) <= set(get_args(Unit))
    assert set(measure.places) <= set(get_args(Place))
    # a limit is held against the judged candidate, which a measure of the audit says nothing of
    assert measure.of == "candidate" or not measure.places


def test_no_two_measures_share_a_title_or_a_rank() -> None:
    titles = [measure.title for measure in MEASURES.values()]
    assert len(set(titles)) == len(titles)
    for place in get_args(Place):
        ranks = [measure.places[place] for measure in measures.listed(place)]
        assert len(set(ranks)) == len(ranks)


def test_units_that_depend_on_the_task_have_to_be_given() -> None:
    assert set(DEPENDENT) == {"score", "values", "agreement", "distance"}
    assert MEASURES["flip_rate"].unit_in() == "share"
    assert MEASURES["mean_abs_error"].unit_in("target") == "target"
    with pytest.raises(ValueError, match="measure mean_abs_error: unit None; declared: 'probability', 'margin', 'target'"):
        MEASURES["mean_abs_error"].unit_in()


def test_evidence_of_an_unknown_measure_or_in_another_unit_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown measure 'flip_rat'; did you mean 'flip_rate'"):
        Evidence("flip_rat", 0.5, "share", None, 9, {}, "evaluate", TOPICS[0])
    with pytest.raises(ValueError, match="measure flip_rate: unit 'rows'; declared: 'share'"):
        Evidence("flip_rate", 0.5, "rows", None, 9, {}, "evaluate", TOPICS[0])
    assert measured("flip_rate", 0.5, {}, "evaluate", TOPICS[0]).unit == "share"
    assert Evidence("pow2.codebook_use", 0.5, "share", None, 9, {}, "pow2", TOPICS[0]).measure == "pow2.codebook_use"


def texts(path: Path) -> Iterator[str]:
    """String literals of a module, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            yield node.value


def called(path: Path, functions: set[str]) -> Iterator[str]:
    """First arguments, where they are literals, of calls of a function or method of these names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in functions and isinstance(node.args[0].value, str):
                yield node.args[0].value


def test_every_measure_has_a_producer() -> None:
    stages = [path for path in (QAUDIT / "pipeline" / "stages").glob("*.py") if not path.stem.startswith("find")]
    literal = {text for path in [*stages, QAUDIT / "core" / "measures" / "rows.py"] for text in texts(path)}
    built = {f"{name}_change" for name in DIFFERENCES} | {f"sweep_{name}" for name in COUNTS}
    built |= {f"flips{part}" for part in ("", "_fixed", "_broken", "_other")}
    built |= {f"{name}{end}" for name in (*SHARES, *MEANS) for end in ("_difference", "_gap", "_gap_change")}
    literal |= set(texts(QAUDIT / "core" / "measures" / "class_rates.py"))
    assert set(MEASURES) <= literal | built


def test_every_measure_that_code_asks_for_by_name_is_known() -> None:
    produced = {name for path in (QAUDIT / "pipeline").rglob("*.py") for name in called(path, {"measured"})}
    assert len(produced) > 15
    asked = {name for path in (QAUDIT / "pipeline").rglob("find_*.py") for name in called(path, {"rows", "one"})}
    asked |= {name for path in (QAUDIT / "rendering").rglob("*.py") for name in called(path, {"rows", "whole"})}
    assert len(asked) > 10
    assert produced | asked <= set(MEASURES)


def test_verdicts_have_their_orders_and_exit_codes() -> None:
    assert list(VERDICTS) == ["outside", "not_demonstrable", "not_assessed", "near", "no_limit", "within"]
    decides = ["outside", "not_demonstrable", "not_assessed", "near", "within"]
    assert sorted(decides, key=lambda word: precedence(VERDICTS[word].word)) == decides
    assert [word for word, verdict in VERDICTS.items() if verdict.exceeded] == ["outside"]
    assert [word for word, verdict in VERDICTS.items() if verdict.open] == ["outside", "not_demonstrable", "not_assessed"]
    assert {word: verdict.exit_code for word, verdict in VERDICTS.items() if verdict.exit_code != 0} == {
        "outside": 1,
        "not_demonstrable": 2,
        "not_assessed": 2,
    }
    assert worst(["within", "not_assessed", "near"]) == "not_assessed"
    assert worst([]) is None


def test_every_verdict_and_section_is_complete() -> None:
    assert set(VERDICTS) == set(get_args(VerdictWord))
    assert len({verdict.shape for verdict in VERDICTS.values()}) == len(VERDICTS)
    for verdict in VERDICTS.values():
        assert verdict.title
        assert verdict.meaning
        colours = [*dataclasses.astuple(verdict.light), *dataclasses.astuple(verdict.dark)]
        assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in colours)
    assert set(SECTIONS) == set(get_args(Anchor))
    assert {section.topic for section in SECTIONS.values()} - {None} <= set(TOPICS)
