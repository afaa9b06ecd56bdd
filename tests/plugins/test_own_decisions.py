"""The oracle of the decision: on every row the class that the fitted estimator's own `predict` gives, ties included."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from qaudit_formats.sklearn_loaded import loaded
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from qaudit.core.decision import Decision
from qaudit.pipeline.stages.load_proof import own_decisions

ROWS = 400


def voting(how: str) -> VotingClassifier:
    members = [("tree", DecisionTreeClassifier(max_depth=2)), ("neighbours", KNeighborsClassifier(2)), ("bayes", GaussianNB())]
    return VotingClassifier(members, voting=how)


FAMILIES: dict[str, Callable[[], Any]] = {
    "forest": lambda: RandomForestClassifier(10, random_state=0),
    "extra trees": lambda: ExtraTreesClassifier(10, random_state=0),
    "tree": lambda: DecisionTreeClassifier(max_depth=3),
    "bagging": lambda: BaggingClassifier(n_estimators=4, random_state=0),
    "neighbours": lambda: KNeighborsClassifier(2),
    "neighbours by distance": lambda: KNeighborsClassifier(4, weights="distance"),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "network": lambda: MLPClassifier((4,), max_iter=30, random_state=0),
    "logistic": lambda: LogisticRegression(),
    "SGD, log loss": lambda: make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)),
    "SGD, hinge": lambda: SGDClassifier(random_state=0),
    "linear SVC": lambda: LinearSVC(),
    "ridge": lambda: RidgeClassifier(),
    "naive Bayes": lambda: GaussianNB(),
    "discriminant": lambda: LinearDiscriminantAnalysis(),
    "AdaBoost": lambda: AdaBoostClassifier(n_estimators=5, random_state=0),
    "voting, soft": lambda: voting("soft"),
    "voting, hard": lambda: voting("hard"),
    "SVC": lambda: SVC(),
    "prior": lambda: DummyClassifier(strategy="prior"),
}


def data(classes: int, seed: int = 5) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Whole numbers, so that distances and scores coincide and classes tie; as many rows of each class."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 12, size=(ROWS, 3)).astype(np.float64)
    score = rows[:, 0] - rows[:, 1] + rng.normal(scale=4, size=ROWS)
    return pd.DataFrame(rows, columns=["a", "b", "c"]), np.argsort(np.argsort(score)) * classes // ROWS


def fitted(family: str, classes: int) -> tuple[Any, pd.DataFrame]:
    """The estimator, and rows that it has not met: on its own a forest is seldom undecided."""
    rows, target = data(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network of 30 rounds has not converged
        return FAMILIES[family]().fit(rows, target), data(classes, 6)[0]


def tied(predictions: NDArray[np.float64]) -> int:
    if predictions.shape[1] == 1:
        return int((predictions == 0).sum())
    top = np.sort(predictions, axis=1)
    return int((top[:, -1] == top[:, -2]).sum())


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_decision_is_the_class_that_predict_gives(family: str, classes: int) -> None:
    estimator, rows = fitted(family, classes)
    model = loaded(estimator)
    native = np.asarray(model.predict(rows))
    expected = np.searchsorted(estimator.classes_, estimator.predict(rows))
    assert model.decide is not None
    np.testing.assert_array_equal(model.decide(rows), expected)
    for positive in range(2 if model.output == "binary" else 1):
        decision = Decision(model.output, positive, ties=model.ties)
        np.testing.assert_array_equal(decision(native), expected)
        told, otherwise = own_decisions(decision, native, model.decide(rows), model.classes)
        assert otherwise == 0
        assert told.endswith(f"The model's own predict decides the same on all {ROWS} holdout rows.")


@pytest.mark.parametrize("family", ["forest", "extra trees", "neighbours", "prior"])
def test_the_rows_have_ties_on_which_the_old_rule_was_another(family: str) -> None:
    """Without ties the oracle above would say little: a half-and-half row was decided for a positive second class."""
    estimator, rows = fitted(family, 2)
    native = np.asarray(loaded(estimator).predict(rows))
    at_half = Decision("binary", 1, cutoff=0.5)(native)
    assert tied(native) > 10
    assert (at_half != Decision("binary", 1)(native)).sum() == tied(native)


def test_gradient_boosting_takes_the_second_class_at_a_margin_of_zero() -> None:
    rows = pd.DataFrame({"a": [0.0, 0.0, 1.0, 1.0]})
    estimator = GradientBoostingClassifier(n_estimators=1).fit(rows, [0, 1, 0, 1])
    model = loaded(estimator)
    native = np.asarray(model.predict(rows))
    assert native.tolist() == [[0.5, 0.5]] * 4
    assert model.ties == "last"
    assert estimator.predict(rows).tolist() == [1, 1, 1, 1]
    assert Decision("binary", ties=model.ties)(native).tolist() == [1, 1, 1, 1]  # type: ignore[union-attr]
    assert own_decisions(Decision("binary", ties="first"), native, model.decide(rows), ("0", "1"))[1] == 4  # type: ignore[misc]


def test_rows_that_an_svc_decides_against_its_probabilities_are_counted() -> None:
    """Probabilities of an SVC come from a second fit with cross-validation; its `predict` takes the sign of its margin."""
    rows, target = data(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn advises against `probability`
        estimator = SVC(probability=True, random_state=0).fit(rows, target)
    model = loaded(estimator)
    native = np.asarray(model.predict(rows))
    other = np.flatnonzero(estimator.predict(rows) != native.argmax(axis=1))
    told, otherwise = own_decisions(Decision("binary", ties=model.ties), native, model.decide(rows), model.classes)  # type: ignore[misc]
    assert otherwise == len(other) > 0
    assert told.endswith(
        f"The model's own predict decides otherwise on {len(other)} of {ROWS} holdout rows (first: row {other[0] + 1}): "
        "it does not follow its own probabilities there."
    )


def test_rows_on_which_one_against_the_rest_saturates_are_counted() -> None:
    """Probabilities of 1 for two classes at once are equal halves, while `predict` still tells the margins behind them apart."""
    rows, target = data(3)
    estimator = SGDClassifier(loss="log_loss", random_state=0).fit(rows, target)
    model = loaded(estimator)
    native = np.asarray(model.predict(rows))
    decision = Decision("multiclass", ties=model.ties)
    other = np.flatnonzero(estimator.predict(rows) != decision(native))
    assert len(other) > 0
    assert decision.distance(native)[other].max() < 1e-9
    assert own_decisions(decision, native, model.decide(rows), model.classes)[1] == len(other)  # type: ignore[misc]


def test_a_regression_decides_nothing() -> None:
    rows, target = data(3)
    assert loaded(LinearRegression().fit(rows, target)).decide is None
