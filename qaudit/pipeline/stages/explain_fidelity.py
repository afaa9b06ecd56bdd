"""How well a surrogate tree agrees with its model: over all rows, by predicted class, and by leaf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.explanations import TREE
from qaudit.core.evidence import Evidence, Interval, measured
from qaudit.core.explanation import TreeModel
from qaudit.core.inference.intervals import LEVEL, clopper_pearson
from qaudit.core.inference.many_counts import clopper_pearson_ends
from qaudit.core.measures import surrogate
from qaudit.pipeline.stages.explain_inputs import ExplainInputs

MOST_PARTS = 100
"""Of a tree with more leaves, or a model with more classes, only the agreement over all rows is measured."""


def fidelity(tree: TreeModel, inputs: ExplainInputs, candidate: str) -> tuple[float | None, Interval | None, int, float]:
    """Agreement of the tree with a variant on holdout rows outside the background, its interval, their number, and the base rate.

    The base rate is the agreement of a tree without splits. For a regression the agreement is R2, and the base rate is 0.
    """
    leaf, predictions = _leaf(tree, inputs), inputs.predictions[candidate][inputs.unseen]
    decided = inputs.subject.decision(predictions)
    regression = decided is None
    if not len(predictions):
        return None, None, 0, 0.0
    predicted = surrogate.tree_answers(tree, leaf, regression)
    model = predictions[:, 0] if decided is None else decided
    value = surrogate.agreement(predicted, model, regression)
    if decided is None:
        return value, None, len(model), 0.0
    return value, clopper_pearson(int(np.sum(predicted == model)), len(model)), len(model), surrogate.base_rate(decided)


def parts_of_fidelity(tree: TreeModel, inputs: ExplainInputs, about: Mapping[str, str], by: str) -> list[Evidence]:
    """`class_fidelity` and `leaf_fidelity`: the agreement on the same rows, among those that the variant decides for each class,
    and among those that reach each leaf. None for a regression, where agreement is no share of rows.
    """
    decided = inputs.subject.decision(inputs.predictions[about["candidate"]][inputs.unseen])
    if decided is None or not len(decided):
        return []
    leaf, classes = _leaf(tree, inputs), tree.value.shape[1]
    rows: list[Evidence] = []
    if classes <= MOST_PARTS:
        hits, n = surrogate.counts_by_class(surrogate.tree_answers(tree, leaf, False), decided, classes)
        places = [{**about, "output": class_name(inputs, index)} for index in range(classes)]
        rows += _shares("class_fidelity", hits, n, places, by, "the model decides no unseen row so")
    order, hits, n = surrogate.counts_by_leaf(tree, leaf, decided)
    if len(order) <= MOST_PARTS:
        says = np.argmax(tree.value, axis=1)
        places = [
            {**about, "value_of": f"leaf {place}", "output": class_name(inputs, int(says[node]))}
            for place, node in enumerate(order, start=1)
        ]
        rows += _shares("leaf_fidelity", hits, n, places, by, "no unseen row reaches this leaf")
    return rows


def class_name(inputs: ExplainInputs, index: int) -> str:
    """The class of that index, or the index itself where classes have no names."""
    return inputs.subject.classes[index] if inputs.subject.classes else str(index)


def _leaf(tree: TreeModel, inputs: ExplainInputs) -> NDArray[np.int64]:
    """The leaf that each unseen row reaches."""
    table = inputs.table.take(inputs.unseen)
    return surrogate.apply_tree(tree, table.columns, table.names)


def _shares(
    measure: str, hits: NDArray[Any], n: NDArray[Any], places: Sequence[Mapping[str, str]], by: str, empty: str
) -> Iterator[Evidence]:
    """One share for each place, with its exact interval; not assessed where no row is behind it."""
    low, high = clopper_pearson_ends(hits, np.maximum(n, 1))
    for place, about in enumerate(places):
        if n[place]:
            span = Interval(float(low[place]), float(high[place]), LEVEL, "clopper-pearson")
            share = float(hits[place] / n[place])
            yield measured(measure, share, about, by, TREE.topic, interval=span, n=int(n[place]))
        else:
            yield measured(measure, None, about, by, TREE.topic, n=0, reason=empty)
