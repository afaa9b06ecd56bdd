"""The results that explainers return: numbers only, from which the host computes fidelity, R2, spread and top reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qaudit.core.tensor import Floats

Quantity = Literal["prediction_change", "loss_change"]
ExplanationName = Literal["importance", "local_models", "attributions", "tree"]
"""The kinds of explanation as named in report.json; `qaudit.core.catalogue.explanations` describes how the host uses each."""
EXPLANATION_NAMES: tuple[ExplanationName, ...] = get_args(ExplanationName)


@dataclass(frozen=True, slots=True, eq=False)
class Importance:
    """Global importance: values (repeats, d), columns in the order of the context's names."""

    values: Floats
    of: Quantity


@dataclass(frozen=True, slots=True, eq=False)
class Attributions:
    """Additive local attributions: values (n, d), base (n,)."""

    values: Floats
    base: Floats


@dataclass(frozen=True, slots=True, eq=False)
class LocalModels:
    """Weighted linear models around each row: coef (n, d), intercept (n,), design (n, S, d), answers (n, S), weights (n, S).

    design is z - x for a number; for text, or where either value is missing, 1 where the two differ and 0 where they are equal.
    """

    coef: Floats
    intercept: Floats
    design: Floats
    answers: Floats
    weights: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TreeModel:
    """A surrogate tree over raw columns. Node 0 is the root; `left` is -1 in a leaf.

    A row goes left where x <= threshold[node] (number) or x in categories[node] (text; categories[node] is not None).
    Missing numbers and None go left where `missing_left`. `value` (nodes, k): class shares in the order of `context.classes`,
    or (nodes, 1) the mean for regression.
    """

    feature: NDArray[np.int32]
    threshold: Floats
    categories: tuple[tuple[str, ...] | None, ...]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: Floats


Explanation = Importance | Attributions | LocalModels | TreeModel
Columns = dict[str, NDArray[Any]]
