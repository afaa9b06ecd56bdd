"""Registered models: versions, digests, names; estimators and rows from Python as bytes."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from qaudit_formats import sklearn_skops
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from qaudit.errors import Refused
from qaudit.inputs.data import open_source
from qaudit.registry import models as registry
from qaudit.registry.estimators import save_estimator, save_rows


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def files(model=b"model", holdout=b"a,y\n1,0\n"):
    return {"model": ("m.skops", model), "holdout": ("h.csv", holdout)}


def test_the_same_content_gives_the_same_version_and_other_content_the_next():
    assert registry.register("credit", files(), {"target": "y"}, None, "2026-11-01") == "credit@1"
    assert registry.register("credit", files(), {"target": "y"}, None, "2027-01-01") == "credit@1"
    assert registry.register("credit", files(b"other"), {"target": "y"}, None, "2026-11-02") == "credit@2"
    assert registry.register("credit", files(), {"target": "z"}, "credit@1", "2026-11-03") == "credit@3"
    newest, first = registry.resolve("credit"), registry.resolve("credit@1")
    assert (newest.version, newest.parent, newest.options) == (3, "credit@1", {"target": "z"})
    assert (first.id, first.created, first.names["model"]) == ("credit@1", "2026-11-01", "m.skops")
    assert first.files["model"].read_bytes() == b"model"
    assert first.digests["model"] == newest.digests["model"]
    assert [model.id for model in registry.models()] == ["credit@1", "credit@2", "credit@3"]


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", ".hidden", "a..b", "CON", "nul.txt", "x" * 65, "a\x00b", "tab\t", "naïve", "-", "a\n"]
)
def test_names_that_are_no_folder_are_refused(name, home):
    with pytest.raises(Refused, match="model name"):
        registry.register(name, files(), {}, None, "2026-11-01")
    assert not (home / "models").exists()


def test_what_is_not_there_is_refused_with_the_nearest_name():
    with pytest.raises(Refused, match="nothing is registered yet"):
        registry.resolve("credit")
    registry.register("credit", files(), {}, None, "2026-11-01")
    with pytest.raises(Refused, match="did you mean 'credit'"):
        registry.resolve("credti")
    with pytest.raises(Refused, match="credit has no version 7; there is 1"):
        registry.resolve("credit@7")
    with pytest.raises(Refused, match="a version is a number"):
        registry.resolve("credit@latest")
    with pytest.raises(Refused, match="no registered model 'other'"):
        registry.register("credit", files(b"2"), {}, "other@1", "2026-11-01")
    with pytest.raises(Refused, match="no holdout file"):
        registry.register("credit", {"model": ("m", b"m")}, {}, None, "2026-11-01")


def test_an_altered_blob_is_noticed_and_registering_again_repairs_it(home):
    registry.register("credit", files(), {}, None, "2026-11-01")
    blob = registry.resolve("credit").files["model"]
    blob.chmod(0o600)
    blob.write_bytes(b"altered")
    with pytest.raises(Refused, match="is not the one that was registered"):
        registry.resolve("credit")
    registry.register("credit", files(), {}, None, "2026-11-01")
    assert registry.resolve("credit").files["model"].read_bytes() == b"model"


def test_files_are_read_from_paths_and_nothing_is_half_written(tmp_path, home):
    with pytest.raises(Refused, match="no such file"):
        registry.register("credit", files() | {"training": tmp_path / "none.csv"}, {}, None, "2026-11-01")
    assert not (home / "models").exists()
    (tmp_path / "train.csv").write_bytes(b"a,y\n2,1\n")
    registry.register("credit", files() | {"training": tmp_path / "train.csv"}, {}, None, "2026-11-01")
    assert registry.resolve("credit").names["training"] == "train.csv"


def test_the_folder_without_qaudit_home(monkeypatch, tmp_path):
    monkeypatch.delenv("QAUDIT_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert registry.home() == tmp_path / "qaudit"


def fitted(final, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=60), "c": rng.choice(["x", "y"], 60)})
    steps = make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), ["a"]), (OneHotEncoder(), ["c"]))
    return make_pipeline(steps, final).fit(frame, frame["a"] > 0), frame


FINALS = [LogisticRegression(), RandomForestClassifier(4, random_state=0), MLPClassifier((3,), max_iter=5, random_state=0)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("final", FINALS, ids=lambda final: type(final).__name__)
def test_an_estimator_gives_the_same_bytes_twice_and_comes_back(final, tmp_path):
    (first, frame), (second, _) = fitted(final), fitted(type(final)(**final.get_params()))
    data, tier, digest = save_estimator(first)
    assert tier == "checked"
    assert save_estimator(first) == save_estimator(second) == (data, tier, digest)
    path = tmp_path / "m.skops"
    path.write_bytes(data)
    assert sklearn_skops.recognise(path)
    model = sklearn_skops.load(path)
    np.testing.assert_array_equal(model.predict(frame), first.predict_proba(frame))
    again = sklearn_skops.skops.io.load(path, trusted=list(sklearn_skops.REVIEWED))
    assert save_estimator(again)[0] == data


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_process():
    X = np.random.default_rng(0).normal(size=(50, 3))
    model = RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0)
    here = f"{save_estimator(model)[2]} {hashlib.sha256(save_rows(X, X[:, 0] > 0, 'y')).hexdigest()}"
    script = (
        "import hashlib, numpy as np; from sklearn.ensemble import RandomForestClassifier\n"
        "from qaudit.registry.estimators import *\n"
        "X = np.random.default_rng(0).normal(size=(50, 3)); m = RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0)\n"
        "print(save_estimator(m)[2], hashlib.sha256(save_rows(X, X[:, 0] > 0, 'y')).hexdigest())"
    )
    assert os.environ.get("PYTHONHASHSEED") != "77"
    elsewhere = {**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"}
    done = subprocess.run([sys.executable, "-c", script], env=elsewhere, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_what_skops_does_not_read_is_written_by_joblib():
    rows = np.arange(20.0).reshape(10, 2)
    data, tier, _ = save_estimator(KNeighborsClassifier(1).fit(rows, rows[:, 0] > 8))
    assert tier == "code"
    assert data[:1] == b"\x80"
    for wrong in (LogisticRegression, 3, StandardScaler()):
        with pytest.raises(Refused, match="a fitted scikit-learn estimator is wanted"):
            save_estimator(wrong)


def test_rows_keep_kinds(tmp_path):
    frame = pd.DataFrame(
        {"n": [1.5, np.nan], "i": [1, 2], "t": ["x", None], "b": [True, False], "k": pd.Categorical(["u", "v"])}, index=[7, 3]
    )
    path = tmp_path / "rows.parquet"
    path.write_bytes(save_rows(frame, np.asarray([0, 1]), "y"))
    source = open_source(path)
    assert source.names == ("n", "i", "t", "b", "k", "y")
    assert source.texts("t").tolist() == ["x", None]
    assert source.texts("b").tolist() == ["True", "False"]
    assert source.texts("k").tolist() == ["u", "v"]
    assert source.texts("y").tolist() == ["0", "1"]
    np.testing.assert_array_equal(source.numbers("n"), [1.5, np.nan])
    path.write_bytes(save_rows(np.zeros((2, 2)), ["no", "yes"], "y"))
    assert open_source(path).names == ("x0", "x1", "y")


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        (np.zeros((2, 2)), [1], "y: shape"),
        (np.zeros(2), [1, 2], "a table of rows and columns"),
        (pd.DataFrame({"y": [1]}), [1], "has a column 'y'"),
        (pd.DataFrame({0: [1]}), [1], "column names must be text"),
        (pd.DataFrame({"a": [1, "x"]}), [1, 2], "column 'a': mixes int, str"),
    ],
)
def test_rows_that_make_no_table_are_refused(X, y, said):
    with pytest.raises(Refused, match=said):
        save_rows(X, y, "y")


def test_a_card_that_is_no_card_is_refused_in_one_line(home):
    registry.register("credit", files(), {"target": "y"}, None, "2026-11-01")
    path = home / "models" / "credit" / "1.json"
    card = json.loads(path.read_text())
    model = card["files"]["model"]
    assert card == {
        "format": 1,
        "name": "credit",
        "version": 1,
        "parent": None,
        "created": "2026-11-01",
        "options": {"target": "y"},
        "files": {
            "holdout": {"name": "h.csv", "digest": registry.resolve("credit").digests["holdout"], "bytes": 8},
            "model": {"name": "m.skops", "digest": registry.resolve("credit").digests["model"], "bytes": 5},
        },
    }
    for changed, message in [
        ({"format": 2}, "not a card of format 1 for credit@1: format: input should be 1, 2 found"),
        ({"version": True}, "version: input should be a valid integer, True found"),
        ({"files": {"model": model | {"digest": "sha256:../../x"}}}, "files.model.digest: string should match"),
        ({"files": {"model": {"name": "m"}}}, "files.model.digest: is missing"),
        ({"name": "other"}, "not a card for credit@1: it is that of other@1"),
    ]:
        path.write_text(json.dumps(card | changed))
        with pytest.raises(Refused) as refused:
            registry.resolve("credit")
        assert message in str(refused.value)
        assert "\n" not in str(refused.value)
    for text in ("{", "[]", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(Refused, match="credit@1"):
            registry.models()
