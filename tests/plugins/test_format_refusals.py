"""Hostile, foreign and broken files, and what recognises what."""

import functools
import io
import json
import pickle
import zipfile

import joblib
import numpy as np
import pytest
import sklearn
from format_kit import mixed, written
from qaudit_formats import sklearn_pickle, sklearn_skops
from qaudit_formats.skops_check import LOADERS, REVIEWED, nodes
from sklearn.ensemble import (
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from qaudit import Refused
from qaudit.registry import estimators


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


def test_a_class_that_cannot_be_imported_is_explained(tmp_path):
    path = tmp_path / "own.pkl"
    path.write_bytes(b"cbuiltins\nThereIsNoSuchThing\n.")
    with pytest.raises(Refused, match=r"own.pkl: cannot be read .*attribute .*; classes and functions of your own must"):
        sklearn_pickle.load(path)
    path.write_bytes(b"cthere_is_no_such_module\nThing\n.")
    with pytest.raises(Refused, match=r"own.pkl: cannot be read .*; install the package that the model was made with"):
        sklearn_pickle.load(path)


def test_a_random_state_beyond_its_words_is_refused(tmp_path):
    frame, score = mixed()
    drawn = RandomForestClassifier(2, random_state=np.random.RandomState(0)).fit(frame[["a"]], score > 0)
    path = written(drawn, tmp_path)
    assert sklearn_skops.load(path).family == "RandomForestClassifier"

    def wild(schema, members):
        for node in nodes(schema["content"]["content"]["random_state"]):
            if isinstance(node.get("content"), dict) and "pos" in node["content"]:
                node["content"]["pos"]["content"] = "100000"

    with pytest.raises(Refused, match="a random state at position 100000 of 624"):
        sklearn_skops.load(edited(path, wild))


def test_the_writer_and_the_reader_agree_on_what_is_reviewed():
    assert set(REVIEWED) == estimators.REVIEWED
    assert not estimators.UNREADABLE & LOADERS
