"""Explanations as evidence, and as entries of report.json that a page can draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Evidence, Interval
from qaudit.core.explanation import Attributions, Importance, LocalModels, TreeModel
from qaudit.core.inference.intervals import clopper_pearson
from qaudit.core.json_values import Json
from qaudit.core.measures import agreement, surrogate
from qaudit.core.tensor import Floats
from qaudit.pipeline.stages.explain_inputs import ExplainInputs
from qaudit.pipeline.stages.explain_units import SWEPT, Plan
from qaudit.sandbox.answers import ExplainerAnswer

SHOWN = 10
"""Columns of a case, by the largest contribution of any explained variant."""
TREE, LOCAL, GLOBAL, DRIFT = "explain.surrogate_tree", "explain.local", "explain.importance", "explain.drift"
REFERENCE = "reference"
COUNTS = ("leaves", "depth", "added_parameters")


def importance_evidence(found: Importance, names: Sequence[str], about: Mapping[str, str], by: str) -> list[Evidence]:
    """`importance` of each column: mean over the repeats with Student's interval."""
    rows = []
    for j, name in enumerate(names):
        values = found.values[:, j]
        where = {**about, "feature": name, "value_of": found.of}
        rows.append(
            Evidence("importance", float(values.mean()), "", agreement.mean_interval(values), len(values), where, by, GLOBAL)
        )
    return rows


def importance_entry(found: Importance, names: Sequence[str]) -> Json:
    """of, and rows in rank order."""
    mean = found.values.mean(axis=0)
    rows = []
    for rank, j in enumerate(agreement.order(mean), start=1):
        values = found.values[:, j]
        span = agreement.mean_interval(values)
        low, high = (span.low, span.high) if span else (None, None)
        shown = {"feature": names[j], "values": values.tolist(), "mean": float(mean[j]), "low": low, "high": high, "rank": rank}
        rows.append(shown)
    return {"kind": "importance", "of": found.of, "rows": rows}


def rank_evidence(reference: Importance, other: Importance, about: Mapping[str, str], by: str) -> list[Evidence]:
    """`kendall_tau`, `spearman`, `rank_biased_overlap` and `top_k_overlap` of two importances."""
    a, b = reference.values.mean(axis=0), other.values.mean(axis=0)
    k = min(5, len(a))
    where = {**about, "against": REFERENCE, "value_of": reference.of}
    undefined = "undefined where all importances of one variant are equal"
    found: list[tuple[str, float | None, str]] = [
        ("kendall_tau", agreement.kendall_tau(a, b), reference.of),
        ("spearman", agreement.spearman(a, b), reference.of),
        ("rank_biased_overlap", agreement.rank_biased_overlap(a, b), reference.of),
        ("top_k_overlap", agreement.top_k_overlap(a, b, k), f"{reference.of} top {k}"),
    ]
    return [
        Evidence(name, value, "", None, len(a), where | {"value_of": of}, by, DRIFT, None if value is not None else undefined)
        for name, value, of in found
    ]


def fidelity(tree: TreeModel, ground: ExplainInputs, candidate: str) -> tuple[float | None, Interval | None, int, float]:
    """Agreement of the tree with a variant on unseen holdout rows, interval, rows, and what a tree without splits reaches.

    R2 for regression, where the mean reaches 0.
    """
    table, predictions = ground.table.take(ground.unseen), ground.predictions[candidate][ground.unseen]
    decided = ground.subject.decision(predictions)
    regression = decided is None
    if not len(predictions):
        return None, None, 0, 0.0
    said = surrogate.tree_answers(tree, surrogate.apply_tree(tree, table.columns, table.names), regression)
    model = predictions[:, 0] if decided is None else decided
    value = surrogate.agreement(said, model, regression)
    if decided is None:
        return value, None, len(model), 0.0
    return value, clopper_pearson(int(np.sum(said == model)), len(model)), len(model), surrogate.base_rate(decided)


def tree_evidence(tree: TreeModel, ground: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """`fidelity`, `base_rate_fidelity`, `leaves`, `depth`, `added_parameters` and `added_nodes`."""
    value, span, n, base = fidelity(tree, ground, about["candidate"])
    unit = "R2" if ground.subject.decision.output == "regression" else "share"
    reason = None if value is not None else ("all predictions are equal" if n else "no holdout row is outside the background")
    rows = [Evidence("fidelity", value, unit, span, n, about, by, TREE, reason)]
    if n:
        rows.append(Evidence("base_rate_fidelity", base, unit, None, n, about, by, TREE))
    size = surrogate.size(tree)
    rows += [Evidence(name, float(size[name]), "count", None, None, about, by, TREE) for name in COUNTS]
    rows.append(Evidence("added_nodes", float(len(tree.left)), "count", None, None, about, by, TREE))
    return rows


def tree_drift_evidence(
    reference: TreeModel, tree: TreeModel, ground: ExplainInputs, about: Mapping[str, str], by: str
) -> list[Evidence]:
    """`cross_fidelity`, the reference's tree held against the variant, and `split_overlap` of the columns they split on."""
    where = {**about, "against": REFERENCE}
    value, span, n, _ = fidelity(reference, ground, about["candidate"])
    rows = [Evidence("split_overlap", surrogate.split_overlap(reference, tree), "share", None, None, where, by, DRIFT)]
    if value is not None:
        unit = "R2" if ground.subject.decision.output == "regression" else "share"
        rows.append(Evidence("cross_fidelity", value, unit, span, n, where, by, DRIFT))
    return rows


def sweep_evidence(plan: Plan, told: ExplainerAnswer, ground: ExplainInputs, about: Mapping[str, str]) -> list[Evidence]:
    """The trade-off of size against fidelity over the depths: `sweep_fidelity`, `sweep_leaves`, `sweep_added_parameters` ..."""
    rows: list[Evidence] = []
    runs = told.runs[len(told.runs) - len(plan.sweep) :] if plan.sweep else ()
    for settings, run in zip(plan.sweep, runs, strict=True):
        for tree in (part for part in run if isinstance(part, TreeModel)):
            where = {**about, "value_of": f"{SWEPT}={settings[SWEPT]}"}
            value, span, n, _ = fidelity(tree, ground, about["candidate"])
            if value is None:
                continue
            unit = "R2" if ground.subject.decision.output == "regression" else "share"
            rows.append(Evidence("sweep_fidelity", value, unit, span, n, where, plan.name, TREE))
            size = surrogate.size(tree)
            rows += [Evidence(f"sweep_{name}", float(size[name]), "count", None, None, where, plan.name, TREE) for name in COUNTS]
    return rows


def tree_entry(tree: TreeModel, ground: ExplainInputs, candidate: str) -> Json:
    """names, classes, nodes (holdout rows that reach each, share of them where label and variant agree), size, rules."""
    names, classes = ground.table.names, ground.subject.classes
    decided = ground.subject.decision(ground.predictions[candidate])
    reached = surrogate.paths(tree, ground.table.columns, names)
    nodes: list[Json] = []
    for node, here in enumerate(reached):
        inner = bool(tree.left[node] >= 0)
        label, share, agrees = _label(tree, node, classes, decided, here)
        known = tree.categories[node]
        nodes.append(
            {
                "feature": names[tree.feature[node]] if inner else None,
                "threshold": float(tree.threshold[node]) if inner and known is None else None,
                "categories": list(known) if inner and known is not None else None,
                "missing_left": bool(tree.missing_left[node]),
                "left": int(tree.left[node]),
                "right": int(tree.right[node]),
                "rows": len(here),
                "label": label,
                "share": share,
                "agreement": agrees,
            }
        )
    size = surrogate.size(tree)
    lossy = {
        name for name in names for table in (ground.table, ground.background) if agreement.missing(table.columns[name]).any()
    }
    text = surrogate.rules(tree, names, [node["label"] for node in nodes], lossy)
    return {"kind": "tree", "names": list(names), "classes": list(classes), "nodes": nodes, **size, "rules": text}


def _label(
    tree: TreeModel, node: int, classes: Sequence[str], decided: NDArray[Any] | None, here: NDArray[np.int64]
) -> tuple[str, float | None, float | None]:
    if decided is None:
        return f"{tree.value[node, 0]:.6g}", None, None
    best = int(np.argmax(tree.value[node]))
    agrees = float(np.mean(decided[here] == best)) if len(here) else None
    return (classes[best] if classes else str(best)), float(tree.value[node, best]), agrees


def local_evidence(found: LocalModels, about: Mapping[str, str], by: str, counted: NDArray[np.bool_]) -> list[Evidence]:
    """`local_r2`: the median weighted R2 of the drawn rows, with the 5 and 95 per cent quantiles."""
    r2 = agreement.weighted_r2(found)[counted]
    low, middle, high = (float(np.quantile(r2, q)) for q in (0.05, 0.5, 0.95))
    return [Evidence("local_r2", middle, "R2", Interval(low, high, 0.9, "quantiles over rows"), len(r2), about, by, LOCAL)]


def local_entry(
    found: LocalModels | Attributions,
    ground: ExplainInputs,
    candidate: str,
    cases: Sequence[tuple[int, str]],
    order: Mapping[int, Sequence[int]],
) -> Json:
    """cases by rule, each with its columns in `order[place]`; the fit of local models."""
    contributed = agreement.contributions(found, ground.design)
    predictions = ground.sampled(candidate)
    decided = ground.subject.decision(predictions)
    shown = []
    for place, why in cases:
        number = int(ground.sample[place])
        columns = [
            {
                "column": ground.table.names[j],
                "value": _value(ground.table.columns[ground.table.names[j]][number]),
                "contribution": float(contributed[place, j]),
            }
            for j in order[place]
        ]
        decision = (
            None
            if decided is None
            else (ground.subject.classes[int(decided[place])] if ground.subject.classes else int(decided[place]))
        )
        prediction = float(predictions[place, ground.output[number]])
        shown.append({"row": number, "why": why, "decision": decision, "prediction": prediction, "features": columns})
    entry: Json = {"kind": "attributions", "cases": shown}
    if isinstance(found, LocalModels):
        low, middle, high = (float(np.quantile(agreement.weighted_r2(found)[ground.counted], q)) for q in (0.05, 0.5, 0.95))
        entry |= {"kind": "local_models", "r2": {"median": middle, "low": low, "high": high}}
    return entry


def case_columns(several: Sequence[Floats], cases: Sequence[tuple[int, str]]) -> dict[int, list[int]]:
    """For each case the columns shown: the largest contribution of any variant first, ties in column order."""
    found = {}
    for place, _ in cases:
        reach = np.max([np.abs(each[place]) for each in several], axis=0)
        found[place] = agreement.order(reach)[:SHOWN].tolist()
    return found


def _value(value: Any) -> Any:
    """A raw value as JSON: None where it is missing."""
    if isinstance(value, str) or value is None:
        return value
    return None if np.isnan(value) else float(value)
