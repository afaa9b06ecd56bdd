"""What a fitted pipeline says about its raw input columns: number or text, missing or not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from qaudit import Feature

KEEPS_COLUMNS = {"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "PowerTransformer", "QuantileTransformer"}


class Columns:
    """Collects, column by column, what the transformers hold; `kind` and `missing` are None where nothing was said."""

    def __init__(self, width: int) -> None:
        self.kind: list[str | None] = [None] * width
        self.missing: list[bool | None] = [None] * width
        self.boolean: set[int] = set()
        self.used: set[int] = set()
        self.texts: dict[int, tuple[str, ...]] = {}

    def walk(self, estimator: Any, columns: list[int]) -> list[int]:
        """Visit `estimator` on those columns; returns the columns that leave it one for one and with their missing values."""
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
        left: list[int] = []
        if len(columns) != estimator.n_features_in_:
            return []
        for name, part, _ in estimator.transformers_:
            if isinstance(part, str) and part == "drop":
                continue
            taken = [columns[place] for place in estimator._transformer_to_input_indices.get(name, [])]
            self.used.update(taken)
            left += self.walk(part, taken)
        return left

    def _step(self, estimator: Any, columns: list[int]) -> list[int]:
        self.used.update(columns)
        if (inner := getattr(estimator, "_preprocessor", None)) is not None:  # histogram boosting with categories
            return self._column_transformer(inner, columns) if isinstance(inner, ColumnTransformer) else []
        if inside := [each for each in members(estimator) if getattr(each, "n_features_in_", None) == len(columns)]:
            return self._members(estimator, inside, columns)
        if hasattr(estimator, "categories_") and len(estimator.categories_) == len(columns):
            for column, categories in zip(columns, estimator.categories_, strict=True):
                self._categories(estimator, column, np.asarray(categories))
            return []
        if hasattr(estimator, "statistics_") and len(estimator.statistics_) == len(columns):
            for column, statistic in zip(columns, estimator.statistics_, strict=True):
                self._say(column, "text" if isinstance(statistic, str) else "number", True)
                if estimator.statistics_.dtype == object and not isinstance(statistic, str):
                    self.kind[column] = None
            return [] if getattr(estimator, "indicator_", None) is not None else columns
        takes = _takes_missing(estimator)
        keeps = type(estimator).__name__ in KEEPS_COLUMNS
        for column in columns:
            if not keeps or not takes:
                self._say(column, "number", takes)
            elif self.kind[column] is None:
                self.kind[column] = "number"
        return columns if keeps and takes else []

    def _members(self, estimator: Any, inside: list[Any], columns: list[int]) -> list[int]:
        """Estimators that are asked with the columns of the one around them."""
        before = set(self.used) - set(columns)
        self.used = before | (set(columns) if getattr(estimator, "passthrough", False) else set())
        for each in inside:
            self.walk(each, columns)
        return []

    def _categories(self, estimator: Any, column: int, categories: NDArray[Any]) -> None:
        texts = [value for value in categories.tolist() if isinstance(value, str)]
        holds_missing = any(value is None or value != value for value in categories.tolist())
        ignores = getattr(estimator, "handle_unknown", "error") not in ("error", "infrequent_error")
        if categories.dtype == bool or any(isinstance(value, bool) for value in categories.tolist()):
            self.boolean.add(column)
        if texts:
            self.texts[column] = tuple(sorted(texts))
        self._say(column, "text" if texts else "number", holds_missing or ignores)

    def _say(self, column: int, kind: str, missing: bool) -> None:
        """The first word on a column stands."""
        if self.kind[column] is None:
            self.kind[column] = kind
        if self.missing[column] is None:
            self.missing[column] = missing


def members(estimator: Any) -> list[Any]:
    """Fitted estimators inside a meta-estimator that are given its own columns; empty where no pipeline is among them."""
    found = [getattr(estimator, name, None) for name in ("best_estimator_", "estimator_", "regressor_")]
    for name in ("estimators_", "calibrated_classifiers_"):
        several = getattr(estimator, name, None)
        found += [getattr(each, "estimator", each) for each in several] if isinstance(several, list) else []
    inside = [each for each in found if hasattr(each, "predict")]
    return inside if any(_reads_columns(each) for each in inside) else []


def _reads_columns(estimator: Any) -> bool:
    holds = isinstance(estimator, Pipeline | ColumnTransformer) or getattr(estimator, "_preprocessor", None) is not None
    return holds or bool(members(estimator))


def _takes_missing(estimator: Any) -> bool:
    tags = getattr(estimator, "__sklearn_tags__", None)
    return bool(tags().input_tags.allow_nan) if tags else False


Texts = dict[str, tuple[str, ...]]


def describe(estimator: Any, names: tuple[str, ...], width: int) -> tuple[tuple[Feature, ...], frozenset[str], Texts]:
    """Features of a fitted estimator in order, without columns that it drops; the names of boolean ones; the known texts.

    `names` is empty where the model was fitted without names: then no feature is named and none is left out.
    """
    columns = Columns(width)
    columns.walk(estimator, list(range(width)))
    if not names:
        return (), frozenset(), {}
    found: list[Feature] = []
    for number, name in enumerate(names):
        if columns.used and number not in columns.used:
            continue
        kind = columns.kind[number]
        found.append(Feature(name, "text" if kind == "text" else "number" if kind else None, columns.missing[number]))
    known = {names[number]: texts for number, texts in sorted(columns.texts.items())}
    return tuple(found), frozenset(names[number] for number in columns.boolean), known
