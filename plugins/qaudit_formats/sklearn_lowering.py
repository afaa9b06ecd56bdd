"""Lowers a fitted scikit-learn estimator to a Program: its own numbers are copied into arrays, nothing is recomputed.

Comparisons are those of scikit-learn: a row goes left where float32(x) <= threshold (float64); `missing_go_to_left` for NaN.
Boosting: learning rate folded into the leaves (the same product that scikit-learn forms), the constant start kept as base.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    HuberRegressor,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from qaudit import Dense, Program, Refused, Trees

Link = Literal["identity", "logistic", "softmax", "ovr", "margin"]
Output = Literal["binary", "multiclass", "regression"]
Shape = tuple[tuple[str, ...], Output, tuple[str, ...]]
"""Encoded names, output, classes."""

LINEAR_REGRESSORS = (
    *(LinearRegression, Ridge, RidgeCV, Lasso, LassoCV, ElasticNet, ElasticNetCV, SGDRegressor, LinearSVR),
    *(BayesianRidge, HuberRegressor, QuantileRegressor),
)
MARGIN_CLASSIFIERS = (RidgeClassifier, RidgeClassifierCV, Perceptron, LinearSVC)
SINGLE_TREES = (DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor)
FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)


class CannotLower(Exception):
    """The model family, or this variant of it, cannot be lowered to a Program; the message is one line of plain text."""


def lower(estimator: Any, inputs: tuple[str, ...], output: Output, classes: tuple[str, ...]) -> Program:
    """The Program of a fitted final estimator. Raises CannotLower, or Refused where a tree points outside itself."""
    shape: Shape = (inputs, output, classes)
    for families, build in BUILDERS:
        if type(estimator) in families:
            return build(estimator, shape)
    raise CannotLower(f"{type(estimator).__name__} has no lowering; it is audited through its own predictions")


def _floats(values: Any) -> NDArray[np.float64]:
    return np.ascontiguousarray(values, dtype=np.float64)


def _dense(coef: Any, intercept: Any) -> Dense:
    weight = np.atleast_2d(_floats(coef))
    return Dense(weight, np.broadcast_to(_floats(intercept).reshape(-1), (len(weight),)).copy())


def _linear(estimator: Any, shape: Shape, link: Link) -> Program:
    inputs, output, classes = shape
    step = _dense(estimator.coef_, estimator.intercept_)
    if step.weight.shape[1] != len(inputs):
        raise Refused(f"{type(estimator).__name__}: {step.weight.shape[1]} coefficients for {len(inputs)} encoded columns")
    return Program(inputs, (step,), link, output, classes)


def _regressor(estimator: Any, shape: Shape) -> Program:
    return _linear(estimator, shape, "identity")


def _logistic(estimator: Any, shape: Shape) -> Program:
    return _linear(estimator, shape, "logistic" if len(shape[2]) == 2 else "softmax")


def _margin(estimator: Any, shape: Shape) -> Program:
    return _linear(estimator, shape, "margin")


def _sgd(estimator: Any, shape: Shape) -> Program:
    if estimator.loss == "log_loss":
        return _linear(estimator, shape, "logistic" if len(shape[2]) == 2 else "ovr")
    if hasattr(estimator, "predict_proba"):
        raise CannotLower(f"SGDClassifier with loss {estimator.loss!r} has no lowering; its own predictions are used")
    return _linear(estimator, shape, "margin")


def _mlp(estimator: Any, shape: Shape) -> Program:
    inputs, output, classes = shape
    last = len(estimator.coefs_) - 1
    steps = tuple(
        Dense(_floats(np.asarray(weight).T), _floats(bias), "identity" if layer == last else estimator.activation)
        for layer, (weight, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    )
    links: dict[str, Link] = {"identity": "identity", "logistic": "logistic", "softmax": "softmax"}
    if estimator.out_activation_ not in links:
        raise CannotLower(f"{type(estimator).__name__}: output activation {estimator.out_activation_!r} has no lowering")
    return Program(inputs, steps, links[estimator.out_activation_], output, classes)


def check_tree(nodes: Any, features: int, what: str) -> None:
    """Raise Refused where a node points outside its tree, backwards, or at a feature that does not exist."""
    left, right = np.asarray(nodes["left_child"]), np.asarray(nodes["right_child"])
    feature, count = np.asarray(nodes["feature"]), len(nodes)
    number = np.arange(count)
    inner = left != -1
    if count == 0:
        raise Refused(f"{what}: a tree without nodes")
    for name, child in (("left", left), ("right", right)):
        wrong = np.flatnonzero(np.where(inner, (child <= number) | (child >= count), child != -1))
        if wrong.size:
            raise Refused(f"{what}: node {wrong[0]}: {name} child {child[wrong[0]]} of {count}")
    wrong = np.flatnonzero(inner & ((feature < 0) | (feature >= features)))
    if wrong.size:
        raise Refused(f"{what}: node {wrong[0]}: feature {feature[wrong[0]]} of {features}")
    parents = np.bincount(np.concatenate([left[inner], right[inner]]), minlength=count)[1:]
    if np.any(parents != 1):
        raise Refused(f"{what}: node {int(np.argmax(parents != 1)) + 1} has {int(parents[parents != 1][0])} parents, not one")


def _ensemble(
    trees: Sequence[Any], features: int, values: Sequence[NDArray[np.float64]], base: Any, **options: Any
) -> tuple[Trees, NDArray[np.int32]]:
    """Several fitted trees as one step with flat arrays, and the index of the root node of each."""
    states = []
    for number, tree in enumerate(trees):
        nodes = tree.__getstate__()["nodes"]
        check_tree(nodes, features, f"tree {number}")
        states.append(nodes)
    roots = np.concatenate([[0], np.cumsum([len(nodes) for nodes in states])[:-1]]).astype(np.int32)
    left = np.concatenate([np.where(n["left_child"] < 0, -1, n["left_child"] + r) for n, r in zip(states, roots, strict=True)])
    right = np.concatenate([np.where(n["left_child"] < 0, -1, n["right_child"] + r) for n, r in zip(states, roots, strict=True)])
    inner = left >= 0
    flat = np.concatenate(states)
    step = Trees(
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        feature=np.where(inner, flat["feature"], -2).astype(np.int32),
        threshold=np.where(inner, flat["threshold"], 0.0),
        value=_floats(np.concatenate(values)),
        roots=roots,
        base=_floats(base),
        missing_left=flat["missing_go_to_left"].astype(bool),
        **options,
    )
    return step, roots


def _forest(estimator: Any, shape: Shape) -> Program:
    inputs, output, classes = shape
    members = [estimator] if type(estimator) in SINGLE_TREES else list(estimator.estimators_)
    outputs = len(classes) if classes else 1
    values = [_floats(member.tree_.value[:, 0, :outputs]) for member in members]
    step, _ = _ensemble([m.tree_ for m in members], len(inputs), values, np.zeros(outputs), aggregate="mean")
    return Program(inputs, (step,), "identity", output, classes)


def _boosting(estimator: Any, shape: Shape) -> Program:
    inputs, output, classes = shape
    if not (isinstance(estimator.init_, str) or type(estimator.init_).__module__ == "sklearn.dummy"):
        raise CannotLower(f"{type(estimator).__name__} started from another estimator (init) has no lowering")
    base = estimator._raw_predict_init(np.zeros((1, len(inputs)), dtype=np.float32))[0]
    stages, outputs = estimator.estimators_.shape
    members = [member.tree_ for stage in estimator.estimators_ for member in stage]
    values = [_floats(estimator.learning_rate * tree.value[:, 0, :1]) for tree in members]
    column = np.tile(np.arange(outputs, dtype=np.int32), stages)
    step, _ = _ensemble(members, len(inputs), values, base, aggregate="sum", column=column)
    link: Link = "identity" if output == "regression" else "logistic" if outputs == 1 else "softmax"
    scale = 2.0 if getattr(estimator, "loss", "") == "exponential" else 1.0
    return Program(inputs, (step,), link, output, classes, scale)


Builder = Callable[[Any, Shape], Program]
BUILDERS: tuple[tuple[tuple[type, ...], Builder], ...] = (
    (LINEAR_REGRESSORS, _regressor),
    ((LogisticRegression, LogisticRegressionCV), _logistic),
    (MARGIN_CLASSIFIERS, _margin),
    ((SGDClassifier,), _sgd),
    ((MLPClassifier, MLPRegressor), _mlp),
    (SINGLE_TREES + FORESTS, _forest),
    ((GradientBoostingClassifier, GradientBoostingRegressor), _boosting),
)


def leaf_function(estimator: Any, program: Program) -> Callable[[NDArray[np.float64]], NDArray[np.int32]] | None:
    """A function: encoded rows -> flat node numbers (n, trees) of the leaves that scikit-learn reaches; None without trees."""
    step = program.steps[0]
    if not isinstance(step, Trees):
        return None

    def leaves(encoded: NDArray[np.float64]) -> NDArray[np.int32]:
        reached = np.asarray(_without_name_warning(estimator.apply)(encoded)).reshape(len(encoded), -1)
        return (reached + step.roots).astype(np.int32)

    return leaves


def raw_function(estimator: Any, output: Output) -> Callable[[NDArray[np.float64]], NDArray[np.float64]] | None:
    """A function: encoded rows -> the model's own margins (n, k) before the link, or a regressor's predictions.

    None where the model has no margins.
    """
    if output == "regression":
        function = estimator.predict
    elif hasattr(estimator, "decision_function"):
        function = estimator.decision_function
    elif type(estimator) in SINGLE_TREES + FORESTS:
        function = estimator.predict_proba
    else:
        return None
    without_warning = _without_name_warning(function)
    return lambda encoded: _floats(without_warning(encoded)).reshape(len(encoded), -1)


def _without_name_warning(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function without scikit-learn's warning about missing column names: encoded rows have none on purpose."""

    def quiet(encoded: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return function(encoded)

    return quiet
