"""Makes an unfitted copy of a pipeline without one column and with another seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline


def _explicit_categories(estimator: Any, index: int) -> None:
    """Remove the entry of one column from a `categories` list that the author wrote."""
    parts = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
    for part in parts:
        categories = getattr(part, "categories", None)
        if isinstance(categories, list):
            part.set_params(categories=[entry for number, entry in enumerate(categories) if number != index])


def _column_transformer(fresh: ColumnTransformer, fitted: ColumnTransformer, column: str | int) -> None:
    """Remove `column` (a name, or a number where the model has no names) from every column list.

    A transformer without columns is dropped. Numbers above a removed number are lowered by one.
    """
    names = list(getattr(fitted, "feature_names_in_", range(fitted.n_features_in_)))
    remaining = []
    by_name = isinstance(column, str)
    for (label, part, spec), (_, part_fitted, _) in zip(fresh.transformers, fitted.transformers_, strict=False):
        selected = [names[index] for index in fitted._transformer_to_input_indices.get(label, [])]
        if column in selected:
            index = selected.index(column)
            selected.pop(index)
            if not selected or isinstance(spec, str | int):
                continue
            _explicit_categories(part, index)
            if not isinstance(part_fitted, str):
                remove_column(part, part_fitted, column)
        if isinstance(spec, str | int):
            remaining.append((label, part, selected[0] if by_name else int(selected[0]) - (int(selected[0]) > int(column))))
            continue
        remaining.append((label, part, selected if by_name else [int(n) - (int(n) > int(column)) for n in selected]))
    if not remaining and isinstance(fresh.remainder, str) and fresh.remainder == "drop":
        raise ValueError(f"no column is left without {column!r}")
    fresh.set_params(transformers=remaining)


def remove_column(fresh: Any, fitted: Any, column: str | int) -> None:
    """Remove `column` from every column list inside an unfitted clone; the lists are read from the fitted original."""
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
        for part, part_fitted in _inner_estimators(fresh, fitted):
            remove_column(part, part_fitted, column)
        _named_categories(fresh, column)


def _inner_estimators(fresh: Any, fitted: Any) -> list[tuple[Any, Any]]:
    """The unfitted estimators inside a meta-estimator that receive its columns, each with its fitted original."""
    named = getattr(fitted, "named_estimators_", None) or {}
    pairs = [(part, named[label]) for label, part in getattr(fresh, "estimators", None) or () if label in named]
    for name, holder in (
        ("estimator", "calibrated_classifiers_"),
        ("estimator", "estimators_"),
        ("regressor", "regressor_"),
    ):
        value = getattr(fitted, holder, None)
        original = value[0] if isinstance(value, list) and value else value
        if original is not None and not pairs and hasattr(getattr(fresh, name, None), "fit"):
            pairs.append(
                (
                    getattr(fresh, name),
                    getattr(original, "estimator", original) if holder.startswith("calibrated") else original,
                )
            )
    return [(part, part_fitted) for part, part_fitted in pairs if hasattr(part, "fit") and hasattr(part_fitted, "fit")]


def _named_categories(fresh: Any, column: str | int) -> None:
    """Remove the column from the list of categorical columns of histogram boosting, where the author named them."""
    listed = getattr(fresh, "categorical_features", None)
    if isinstance(listed, list | tuple) and column in listed and isinstance(column, str):
        fresh.set_params(categorical_features=[name for name in listed if name != column] or None)


def _prunable(fresh: Pipeline) -> bool:
    return isinstance(fresh.steps[0][1], ColumnTransformer) or len(fresh.steps) == 1


def fresh_clone(fitted: Any, column: str | int | None, seed: int) -> Any:
    """An unfitted copy without `column`, in which every random_state is `seed` and every n_jobs is 1."""
    fresh = clone(fitted)
    if column is not None:
        remove_column(fresh, fitted, column)
        if isinstance(fresh, Pipeline) and not _prunable(fresh):
            _explicit_categories_of_steps(fresh, fitted, column)
    parameters: dict[str, Any] = {}
    for name, value in fresh.get_params(deep=True).items():
        if name == "random_state" or name.endswith("__random_state"):
            parameters[name] = int(np.uint32(seed))
        if (name == "n_jobs" or name.endswith("__n_jobs")) and value is not None:
            parameters[name] = 1
    fresh.set_params(**parameters)
    return fresh


def _explicit_categories_of_steps(fresh: Pipeline, fitted: Pipeline, column: str | int) -> None:
    names = list(getattr(fitted, "feature_names_in_", range(fitted.n_features_in_)))
    _explicit_categories(Pipeline(fresh.steps[:-1]), names.index(column))
