"""The kinds of explanation that an explainer may return: fields, contract and distances of each.

`qaudit.pipeline.stages.explain_kinds` and the pages of `qaudit.rendering` say how the report shows each kind. There a `match`
over all kinds ends in `assert_never`, so that mypy names every place to which a new kind must be added.
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
"""Leaf values closer to each other than this count as equal."""


def _tau_distance(a: Importance, b: Importance, inputs: DistanceInputs) -> float | None:
    tau = agreement.kendall_tau(a.values.mean(axis=0), b.values.mean(axis=0))
    return None if tau is None else 1.0 - tau


def _importance_problem(importance: Importance, sizes: Mapping[str, int]) -> str | None:
    allowed = get_args(Quantity)
    return None if importance.of in allowed else f"importance.of is {importance.of!r}, expected {' or '.join(allowed)}"


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
    column_sizes=lambda importance, names: np.asarray(np.abs(importance.values).mean(axis=0)),
    same=lambda a, b, order, table: np.allclose(a.values, b.values[:, order], rtol=1e-6, atol=1e-9),
    quantity=lambda importance: importance.of,
    repeats=lambda importance: [
        Importance(importance.values[[repeat]], importance.of) for repeat in range(len(importance.values))
    ],
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


def _of_attributions(attributions: Attributions, design: Floats) -> Floats:
    return attributions.values


ATTRIBUTIONS = ExplanationKind(
    name="attributions",
    record=Attributions,
    topic="explain.local",
    cost_rows="explained",
    arrays={"values": ArrayField(("rows", "names")), "base": ArrayField(("rows",))},
    distances=_local_distances(_of_attributions),
    problem=lambda attributions, sizes: None,
    column_sizes=lambda attributions, names: np.asarray(np.abs(attributions.values).mean(axis=0)),
    same=lambda a, b, order, table: np.allclose(a.values, b.values[:, order], rtol=1e-6, atol=1e-9),
    contributions=_of_attributions,
)


def _of_local_models(models: LocalModels, design: Floats) -> Floats:
    """-coef x mean design (n, d). Adding 0.0 turns a negative zero into 0."""
    return np.asarray(-models.coef * design + 0.0)


def _local_models_problem(models: LocalModels, sizes: Mapping[str, int]) -> str | None:
    if models.weights.min(initial=0.0) >= 0 and (models.weights.sum(axis=1) > 0).all():
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
    column_sizes=lambda models, names: np.asarray((np.abs(models.coef) * models.design.std(axis=1)).mean(axis=0)),
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
    """How often the tree splits on each column (d,); the split of the root counts as many times as there are nodes.

    All 0 where all leaves have the same value, since no column matters then.
    """
    sizes, inner = np.zeros(names), tree.left >= 0
    if float(np.ptp(tree.value, axis=0).max()) <= CONSTANT:
        return sizes
    np.add.at(sizes, tree.feature[inner], 1.0)
    if inner[0]:
        sizes[tree.feature[0]] += len(tree.left)
    return sizes


def _same_tree(a: TreeModel, b: TreeModel, order: NDArray[np.int64], table: Table) -> bool:
    """Whether two trees predict the same for the rows. Their nodes are not compared: equal trees may split in another order."""
    names = [table.names[j] for j in np.argsort(order)]
    predicted = [tree.value[apply_tree(tree, table.columns, each)] for tree, each in ((a, table.names), (b, names))]
    return np.allclose(predicted[0], predicted[1], atol=1e-9)


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
"""Names of the distances on which verdicts and findings rest; the report lists the other distances in a table only."""


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
    """The distances that apply to this kind of explanation and this task."""
    task = "regression" if regression else "classification"
    return tuple(distance for distance in kind_of(explanation).distances if distance.task in ("any", task))


def contributions(explanation: Explanation, design: Floats) -> Floats | None:
    """What each column adds to the explained output, against the background (n, d); None for what is not explained row by row."""
    kind = kind_of(explanation)
    return None if kind.contributions is None else kind.contributions(explanation, design)
