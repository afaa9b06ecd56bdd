"""The kinds of explanation that an explainer may return: fields, contract and distances of each.

What a kind becomes in the report is said in `qaudit.pipeline.stages.explain_kinds` and in the pages of `qaudit.rendering`. There
a `match` over all kinds ends in `assert_never`, so that mypy names each place that a new kind must be added to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never, get_args

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.complete import by_name
from qaudit.core.catalogue.explanation_kind import ArrayField, Distance, DistanceInputs, E, ExplanationKind, JsonField
from qaudit.core.explanation import Attributions, Explanation, ExplanationName, Importance, LocalModels, Quantity, TreeModel
from qaudit.core.measures import agreement
from qaudit.core.measures.surrogate import apply_tree, tree_answers
from qaudit.core.table import Table
from qaudit.core.tensor import Floats

CONSTANT = 1e-9
"""Leaves whose values lie within this distance say the same."""


def _tau_distance(a: Importance, b: Importance, inputs: DistanceInputs) -> float | None:
    tau = agreement.kendall_tau(a.values.mean(axis=0), b.values.mean(axis=0))
    return None if tau is None else 1.0 - tau


def _importance_problem(found: Importance, sizes: Mapping[str, int]) -> str | None:
    allowed = get_args(Quantity)
    return None if found.of in allowed else f"importance.of is {found.of!r}, expected {' or '.join(allowed)}"


IMPORTANCE = ExplanationKind(
    name="importance",
    record=Importance,
    topic="explain.importance",
    cost_rows="explained",
    arrays={"values": ArrayField(("repeats", "names"))},
    json={"of": JsonField(str, lambda text: text)},
    distances=(
        Distance(
            "size",
            "mean absolute difference of the importances",
            lambda a, b, inputs: float(np.mean(np.abs(a.values.mean(axis=0) - b.values.mean(axis=0)))),
        ),
        Distance(
            "rank",
            "1 - tau-b of the importances",
            _tau_distance,
            undefined="the ranking is undefined where all importances are equal",
        ),
    ),
    problem=_importance_problem,
    column_sizes=lambda found, names: np.asarray(np.abs(found.values).mean(axis=0)),
    same=lambda a, b, order, table: np.allclose(a.values, b.values[:, order], rtol=1e-6, atol=1e-9),
    quantity=lambda found: found.of,
    repeats=lambda found: [Importance(found.values[[repeat]], found.of) for repeat in range(len(found.values))],
)


def _local_distances(contributions: Callable[[E, Floats], Floats]) -> tuple[Distance[E], ...]:
    """Distances of the contributions (n, d) of two explanations."""

    def both(a: E, b: E, inputs: DistanceInputs) -> tuple[Floats, Floats]:
        return contributions(a, inputs.design), contributions(b, inputs.design)

    return (
        Distance(
            "direction",
            "mean cosine distance of the contributions",
            lambda a, b, inputs: float(np.mean(agreement.cosine_distance(*both(a, b, inputs)))),
        ),
        Distance(
            "length",
            "mean |difference| / |contributions|",
            lambda a, b, inputs: float(np.mean(agreement.relative_l2(*both(a, b, inputs)))),
        ),
    )


def _of_attributions(found: Attributions, design: Floats) -> Floats:
    return found.values


ATTRIBUTIONS = ExplanationKind(
    name="attributions",
    record=Attributions,
    topic="explain.local",
    cost_rows="explained",
    arrays={"values": ArrayField(("rows", "names")), "base": ArrayField(("rows",))},
    distances=_local_distances(_of_attributions),
    problem=lambda found, sizes: None,
    column_sizes=lambda found, names: np.asarray(np.abs(found.values).mean(axis=0)),
    same=lambda a, b, order, table: np.allclose(a.values, b.values[:, order], rtol=1e-6, atol=1e-9),
    contributions=_of_attributions,
)


def _of_local_models(found: LocalModels, design: Floats) -> Floats:
    """-coef x mean design; + 0.0 so that no zero is negative."""
    return np.asarray(-found.coef * design + 0.0)


def _local_models_problem(found: LocalModels, sizes: Mapping[str, int]) -> str | None:
    if found.weights.min(initial=0.0) >= 0 and (found.weights.sum(axis=1) > 0).all():
        return None
    return "local_models.weights must not be negative, nor all zero for a row"


LOCAL_MODELS = ExplanationKind(
    name="local_models",
    record=LocalModels,
    topic="explain.local",
    cost_rows="explained",
    arrays={
        "coef": ArrayField(("rows", "names")),
        "intercept": ArrayField(("rows",)),
        "design": ArrayField(("rows", "samples", "names")),
        "answers": ArrayField(("rows", "samples")),
        "weights": ArrayField(("rows", "samples")),
    },
    distances=_local_distances(_of_local_models),
    problem=_local_models_problem,
    column_sizes=lambda found, names: np.asarray((np.abs(found.coef) * found.design.std(axis=1)).mean(axis=0)),
    same=lambda a, b, order, table: np.allclose(a.coef, b.coef[:, order], rtol=1e-6, atol=1e-8),
    contributions=_of_local_models,
)


def _tree_answers(tree: TreeModel, inputs: DistanceInputs) -> NDArray[Any]:
    return tree_answers(tree, apply_tree(tree, inputs.table.columns, inputs.table.names), inputs.regression)


def _tree_problem(tree: TreeModel, sizes: Mapping[str, int]) -> str | None:
    nodes, names = len(tree.left), sizes["names"]
    if len(tree.categories) != nodes:
        return f"tree: not every field has {nodes} nodes"
    seen = {0}
    for node in np.flatnonzero(tree.left >= 0):
        if not 0 <= tree.feature[node] < names:
            return f"tree: node {node} splits on column {tree.feature[node]} of {names}"
        for child in (int(tree.left[node]), int(tree.right[node])):
            if not node < child < nodes or child in seen:
                return f"tree: child {child} of node {node} is out of range or has two parents"
            seen.add(child)
    return None if len(seen) == nodes else f"tree: {nodes - len(seen)} nodes cannot be reached"


def _tree_column_sizes(tree: TreeModel, names: int) -> Floats:
    """Splits on each column; that of the root counts as many as there are nodes."""
    found, inner = np.zeros(names), tree.left >= 0
    if float(np.ptp(tree.value, axis=0).max()) <= CONSTANT:
        return found
    np.add.at(found, tree.feature[inner], 1.0)
    if inner[0]:
        found[tree.feature[0]] += len(tree.left)
    return found


def _same_tree(a: TreeModel, b: TreeModel, order: NDArray[np.int64], table: Table) -> bool:
    """Trees are compared by what they say of the rows: equal trees may split in another order."""
    names = [table.names[j] for j in np.argsort(order)]
    said = [tree.value[apply_tree(tree, table.columns, each)] for tree, each in ((a, table.names), (b, names))]
    return np.allclose(said[0], said[1], atol=1e-9)


def _categories_as_json(categories: Any) -> Any:
    return [None if known is None else [str(each) for each in known] for known in categories]


def _categories_from_json(packed: Any) -> Any:
    return tuple(None if known is None else tuple(known) for known in packed)


TREE = ExplanationKind(
    name="tree",
    record=TreeModel,
    topic="explain.surrogate_tree",
    cost_rows="unseen",
    arrays={
        "feature": ArrayField(("nodes",), np.int32),
        "threshold": ArrayField(("nodes",)),
        "left": ArrayField(("nodes",), np.int32),
        "right": ArrayField(("nodes",), np.int32),
        "missing_left": ArrayField(("nodes",), np.bool_),
        "value": ArrayField(("nodes", "outputs")),
    },
    json={"categories": JsonField(_categories_as_json, _categories_from_json)},
    distances=(
        Distance(
            "decision",
            "share of rows on which the two trees differ",
            lambda a, b, inputs: float(np.mean(_tree_answers(a, inputs) != _tree_answers(b, inputs))),
            unit="share",
            task="classification",
        ),
        Distance(
            "value",
            "mean absolute difference of the two trees",
            lambda a, b, inputs: float(np.mean(np.abs(_tree_answers(a, inputs) - _tree_answers(b, inputs)))),
            task="regression",
        ),
    ),
    problem=_tree_problem,
    column_sizes=_tree_column_sizes,
    same=_same_tree,
)

EXPLANATION_KINDS: dict[str, ExplanationKind[Any]] = by_name(
    (IMPORTANCE, LOCAL_MODELS, ATTRIBUTIONS, TREE), Explanation, ExplanationName
)


PRIMARY_DISTANCES = frozenset(
    next(distance.name for distance in kind.distances if distance.task in ("any", task))
    for kind in EXPLANATION_KINDS.values()
    for task in ("classification", "regression")
)
"""Names of the distances that verdicts and findings go by; the others stand in the table of the report."""


def kind_of(explanation: Explanation) -> ExplanationKind[Any]:
    """The catalogue record of an explanation."""
    match explanation:
        case Importance():
            return IMPORTANCE
        case LocalModels():
            return LOCAL_MODELS
        case Attributions():
            return ATTRIBUTIONS
        case TreeModel():
            return TREE
        case _:
            assert_never(explanation)


def distances_of(explanation: Explanation, regression: bool) -> tuple[Distance[Any], ...]:
    """The distances that are taken of explanations of one kind for this task."""
    task = "regression" if regression else "classification"
    return tuple(distance for distance in kind_of(explanation).distances if distance.task in ("any", task))


def contributions(explanation: Explanation, design: Floats) -> Floats | None:
    """What each column adds to the explained output, against the background (n, d); None for what is not explained row by row."""
    kind = kind_of(explanation)
    return None if kind.contributions is None else kind.contributions(explanation, design)
