"""Real models in skops and pickle files: read, lowered, refused."""

import functools
import io
import json
import pickle
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
from qaudit_formats import sklearn_pickle, sklearn_skops
from qaudit_formats.skops_check import LOADERS, REVIEWED
from scipy.special import expit
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from qaudit import Refused, Trees
from qaudit import estimators as writing

ROWS = 120


def mixed(seed=0):
    """Numbers with holes, text, and a target that depends on both."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.normal(size=ROWS), "c": rng.choice(["x", "y", "z"], ROWS)})
    frame["c"] = frame["c"].astype(object)
    score = frame["a"] + (frame["c"] == "x") + 0.3 * rng.normal(size=ROWS)
    frame.loc[::7, "b"] = np.nan
    return frame, score.to_numpy()


def pipeline(final):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_pipeline(make_column_transformer((numbers, ["a", "b"]), (texts, ["c"])), final)


def written(estimator, folder):
    path = folder / "model.skops"
    skops.io.dump(estimator, path)
    return path


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
    RidgeClassifier(),
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


def edited(path, change, name="bad.skops"):
    """A copy of a skops file with `change(schema, members)` applied."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    schema = json.loads(members.pop("schema.json"))
    change(schema, members)
    bad = path.with_name(name)
    with zipfile.ZipFile(bad, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr("schema.json", json.dumps(schema))
    return bad


@pytest.fixture
def tree_file(tmp_path):
    frame, score = mixed()
    fitted = DecisionTreeClassifier(random_state=0).fit(frame[["a"]].to_numpy(), score > 0)
    return written(fitted, tmp_path)


def _nodes_edited(field, value):
    def change(schema, members):
        for name, data in members.items():
            array = np.load(io.BytesIO(data))
            if array.dtype.names and field in array.dtype.names:
                array[field][0] = value
                buffer = io.BytesIO()
                np.save(buffer, array)
                members[name] = buffer.getvalue()

    return change


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("left_child", 10**9, r"tree 0: node 0: left child 1000000000 of \d+"),
        ("right_child", -5, r"tree 0: node 0: right child -5 of \d+"),
        ("left_child", 0, "node 0: left child 0 of"),
        ("feature", 10**6, "node 0: feature 1000000 of 1"),
    ],
)
def test_a_tree_that_points_outside_is_refused_before_it_is_built(tree_file, field, value, said):
    with pytest.raises(Refused, match=said):
        sklearn_skops.load(edited(tree_file, _nodes_edited(field, value)))


def test_another_version_an_unknown_type_and_a_strange_node_kind_are_refused(tree_file):
    def older(schema, members):
        schema["content"]["content"]["_sklearn_version"]["content"] = '"0.1.2"'

    def stranger(schema, members):
        schema["__class__"], schema["__module__"] = "Popen", "subprocess"

    def method(schema, members):
        schema["__loader__"] = "MethodNode"

    for change, said in ((older, "made by scikit-learn 0.1.2; this is"), (stranger, "subprocess.Popen"), (method, "MethodNode")):
        with pytest.raises(Refused, match=said):
            sklearn_skops.load(edited(tree_file, change))


def test_bombs_are_refused_before_they_are_unpacked(tree_file, tmp_path):
    bomb = tmp_path / "bomb.skops"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 50_000_000)
    with pytest.raises(Refused, match="swells more than 200 times"):
        sklearn_skops.load(bomb)
    deep = tmp_path / "deep.skops"
    with zipfile.ZipFile(deep, "w") as archive:
        archive.writestr("schema.json", b"[" * 200_000)
    with pytest.raises(Refused, match=r"schema.json is missing or not readable"):
        sklearn_skops.load(deep)

    def huge(schema, members):
        name = next(iter(members))
        members[name] = _header_of_7_tib()

    with pytest.raises(Refused, match="promises"):
        sklearn_skops.load(edited(tree_file, huge))


def _header_of_7_tib():
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    return buffer.getvalue()


def test_what_cannot_be_audited_is_refused_in_one_line(tmp_path):
    frame, score = mixed()
    cases = {
        "not fitted": LogisticRegression(),
        "cannot predict": StandardScaler().fit(frame[["a"]]),
        "several targets": LinearRegression().fit(frame[["a"]], np.stack([score, score], axis=1)),
        "several targets at once": DecisionTreeClassifier().fit(frame[["a"]], np.stack([score > 0, score > 1], axis=1)),
        "MethodNode|not among|nobody reviewed": make_pipeline(
            FunctionTransformer(functools.partial(np.clip, a_min=0, a_max=1)), LogisticRegression()
        ),
    }
    for said, estimator in cases.items():
        with pytest.raises(Refused, match=said) as refusal:
            sklearn_skops.load(written(estimator, tmp_path))
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_files_are_known_by_content(compress, tmp_path):
    frame, score = mixed()
    fitted = LogisticRegression().fit(frame[["a"]], score > 0)
    path = tmp_path / "model.csv"
    joblib.dump(fitted, path, compress=compress)
    assert sklearn_pickle.recognise(path)
    assert not sklearn_skops.recognise(path)
    np.testing.assert_array_equal(sklearn_pickle.load(path).predict(frame), fitted.predict_proba(frame[["a"]]))


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_are_known_and_recognising_runs_nothing(protocol, tmp_path):
    marker = tmp_path / "marker"

    class Hostile:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    path = tmp_path / "model.bin"
    path.write_bytes(pickle.dumps(Hostile(), protocol=protocol))
    assert sklearn_pickle.recognise(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"x,y\n", b"{}", b"", b"PAR1rest", b"x\x9cnot zlib", b"\x80"])
def test_other_files_are_no_model(content, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not sklearn_pickle.recognise(path)
    assert not sklearn_skops.recognise(path)


def test_a_pickle_of_another_version_is_refused(tmp_path):
    frame, score = mixed()
    fitted = LogisticRegression().fit(frame[["a"]], score > 0)
    path = tmp_path / "old.pkl"
    path.write_bytes(pickle.dumps(fitted, protocol=2).replace(sklearn.__version__.encode(), b"0.9.9"[: len(sklearn.__version__)]))
    with pytest.raises(Refused, match=r"old.pkl: made by scikit-learn 0.9.9; this is"):
        sklearn_pickle.load(path)


def test_the_writer_and_the_reader_agree_on_what_is_reviewed():
    assert set(REVIEWED) == writing.REVIEWED
    assert not writing.UNREAD & LOADERS
