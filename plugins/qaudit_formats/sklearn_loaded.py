"""A fitted scikit-learn estimator as a qaudit `Loaded`.

Preprocessing is done by the model itself; the final estimator is lowered to a program of named parameters.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from qaudit import Decline, Loaded, Program, Refused
from qaudit_formats.sklearn_columns import describe
from qaudit_formats.sklearn_lowering import CannotLower, Output, leaf_function, lower, raw_function
from qaudit_formats.sklearn_refit import fresh_clone

Floats = NDArray[np.float64]
Ties = Literal["first", "last"]


def _flat(estimator: Any) -> tuple[list[Any], Any]:
    """The preprocessing steps and the final estimator, with nested pipelines flattened."""
    if isinstance(estimator, GridSearchCV | RandomizedSearchCV) and hasattr(estimator, "best_estimator_"):
        return _flat(estimator.best_estimator_)
    if not isinstance(estimator, Pipeline):
        return [], estimator
    steps = [step for _, step in estimator.steps]
    inner, final = _flat(steps[-1])
    return [step for step in steps[:-1] if step is not None and step != "passthrough"] + inner, final


def _unique(names: list[str]) -> tuple[str, ...]:
    """The names in order, made unique by a number at the end."""
    used: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 2
        while candidate in used:
            candidate, number = f"{name}_{number}", number + 1
        used.add(candidate)
        unique.append(candidate)
    return tuple(unique)


class Model:
    """The estimator with its two functions for an audit: encode and predict, both on a pandas frame of raw columns."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.before, self.final = _flat(estimator)
        self.names = tuple(str(name) for name in getattr(estimator, "feature_names_in_", ()))
        self.width = int(getattr(estimator, "n_features_in_", len(self.names)))
        self.labels: list[Any] = np.asarray(getattr(self.final, "classes_", [])).tolist()
        self.features, self.boolean, self.texts = describe(estimator, self.names, self.width)

    @property
    def output(self) -> Output:
        """The kind of output: binary, multiclass or regression."""
        if not is_classifier(self.final):
            return "regression"
        return "binary" if len(self.labels) == 2 else "multiclass"

    def prepared(self, frame: Any) -> Any:
        """The rows in the form in which the model was fitted: a frame with its names and booleans, or an array without names."""
        if not self.names:
            return frame.to_numpy()
        selected = frame[[feature.name for feature in self.features if feature.name in frame.columns]]
        return selected.astype({name: bool for name in self.boolean if name in selected and not selected[name].isna().any()})

    def encode(self, frame: Any) -> Floats:
        """The rows as the final estimator receives them: dense float64 (n, width)."""
        rows = self.prepared(frame)
        for step in self.before:
            rows = step.transform(rows)
        if hasattr(rows, "toarray"):
            rows = rows.toarray()
        return np.ascontiguousarray(np.asarray(rows), dtype=np.float64)

    def predict(self, frame: Any) -> Floats:
        """The model's own predictions (n, k): probabilities, or margins, or one-hot labels; numbers for regression."""
        rows, estimator = self.prepared(frame), self.estimator
        if self.output == "regression":
            return np.asarray(estimator.predict(rows), dtype=np.float64).reshape(len(frame), -1)
        if hasattr(estimator, "predict_proba"):
            return np.asarray(estimator.predict_proba(rows), dtype=np.float64)
        if hasattr(estimator, "decision_function"):
            return np.asarray(estimator.decision_function(rows), dtype=np.float64).reshape(len(frame), -1)
        labels = np.asarray(estimator.predict(rows))
        return np.stack([labels == label for label in self.labels], axis=1).astype(np.float64)

    def decide(self, frame: Any) -> NDArray[np.int64]:
        """The index (n,) of the class that the estimator's own `predict` gives for each row."""
        decided = np.asarray(self.estimator.predict(self.prepared(frame)))
        index = np.full(len(decided), -1, dtype=np.int64)
        for number, label in enumerate(self.labels):
            index[decided == label] = number
        return index

    @property
    def ties(self) -> Ties:
        """`predict` takes the first of several largest classes; gradient boosting takes the second class at a margin of 0."""
        return "last" if type(self.final) is GradientBoostingClassifier and len(self.labels) == 2 else "first"

    def encoded_names(self) -> tuple[str, ...]:
        """Unique names of the encoded columns: those of the transformers, or x0, x1, ... where they have none."""
        names: Any = np.asarray(self.names or [f"x{number}" for number in range(self.width)], dtype=object)
        try:
            for step in self.before:
                names = step.get_feature_names_out(names)
        except Exception:  # a transformer of the model's own may raise anything here, or have no names at all
            names = [f"x{number}" for number in range(int(getattr(self.final, "n_features_in_", 0)))]
        return _unique([str(name) for name in names])

    def refit(self, rows: Any, target: NDArray[Any], *, without: str | None = None, seed: int = 0) -> Loaded:
        """The model fitted again with a seed on the frame `rows` and the target (n,) (class indices, or float64).

        `without` names a column to leave out. Raises Decline where the model cannot be trained without it.
        """
        column: str | int | None = without
        if without is not None and not self.names:
            column = list(rows.columns).index(without)
        labels = target if self.output == "regression" else np.asarray(self.labels)[np.asarray(target)]
        kept_columns = self._without(rows, without)
        if kept_columns.shape[1] == 0:
            raise Decline(f"no column is left without {without!r}")
        try:
            refitted = fresh_clone(self.estimator, column, seed)
            refitted.fit(kept_columns, labels)
        except ValueError as error:  # scikit-learn raises it for a pipeline that needs the column
            message = str(error).splitlines()[0][:200] if str(error) else "ValueError"
            raise Decline(f"it cannot be trained without {without!r}: {message}") from error
        return loaded(refitted)

    def _without(self, rows: Any, without: str | None) -> Any:
        if not self.names:
            return (rows if without is None else rows.drop(columns=[without])).to_numpy()
        selected = self.prepared(rows)
        if getattr(self.final, "categorical_features", None) == "from_dtype" and not self.before:
            selected = selected.astype({name: "category" for name in self.texts if name in selected})
        return selected if without is None else selected.drop(columns=[without])


def _program(model: Model, classes: tuple[str, ...]) -> tuple[Program | None, str | None]:
    try:
        return lower(model.final, model.encoded_names(), model.output, classes), None
    except CannotLower as reason:
        return None, str(reason)


def _several_targets(final: Any) -> bool:
    if is_classifier(final):
        network = hasattr(final, "out_activation_")  # for a network n_outputs_ is the number of classes
        outputs = 1 if network else getattr(final, "n_outputs_", 1)
        labels = getattr(final, "_label_binarizer", None)
        several = str(getattr(labels, "y_type_", "")).startswith("multilabel")
        return several or isinstance(getattr(final, "classes_", None), list) or outputs > 1
    coef = np.asarray(getattr(final, "coef_", 0))
    return bool(getattr(final, "n_outputs_", 1) > 1 or (coef.ndim == 2 and len(coef) > 1))


def _check(estimator: Any) -> None:
    kind = type(estimator).__name__
    if not hasattr(estimator, "predict"):
        raise Refused(f"model: a {kind} cannot predict; a fitted classifier or regressor is wanted")
    try:
        check_is_fitted(estimator)
    except Exception as error:  # the estimator's own checks may raise anything
        raise Refused(f"model: this {kind} is not fitted") from error
    if _several_targets(_flat(estimator)[1]):
        raise Refused(f"model: this {kind} predicts several targets at once; one is wanted")
    if not (is_classifier(estimator) or is_regressor(estimator)):
        raise Refused(f"model: a {kind} is neither a classifier nor a regressor")


def _single_job(estimator: Any) -> None:
    """Set every n_jobs to 1: sums keep one order, so results repeat, and no process pool starts inside a limited child."""
    parameters = estimator.get_params(deep=True)
    jobs = {name: 1 for name, value in parameters.items() if re.search(r"(^|__)n_jobs$", name) and value is not None}
    if jobs:
        estimator.set_params(**jobs)


def loaded(estimator: Any) -> Loaded:
    """The `Loaded` of a fitted estimator. Raises Refused where it is not fitted, has several targets or cannot predict."""
    if isinstance(estimator, GridSearchCV | RandomizedSearchCV) and hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    _check(estimator)
    _single_job(estimator)
    model = Model(estimator)
    classes = tuple(str(label) for label in model.labels) if is_classifier(estimator) else ()
    program, why_not = _program(model, classes)
    leaves = leaf_function(model.final, program) if program else None
    raw = raw_function(model.final, model.output) if program else None
    return Loaded(
        program=program,
        encode=model.encode if program else None,
        predict=model.predict,
        refit=model.refit,
        features=model.features,
        classes=classes,
        output=model.output,
        family=type(model.final).__name__,
        width=model.width,
        why_not=why_not,
        leaves=leaves,
        raw=raw,
        categories=model.texts,
        decide=model.decide if classes else None,
        ties=model.ties,
    )
