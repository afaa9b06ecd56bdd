"""Measures of several classes: recall and precision of each, and the area over pairs of classes, with their paired changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.inference import auc, classes
from qaudit.core.inference.cluster_shares import clusters_of
from qaudit.core.inference.estimate import Estimate
from qaudit.core.measures.rows import Side
from qaudit.core.measures.units import FEWEST, Units, few

NO_ROW, NOT_DECIDED = "no row of this class", "no row is decided as this class"
MOST_CLASSES = 50
"""Of more classes the rates of each are not measured."""


def class_levels(
    truth: NDArray[Any], model: Side, labels: Sequence[str], units: Units
) -> Iterator[tuple[str, str | None, Estimate]]:
    """Measure, class (None: all of them) and estimate of one model."""
    yield "roc_auc_pairs", None, units.stated(_area(truth, model, units))
    assert model.decided is not None
    for number, label in enumerate(labels[:MOST_CLASSES] if len(labels) <= MOST_CLASSES else ()):
        yield "class_recall", label, _share(truth, model.decided, number, "recall", units)
        yield "class_precision", label, _share(truth, model.decided, number, "precision", units)


def class_changes(
    truth: NDArray[Any], before: Side, after: Side, labels: Sequence[str], units: Units
) -> Iterator[tuple[str, str | None, Estimate]]:
    """Measure, class and estimate of the paired changes."""
    areas = [auc.hand_till(truth, each.predictions) for each in (before, after)]
    change = auc.multiclass_auc_change(areas[0], areas[1], len(truth), clusters=units.clusters)
    yield "roc_auc_pairs_change", None, units.stated(change)
    assert before.decided is not None
    assert after.decided is not None
    for number, label in enumerate(labels if len(labels) <= MOST_CLASSES else ()):
        yield "class_recall_change", label, _recall_change(truth, before.decided, after.decided, number, units)
        yield "class_precision_change", label, _precision_change(truth, before.decided, after.decided, number, units)


def _area(truth: NDArray[Any], model: Side, units: Units) -> Estimate:
    return auc.multiclass_auc(auc.hand_till(truth, model.predictions), len(truth), clusters=units.clusters)


def _share(truth: NDArray[Any], decided: NDArray[Any], label: int, name: str, units: Units) -> Estimate:
    if units.clusters is None:
        return classes.recall(truth, decided, label) if name == "recall" else classes.precision(truth, decided, label)
    rows, hits = (truth == label, decided == label) if name == "recall" else (decided == label, truth == label)
    return units.share(hits, rows) if rows.any() else Estimate(None, None, 0, NO_ROW if name == "recall" else NOT_DECIDED)


def _recall_change(truth: NDArray[Any], before: NDArray[Any], after: NDArray[Any], label: int, units: Units) -> Estimate:
    if units.clusters is None:
        return classes.recall_change(truth, before, after, label)
    if not (truth == label).any():
        return Estimate(None, None, 0, NO_ROW)
    return units.change(before == label, after == label, truth == label)


def _precision_change(truth: NDArray[Any], before: NDArray[Any], after: NDArray[Any], label: int, units: Units) -> Estimate:
    if units.clusters is None:
        return classes.precision_change(truth, before, after, label)
    clusters = clusters_of(units.clusters)
    now, was = (clusters.share(truth == label, decided == label) for decided in (after, before))
    if now is None or was is None:
        return Estimate(None, None, int(np.sum(after == label)), NOT_DECIDED)
    rows = (before == label) | (after == label)
    count = len(np.unique(units.clusters[rows]))
    change = now.minus(was)
    return change.estimate(count, int(np.sum(rows))) if count >= FEWEST else Estimate(change.value, None, change.n, few(count))
