"""The same pipeline again, without one column and with another seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline


def _explicit_categories(estimator: Any, place: int) -> None:
    """Take one column's entry out of a categories list that the author wrote."""
    parts = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
    for part in parts:
        given = getattr(part, "categories", None)
        if isinstance(given, list):
            part.set_params(categories=[entry for number, entry in enumerate(given) if number != place])


def _column_transformer(fresh: ColumnTransformer, fitted: ColumnTransformer, column: str | int) -> None:
    """Remove `column` (a name, or a number where the model has no names) from every column list; empty lists go."""
    names = list(getattr(fitted, "feature_names_in_", range(fitted.n_features_in_)))
    kept = []
    by_name = isinstance(column, str)
    for (label, part, spec), (_, part_fitted, _) in zip(fresh.transformers, fitted.transformers_, strict=False):
        taken = [names[place] for place in fitted._transformer_to_input_indices.get(label, [])]
        if column in taken:
            place = taken.index(column)
            taken.pop(place)
            if not taken or isinstance(spec, str | int):
                continue
            _explicit_categories(part, place)
            if not isinstance(part_fitted, str):
                remove_column(part, part_fitted, column)
        if isinstance(spec, str | int):
            kept.append((label, part, taken[0] if by_name else int(taken[0]) - (int(taken[0]) > int(column))))
            continue
        kept.append((label, part, taken if by_name else [int(n) - (int(n) > int(column)) for n in taken]))
    if not kept and isinstance(fresh.remainder, str) and fresh.remainder == "drop":
        raise ValueError(f"no column is left without {column!r}")
    fresh.set_params(transformers=kept)


def remove_column(fresh: Any, fitted: Any, column: str | int) -> None:
    """Take `column` out of every column list inside an unfitted clone, reading the lists from its fitted original."""
    if isinstance(fresh, ColumnTransformer):
        _column_transformer(fresh, fitted, column)
    elif isinstance(fresh, Pipeline):
        for (_, part), (_, part_fitted) in zip(fresh.steps, fitted.steps, strict=True):
            if not isinstance(part, str) and part is not None:
                remove_column(part, part_fitted, column)
    elif isinstance(fresh, FeatureUnion):
        for (_, part), (_, part_fitted) in zip(fresh.transformer_list, fitted.transformer_list, strict=True):
            remove_column(part, part_fitted, column)
    else:
        for part, part_fitted in _inside(fresh, fitted):
            remove_column(part, part_fitted, column)
        _named_categories(fresh, column)


def _inside(fresh: Any, fitted: Any) -> list[tuple[Any, Any]]:
    """The unfitted estimators that a meta-estimator gives its own columns, each with a fitted original."""
    named = getattr(fitted, "named_estimators_", None) or {}
    pairs = [(part, named[label]) for label, part in getattr(fresh, "estimators", None) or () if label in named]
    for own, made in (("estimator", "calibrated_classifiers_"), ("estimator", "estimators_"), ("regressor", "regressor_")):
        found = getattr(fitted, made, None)
        one = found[0] if isinstance(found, list) and found else found
        if one is not None and not pairs and hasattr(getattr(fresh, own, None), "fit"):
            pairs.append((getattr(fresh, own), getattr(one, "estimator", one) if made.startswith("calibrated") else one))
    return [(part, part_fitted) for part, part_fitted in pairs if hasattr(part, "fit") and hasattr(part_fitted, "fit")]


def _named_categories(fresh: Any, column: str | int) -> None:
    """Take the column out of boosting's list of categorical columns, where the author named them."""
    given = getattr(fresh, "categorical_features", None)
    if isinstance(given, list | tuple) and column in given and isinstance(column, str):
        fresh.set_params(categorical_features=[name for name in given if name != column] or None)


def _prunable(fresh: Pipeline) -> bool:
    return isinstance(fresh.steps[0][1], ColumnTransformer) or len(fresh.steps) == 1


def fresh_clone(fitted: Any, column: str | int | None, seed: int) -> Any:
    """An unfitted copy without `column`; every random_state in it set to `seed`, every n_jobs to 1."""
    fresh = clone(fitted)
    if column is not None:
        remove_column(fresh, fitted, column)
        if isinstance(fresh, Pipeline) and not _prunable(fresh):
            _explicit_of_first(fresh, fitted, column)
    wanted: dict[str, Any] = {}
    for name, value in fresh.get_params(deep=True).items():
        if name == "random_state" or name.endswith("__random_state"):
            wanted[name] = int(np.uint32(seed))
        if (name == "n_jobs" or name.endswith("__n_jobs")) and value is not None:
            wanted[name] = 1
    fresh.set_params(**wanted)
    return fresh


def _explicit_of_first(fresh: Pipeline, fitted: Pipeline, column: str | int) -> None:
    names = list(getattr(fitted, "feature_names_in_", range(fitted.n_features_in_)))
    _explicit_categories(Pipeline(fresh.steps[:-1]), names.index(column))
