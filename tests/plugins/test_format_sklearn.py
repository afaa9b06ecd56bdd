"""Real models: read, lowered, trained again."""

import joblib
import numpy as np
import pandas as pd
import pytest
from format_kit import ROWS, mixed, pipeline, written
from marks import first_fast
from qaudit_formats import sklearn_pickle, sklearn_skops
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
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
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from qaudit import Decline, Trees


def plain(program, encoded):
    """The slow twin of a Program: one row, one node, one weight at a time."""
    return np.asarray([_plain_row(program, row) for row in encoded])


def _plain_row(program, row):
    values = [float(value) for value in row]
    for step in program.steps:
        values = _plain_trees(step, values) if isinstance(step, Trees) else _plain_dense(step, values)
    raw = np.asarray(values) * program.link_scale
    if program.link == "logistic":
        return np.asarray([1 - expit(raw[0]), expit(raw[0])])
    if program.link == "softmax":
        return np.exp(raw - raw.max()) / np.exp(raw - raw.max()).sum()
    return expit(raw) / expit(raw).sum() if program.link == "ovr" else raw


def _plain_dense(step, values):
    act = {"identity": lambda v: v, "relu": lambda v: max(v, 0.0), "tanh": np.tanh, "logistic": expit}[step.activation]
    return [act(sum(w * x for w, x in zip(ws, values, strict=True)) + b) for ws, b in zip(step.weight, step.bias, strict=True)]


def _plain_trees(step, values):
    total = step.base.copy()
    for number, node in enumerate(step.roots):
        while step.left[node] >= 0:
            value = np.float32(values[step.feature[node]])
            left = step.missing_left[node] if np.isnan(value) else value <= step.threshold[node]
            node = step.left[node] if left else step.right[node]
        if step.column is None:
            total += step.value[node]
        else:
            total[step.column[number]] += step.value[node, 0]
    return list(total / len(step.roots) if step.aggregate == "mean" else total)


CLASSIFIERS = [
    LogisticRegression(),
    LogisticRegressionCV(Cs=2, cv=3),
    RidgeClassifier(),
    RidgeClassifierCV(),
    Perceptron(random_state=0),
    LinearSVC(),
    SGDClassifier(random_state=0),
    SGDClassifier(loss="log_loss", random_state=0),
    *[MLPClassifier((5,), activation=a, max_iter=20, random_state=0) for a in ("identity", "logistic", "tanh", "relu")],
    DecisionTreeClassifier(random_state=0),
    RandomForestClassifier(5, random_state=0),
    ExtraTreesClassifier(5, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
]
REGRESSORS = [
    LinearRegression(),
    Ridge(),
    ElasticNet(0.1),
    RidgeCV(),
    BayesianRidge(),
    HuberRegressor(),
    QuantileRegressor(alpha=0.01),
    *[
        MLPRegressor(hidden_layer_sizes=(5,), activation=a, max_iter=20, random_state=0)
        for a in ("identity", "logistic", "tanh", "relu")
    ],
    DecisionTreeRegressor(random_state=0),
    RandomForestRegressor(5, random_state=0),
    ExtraTreesRegressor(5, random_state=0),
    *[GradientBoostingRegressor(n_estimators=5, loss=loss, random_state=0) for loss in ("squared_error", "huber", "quantile")],
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("final", CLASSIFIERS, ids=str)
def test_a_classifier_of_text_labels_is_its_program(final, classes, tmp_path):
    frame, score = mixed()
    labels = np.asarray(["low", "mid", "top"])[np.digitize(score, [0.3] if classes == 2 else [0.0, 0.8])]
    model = sklearn_skops.load(written(pipeline(final).fit(frame, labels), tmp_path))
    assert model.classes == ("low", "mid", "top")[:classes]
    assert model.output == ("binary" if classes == 2 else "multiclass")
    encoded = model.encode(frame)
    np.testing.assert_allclose(plain(model.program, encoded), model.predict(frame), rtol=1e-12, atol=1e-14)
    assert model.program.inputs[-3:] == tuple(f"pipeline-2__c_{value}" for value in "xyz")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("final", REGRESSORS, ids=str)
def test_a_regressor_is_its_program(final, tmp_path):
    frame, score = mixed()
    model = sklearn_skops.load(written(pipeline(final).fit(frame, score), tmp_path))
    assert (model.output, model.classes) == ("regression", ())
    np.testing.assert_allclose(plain(model.program, model.encode(frame)), model.predict(frame), rtol=1e-12, atol=1e-13)


def test_exponential_loss_doubles_the_margin(tmp_path):
    frame, score = mixed()
    fitted = pipeline(GradientBoostingClassifier(n_estimators=5, loss="exponential", random_state=0)).fit(frame, score > 0)
    model = sklearn_skops.load(written(fitted, tmp_path))
    assert model.program.link_scale == 2.0
    assert model.classes == ("False", "True")
    np.testing.assert_allclose(plain(model.program, model.encode(frame)), model.predict(frame), atol=1e-15)


def test_leaves_are_the_models_own_flat_nodes(tmp_path):
    frame, score = mixed()
    model = sklearn_skops.load(written(pipeline(RandomForestClassifier(3, random_state=0)).fit(frame, score > 0), tmp_path))
    leaves = model.leaves(model.encode(frame))
    step = model.program.steps[0]
    assert leaves.shape == (ROWS, 3)
    assert (step.left[leaves] == -1).all()
    np.testing.assert_array_equal(step.value[leaves].sum(axis=1) / 3, model.predict(frame))


def test_features_say_kind_and_whether_missing_values_are_taken(tmp_path):
    frame, score = mixed()
    frame["flag"] = score > 0.5
    frame["code"] = np.arange(ROWS) % 3
    frame["unused"] = "text"
    steps = make_column_transformer(
        (make_pipeline(StandardScaler(), SimpleImputer()), ["a", "b"]),
        (OneHotEncoder(), ["c", "flag"]),
        (OrdinalEncoder(), ["code"]),
    )
    model = sklearn_skops.load(written(make_pipeline(steps, LogisticRegression()).fit(frame, score > 0), tmp_path))
    said = {feature.name: (feature.kind, feature.takes_missing) for feature in model.features}
    assert said == {
        "a": ("number", True),
        "b": ("number", True),
        "c": ("text", False),
        "flag": ("number", False),
        "code": ("number", False),
    }
    assert model.categories == {"c": ("x", "y", "z")}
    given = frame[list(said)].astype({"flag": float, "code": float})
    np.testing.assert_array_equal(model.predict(given), model.predict(frame))


def _around(name):
    """Estimators around pipelines on mixed columns, and boosting that reads categories itself."""
    ready = pipeline(LogisticRegression())
    if name == "calibrated":
        return CalibratedClassifierCV(ready, cv=3)
    if name in ("voting", "stacking"):
        several = [("a", ready), ("b", pipeline(DecisionTreeClassifier(max_depth=2)))]
        return VotingClassifier(several, voting="soft") if name == "voting" else StackingClassifier(several, cv=3)
    return HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")


@pytest.mark.parametrize("name", ["calibrated", "voting", "stacking", "boosting"])
def test_an_estimator_around_others_says_the_kinds_of_its_columns(name, tmp_path):
    frame, score = mixed()
    given = frame.astype({"c": "category"}) if name == "boosting" else frame
    fitted = _around(name).fit(given, score > 0.3)
    joblib.dump(fitted, tmp_path / "model.joblib")
    model = sklearn_pickle.load(tmp_path / "model.joblib")
    assert model.program is None
    assert {feature.name: feature.kind for feature in model.features} == {"a": "number", "b": "number", "c": "text"}
    np.testing.assert_array_equal(model.predict(frame), fitted.predict_proba(given))


def test_a_model_fitted_on_arrays_takes_columns_in_order(tmp_path):
    frame, score = mixed()
    values = frame[["a", "b"]].fillna(0).to_numpy()
    model = sklearn_skops.load(written(DecisionTreeClassifier(max_depth=3).fit(values, (score > 0).astype(int)), tmp_path))
    assert (model.features, model.width, model.classes) == ((), 2, ("0", "1"))
    np.testing.assert_array_equal(
        model.predict(pd.DataFrame(values)), DecisionTreeClassifier.predict_proba(_fitted(values, score), values)
    )


def _fitted(values, score):
    return DecisionTreeClassifier(max_depth=3).fit(values, (score > 0).astype(int))


@pytest.mark.parametrize("final", [SVC(), KNeighborsClassifier()], ids=str)
def test_a_family_without_lowering_still_predicts(final, tmp_path):
    frame, score = mixed()
    path = tmp_path / "model.joblib"
    joblib.dump(pipeline(final).fit(frame, score > 0), path)
    model = sklearn_pickle.load(path)
    assert model.program is None
    assert model.why_not.startswith(type(final).__name__)
    assert len(model.predict(frame)) == ROWS


@pytest.mark.parametrize("how", ["names", "selector", "slice"])
def test_a_refit_leaves_the_column_out_of_every_list(how, tmp_path):
    frame, score = mixed()
    frame = frame.astype({"c": object})
    chosen = {
        "names": (["a", "b"], ["c"]),
        "selector": (make_column_selector(dtype_include="number"), ["c"]),
        "slice": (slice(0, 2), [2]),
    }
    numbers, texts = chosen[how]
    steps = make_column_transformer((SimpleImputer(), numbers), (OneHotEncoder(), texts))
    forest = RandomForestClassifier(4, random_state=7)
    model = sklearn_skops.load(written(make_pipeline(steps, forest).fit(frame, score > 0), tmp_path))
    target = (score > 0).astype(int)
    without = model.refit(frame, target, without="c", seed=1)
    assert [feature.name for feature in without.features] == ["a", "b"]
    again = model.refit(frame, target, without="b", seed=1)
    assert [feature.name for feature in again.features] == ["a", "c"]
    by_hand = make_pipeline(
        make_column_transformer((SimpleImputer(), ["a"]), (OneHotEncoder(), ["c"])), forest.set_params(random_state=1)
    )
    by_hand.fit(frame[["a", "c"]], score > 0)
    np.testing.assert_array_equal(again.predict(frame[["a", "c"]]), by_hand.predict_proba(frame[["a", "c"]]))
    assert not np.array_equal(again.predict(frame), model.refit(frame, target, without="b", seed=2).predict(frame))


def test_a_refit_of_categories_written_by_the_author_and_of_plain_arrays(tmp_path):
    frame, score = mixed()
    frame["d"] = frame["c"]
    steps = make_column_transformer((OneHotEncoder(categories=[["x", "y", "z"], ["z", "y", "x"]]), ["c", "d"]))
    model = sklearn_skops.load(written(make_pipeline(steps, LogisticRegression()).fit(frame, score > 0), tmp_path))
    assert model.refit(frame, (score > 0).astype(int), without="c", seed=0).program.inputs == tuple(
        f"onehotencoder__d_{v}" for v in "zyx"
    )
    values = pd.DataFrame(frame[["a", "b"]].fillna(0).to_numpy(), columns=["x0", "x1"])
    plain_model = sklearn_skops.load(written(LogisticRegression().fit(values.to_numpy(), score > 0), tmp_path))
    again = plain_model.refit(values, (score > 0).astype(int), without="x1", seed=0)
    expected = LogisticRegression().fit(values[["x0"]].to_numpy(), score > 0).predict_proba(values[["x0"]].to_numpy())
    np.testing.assert_array_equal(again.predict(values[["x0"]]), expected)


@pytest.mark.parametrize("name", first_fast(["calibrated", "voting", "stacking", "boosting"]))
def test_an_estimator_around_others_is_trained_again_without_a_column(name, tmp_path):
    frame, score = mixed()
    given = frame.astype({"c": "category"}) if name == "boosting" else frame
    joblib.dump(_around(name).fit(given, score > 0.3), tmp_path / "model.joblib")
    again = sklearn_pickle.load(tmp_path / "model.joblib").refit(frame, (score > 0.3).astype(int), without="c", seed=1)
    own = _around(name)
    for key, value in own.get_params(deep=True).items():
        if value is None and key.endswith("random_state"):
            own.set_params(**{key: 1})
    texts = "columntransformer__transformers"
    dropped = {key: value[:1] for key, value in own.get_params(deep=True).items() if key.endswith(texts)}
    own.set_params(**dropped).fit(frame.drop(columns="c"), score > 0.3)
    np.testing.assert_array_equal(again.predict(frame.drop(columns="c")), own.predict_proba(frame.drop(columns="c")))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (LogisticRegression(), "no column is left without 'a'"),
        (make_pipeline(SimpleImputer(), PCA(2), LogisticRegression()), "it cannot be trained without 'a': n_components=2"),
    ],
    ids=["one column", "two components"],
)
def test_a_refit_that_needs_the_column_declines(model, said, tmp_path):
    frame, score = mixed()
    rows = frame[["a"] if "no column" in said else ["a", "b"]]
    read = sklearn_skops.load(written(model.fit(rows, score > 0.3), tmp_path))
    with pytest.raises(Decline, match=said):
        read.refit(rows, (score > 0.3).astype(int), without="a")
