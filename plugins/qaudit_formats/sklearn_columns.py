"""Reads from a fitted pipeline what its raw input columns are: number or text, and whether missing values are allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from qaudit import Feature

KEEPS_COLUMNS = {"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "PowerTransformer", "QuantileTransformer"}


class Columns:
    """What the transformers of a pipeline reveal about each raw column; `kind` and `missing` are None where nothing is known."""

    def __init__(self, width: int) -> None:
        self.kind: list[str | None] = [None] * width
        self.missing: list[bool | None] = [None] * width
        self.boolean: set[int] = set()
        self.used: set[int] = set()
        self.texts: dict[int, tuple[str, ...]] = {}

    def walk(self, estimator: Any, columns: list[int]) -> list[int]:
        """Visit `estimator`, which is applied to those columns.

        Returns the columns that pass through it one for one with their missing values, so that the next step still sees them.
        """
        if estimator is None or estimator == "passthrough":
            return columns
        if isinstance(estimator, Pipeline):
            for _, step in estimator.steps:
                columns = self.walk(step, columns)
            return columns
        if isinstance(estimator, ColumnTransformer):
            return self._column_transformer(estimator, columns)
        if isinstance(estimator, FeatureUnion):
            return [column for _, part in estimator.transformer_list for column in self.walk(part, columns)]
        return self._step(estimator, columns)

    def _column_transformer(self, estimator: ColumnTransformer, columns: list[int]) -> list[int]:
        passed: list[int] = []
        if len(columns) != estimator.n_features_in_:
            return []
        for name, part, _ in estimator.transformers_:
            if isinstance(part, str) and part == "drop":
                continue
            selected = [columns[place] for place in estimator._transformer_to_input_indices.get(name, [])]
            self.used.update(selected)
            passed += self.walk(part, selected)
        return passed

    def _step(self, estimator: Any, columns: list[int]) -> list[int]:
        self.used.update(columns)
        if (inner := getattr(estimator, "_preprocessor", None)) is not None:  # histogram boosting with categories
            return self._column_transformer(inner, columns) if isinstance(inner, ColumnTransformer) else []
        if inner_estimators := [part for part in members(estimator) if getattr(part, "n_features_in_", None) == len(columns)]:
            return self._members(estimator, inner_estimators, columns)
        if hasattr(estimator, "categories_") and len(estimator.categories_) == len(columns):
            for column, categories in zip(columns, estimator.categories_, strict=True):
                self._categories(estimator, column, np.asarray(categories))
            return []
        if hasattr(estimator, "statistics_") and len(estimator.statistics_) == len(columns):
            for column, statistic in zip(columns, estimator.statistics_, strict=True):
                self._record(column, "text" if isinstance(statistic, str) else "number", True)
                if estimator.statistics_.dtype == object and not isinstance(statistic, str):
                    self.kind[column] = None
            return [] if getattr(estimator, "indicator_", None) is not None else columns
        takes_missing = _takes_missing(estimator)
        keeps_columns = type(estimator).__name__ in KEEPS_COLUMNS
        for column in columns:
            if not keeps_columns or not takes_missing:
                self._record(column, "number", takes_missing)
            elif self.kind[column] is None:
                self.kind[column] = "number"
        return columns if keeps_columns and takes_missing else []

    def _members(self, estimator: Any, estimators: list[Any], columns: list[int]) -> list[int]:
        """Visit estimators inside a meta-estimator, which receive the columns of the meta-estimator."""
        before = set(self.used) - set(columns)
        self.used = before | (set(columns) if getattr(estimator, "passthrough", False) else set())
        for part in estimators:
            self.walk(part, columns)
        return []

    def _categories(self, estimator: Any, column: int, categories: NDArray[Any]) -> None:
        texts = [value for value in categories.tolist() if isinstance(value, str)]
        holds_missing = any(value is None or value != value for value in categories.tolist())
        ignores = getattr(estimator, "handle_unknown", "error") not in ("error", "infrequent_error")
        if categories.dtype == bool or any(isinstance(value, bool) for value in categories.tolist()):
            self.boolean.add(column)
        if texts:
            self.texts[column] = tuple(sorted(texts))
        self._record(column, "text" if texts else "number", holds_missing or ignores)

    def _record(self, column: int, kind: str, missing: bool) -> None:
        """Record kind and missing values of a column; what was recorded first, nearest to the raw data, is kept."""
        if self.kind[column] is None:
            self.kind[column] = kind
        if self.missing[column] is None:
            self.missing[column] = missing


def members(estimator: Any) -> list[Any]:
    """Fitted estimators inside a meta-estimator that receive its own columns; empty where none of them selects columns."""
    candidates = [getattr(estimator, name, None) for name in ("best_estimator_", "estimator_", "regressor_")]
    for name in ("estimators_", "calibrated_classifiers_"):
        listed = getattr(estimator, name, None)
        candidates += [getattr(part, "estimator", part) for part in listed] if isinstance(listed, list) else []
    estimators = [part for part in candidates if hasattr(part, "predict")]
    return estimators if any(_reads_columns(part) for part in estimators) else []


def _reads_columns(estimator: Any) -> bool:
    holds = isinstance(estimator, Pipeline | ColumnTransformer) or getattr(estimator, "_preprocessor", None) is not None
    return holds or bool(members(estimator))


def _takes_missing(estimator: Any) -> bool:
    tags = getattr(estimator, "__sklearn_tags__", None)
    return bool(tags().input_tags.allow_nan) if tags else False


Texts = dict[str, tuple[str, ...]]


def describe(estimator: Any, names: tuple[str, ...], width: int) -> tuple[tuple[Feature, ...], frozenset[str], Texts]:
    """The features of a fitted estimator in order, the names of its boolean columns, and the texts that its encoders know.

    Columns that the model drops are left out. Where it was fitted without names (`names` is empty), nothing is returned.
    """
    columns = Columns(width)
    columns.walk(estimator, list(range(width)))
    if not names:
        return (), frozenset(), {}
    features: list[Feature] = []
    for number, name in enumerate(names):
        if columns.used and number not in columns.used:
            continue
        kind = columns.kind[number]
        features.append(Feature(name, "text" if kind == "text" else "number" if kind else None, columns.missing[number]))
    known_texts = {names[number]: texts for number, texts in sorted(columns.texts.items())}
    return tuple(features), frozenset(names[number] for number in columns.boolean), known_texts
