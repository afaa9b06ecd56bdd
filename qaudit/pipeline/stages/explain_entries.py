"""Turns explanations into evidence and into the entries of report.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue import explanations as catalogue
from qaudit.core.catalogue.explanations import ATTRIBUTIONS, IMPORTANCE, LOCAL_MODELS, contributions
from qaudit.core.catalogue.measures import Unit
from qaudit.core.evidence import Evidence, Interval, measured
from qaudit.core.explanation import Attributions, ExplanationName, Importance, LocalModels, TreeModel
from qaudit.core.json_values import Json
from qaudit.core.measures import agreement, surrogate
from qaudit.core.tensor import Floats
from qaudit.pipeline.stages.explain_cases import Cases
from qaudit.pipeline.stages.explain_fidelity import class_name, fidelity, parts_of_fidelity
from qaudit.pipeline.stages.explain_inputs import REFERENCE, ExplainInputs

GLOBAL, LOCAL, TREE = IMPORTANCE.topic, LOCAL_MODELS.topic, catalogue.TREE.topic
DRIFT = "explain.drift"
COUNTS = ("leaves", "depth", "added_parameters")


def importance_evidence(importance: Importance, names: Sequence[str], about: Mapping[str, str], by: str) -> list[Evidence]:
    """`importance` of each column: mean over the repeats with Student's interval."""
    rows = []
    for j, name in enumerate(names):
        values = importance.values[:, j]
        where = {**about, "feature": name, "value_of": importance.of}
        span = agreement.mean_interval(values)
        rows.append(measured("importance", float(values.mean()), where, by, GLOBAL, interval=span, n=len(values)))
    return rows


def importance_entry(importance: Importance, names: Sequence[str]) -> Json:
    """of, and rows in rank order."""
    mean = importance.values.mean(axis=0)
    rows = []
    for rank, j in enumerate(agreement.order(mean), start=1):
        values = importance.values[:, j]
        span = agreement.mean_interval(values)
        low, high = (span.low, span.high) if span else (None, None)
        shown = {"feature": names[j], "values": values.tolist(), "mean": float(mean[j]), "low": low, "high": high, "rank": rank}
        rows.append(shown)
    return {"kind": "importance", "of": importance.of, "rows": rows}


def rank_evidence(reference: Importance, other: Importance, about: Mapping[str, str], by: str) -> list[Evidence]:
    """`kendall_tau`, `spearman`, `rank_biased_overlap` and `top_k_overlap` of two importances."""
    a, b = reference.values.mean(axis=0), other.values.mean(axis=0)
    k = min(5, len(a))
    where = {**about, "against": REFERENCE, "value_of": reference.of}
    undefined = "undefined where all importances of one variant are equal"
    correlations: list[tuple[str, float | None, str]] = [
        ("kendall_tau", agreement.kendall_tau(a, b), reference.of),
        ("spearman", agreement.spearman(a, b), reference.of),
        ("rank_biased_overlap", agreement.rank_biased_overlap(a, b), reference.of),
        ("top_k_overlap", agreement.top_k_overlap(a, b, k), f"{reference.of} top {k}"),
    ]
    return [
        measured(name, value, where | {"value_of": of}, by, DRIFT, n=len(a), reason=None if value is not None else undefined)
        for name, value, of in correlations
    ]


def tree_evidence(tree: TreeModel, inputs: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """`fidelity`, also by class and by leaf, `base_rate_fidelity`, `leaves`, `depth`, `added_parameters` and `added_nodes`."""
    value, span, n, base = fidelity(tree, inputs, about["candidate"])
    unit = _agreement(inputs)
    reason = None if value is not None else ("all predictions are equal" if n else "no holdout row is outside the background")
    rows = [measured("fidelity", value, about, by, TREE, unit=unit, interval=span, n=n, reason=reason)]
    if n:
        rows.append(measured("base_rate_fidelity", base, about, by, TREE, unit=unit, n=n))
    rows += parts_of_fidelity(tree, inputs, about, by)
    size = surrogate.size(tree)
    rows += [measured(name, float(size[name]), about, by, TREE) for name in COUNTS]
    rows.append(measured("added_nodes", float(len(tree.left)), about, by, TREE))
    return rows


def tree_drift_evidence(
    reference: TreeModel, tree: TreeModel, inputs: ExplainInputs, about: Mapping[str, str], by: str
) -> list[Evidence]:
    """`cross_fidelity`, the agreement of the reference's tree with the variant, and `split_overlap` of the columns in their
    splits.
    """
    where = {**about, "against": REFERENCE}
    value, span, n, _ = fidelity(reference, inputs, about["candidate"])
    rows = [measured("split_overlap", surrogate.split_overlap(reference, tree), where, by, DRIFT)]
    if value is not None:
        rows.append(measured("cross_fidelity", value, where, by, DRIFT, unit=_agreement(inputs), interval=span, n=n))
    return rows


def tree_sweep_evidence(tree: TreeModel, inputs: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """Size and fidelity at one depth: `sweep_fidelity`, `sweep_leaves`, `sweep_depth`, `sweep_added_parameters`."""
    value, span, n, _ = fidelity(tree, inputs, about["candidate"])
    if value is None:
        return []
    size = surrogate.size(tree)
    counts = [measured(f"sweep_{name}", float(size[name]), about, by, TREE) for name in COUNTS]
    return [measured("sweep_fidelity", value, about, by, TREE, unit=_agreement(inputs), interval=span, n=n), *counts]


def _agreement(inputs: ExplainInputs) -> Unit:
    """The unit in which a surrogate agrees with its model."""
    return "R2" if inputs.subject.decision.output == "regression" else "share"


def tree_entry(tree: TreeModel, inputs: ExplainInputs, candidate: str) -> Json:
    """names, classes, size, rules, and nodes: the holdout rows that reach each, and the share of agreement on those among them on
    which the tree was not fitted."""
    names, classes = inputs.table.names, inputs.subject.classes
    decided = inputs.subject.decision(inputs.predictions[candidate])
    reached = surrogate.paths(tree, inputs.table.columns, names)
    unseen = np.isin(np.arange(inputs.table.rows), inputs.unseen)
    nodes: list[Json] = []
    for node, here in enumerate(reached):
        inner = bool(tree.left[node] >= 0)
        label, share, agrees = _label(tree, node, classes, decided, here[unseen[here]])
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
    with_missing = {
        name for name in names for table in (inputs.table, inputs.background) if agreement.missing(table.columns[name]).any()
    }
    text = surrogate.rules(tree, names, [node["label"] for node in nodes], with_missing)
    return {"kind": "tree", "names": list(names), "classes": list(classes), "nodes": nodes, **size, "rules": text}


def _label(
    tree: TreeModel, node: int, classes: Sequence[str], decided: NDArray[Any] | None, here: NDArray[np.int64]
) -> tuple[str, float | None, float | None]:
    if decided is None:
        return f"{tree.value[node, 0]:.6g}", None, None
    best = int(np.argmax(tree.value[node]))
    agrees = float(np.mean(decided[here] == best)) if len(here) else None
    return (classes[best] if classes else str(best)), float(tree.value[node, best]), agrees


def local_evidence(models: LocalModels, about: Mapping[str, str], by: str, counted: NDArray[np.bool_]) -> list[Evidence]:
    """`local_r2`: the median weighted R2 of the drawn rows, with the 5 and 95 per cent quantiles."""
    low, middle, high = _r2_quantiles(models, counted)
    span = Interval(low, high, 0.9, "quantiles over rows")
    return [measured("local_r2", middle, about, by, LOCAL, interval=span, n=int(np.count_nonzero(counted)))]


def local_class_evidence(models: LocalModels, inputs: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """`class_local_r2`: the same among the drawn rows of each class that the variant decides."""
    decided = inputs.subject.decision(inputs.sampled(about["candidate"]))
    if decided is None:
        return []
    rows = []
    for index in np.unique(decided[inputs.counted]).tolist():
        there = inputs.counted & (decided == index)
        where = {**about, "output": class_name(inputs, index)}
        rows += [dataclasses.replace(row, measure="class_local_r2") for row in local_evidence(models, where, by, there)]
    return rows


def _r2_quantiles(models: LocalModels, counted: NDArray[np.bool_]) -> tuple[float, float, float]:
    r2 = agreement.weighted_r2(models)[counted]
    low, middle, high = (float(np.quantile(r2, q)) for q in (0.05, 0.5, 0.95))
    return low, middle, high


def local_models_entry(models: LocalModels, inputs: ExplainInputs, candidate: str, cases: Cases) -> Json:
    """cases, and the fit of the models to their own samples."""
    low, middle, high = _r2_quantiles(models, inputs.counted)
    shown = _cases_entry(LOCAL_MODELS.name, contributions(models, inputs.design), inputs, candidate, cases)
    return shown | {"r2": {"median": middle, "low": low, "high": high}}


def attributions_entry(attributions: Attributions, inputs: ExplainInputs, candidate: str, cases: Cases) -> Json:
    """cases alone."""
    return _cases_entry(ATTRIBUTIONS.name, contributions(attributions, inputs.design), inputs, candidate, cases)


def _cases_entry(
    kind: ExplanationName, contributions: Floats | None, inputs: ExplainInputs, candidate: str, cases: Cases
) -> Json:
    assert contributions is not None
    predictions = inputs.sampled(candidate)
    decided = inputs.subject.decision(predictions)
    shown = []
    for place, why in cases.rows:
        number = int(inputs.sample[place])
        columns = [
            {
                "column": inputs.table.names[j],
                "value": _value(inputs.table.columns[inputs.table.names[j]][number]),
                "contribution": float(contributions[place, j]),
            }
            for j in cases.columns[place]
        ]
        decision = (
            None
            if decided is None
            else (inputs.subject.classes[int(decided[place])] if inputs.subject.classes else int(decided[place]))
        )
        prediction = float(predictions[place, inputs.output[number]])
        shown.append({"row": number, "why": why, "decision": decision, "prediction": prediction, "features": columns})
    return {"kind": kind, "cases": shown}


def _value(value: Any) -> Any:
    """A raw value as JSON: None where it is missing."""
    if isinstance(value, str) or value is None:
        return value
    return None if np.isnan(value) else float(value)
