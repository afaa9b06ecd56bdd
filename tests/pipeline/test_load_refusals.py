"""Bad input to the load stage: one line each; and what is not refused."""

import dataclasses
import hashlib
import pickle

import joblib
import pandas as pd
import pytest
import skops.io
from load_kit import NUMBERS, TEXTS, load_here
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from qaudit.errors import Refused
from qaudit.pipeline.stages.load import LoadRequest


def test_pickles_need_trust_by_digest_and_nothing_of_them_runs_without(credit, tmp_path):
    request = credit(LogisticRegression(max_iter=500))
    marker = tmp_path / "marker"

    class Hostile:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    path = tmp_path / "model.skops.csv"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(Refused, match=r"model.skops.csv: .*can run code.*pass --trust sha256:[0-9a-f]{64}"):
        load_here(dataclasses.replace(request, model=path))
    assert not marker.exists()
    joblib.dump(skops.io.load(request.model, trusted=["numpy.dtype"]), path)
    with pytest.raises(Refused, match="--trust sha256:") as refusal:
        load_here(dataclasses.replace(request, model=path))
    digest = str(refusal.value).rpartition("--trust ")[2]
    subject = load_here(dataclasses.replace(request, model=path, trust={digest}))
    assert (subject.tier, subject.digest) == ("code", digest)
    assert subject.report["subject"]["loaded_by"] == "loaded by executing code in the file, trusted by digest"


def test_a_category_that_the_encoder_refuses_is_named(credit):
    strict = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    request = credit(LogisticRegression(max_iter=500), texts=strict)
    lines = request.holdout.read_text().splitlines()
    place = lines[0].split(",").index("selfemp")
    cells = lines[31].split(",")
    cells[place] = "perhaps"
    request.holdout.write_text("\n".join([*lines[:31], ",".join(cells), *lines[32:]]) + "\n")
    with pytest.raises(Refused, match=r"holdout\.csv: column 'selfemp', row 31: the model does not take 'perhaps'"):
        load_here(request)
    taken = load_here(dataclasses.replace(credit(LogisticRegression(max_iter=500)), holdout=_with(request.holdout, lines, cells)))
    assert [(row.value, dict(row.about)) for row in taken.evidence if row.measure == "unseen_categories"] == [
        (1.0, {"feature": "selfemp"})
    ]
    assert any("'selfemp': 1 holdout rows" in note for note in taken.report["data"]["notes"])


def test_a_category_that_every_row_has_is_still_named(credit, tmp_path):
    strict = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    request = credit(LogisticRegression(max_iter=500), texts=strict)
    rows = pd.read_csv(request.holdout).assign(hschool="some").to_csv(index=False)
    request.holdout.write_text(rows)
    with pytest.raises(Refused, match=r"holdout\.csv: column 'hschool', row 1: the model does not take 'some'"):
        load_here(request)


def test_a_missing_value_that_no_step_takes_is_named(credit, hmda, tmp_path):
    request = credit(LogisticRegression(max_iter=500))
    skops.io.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(hmda[NUMBERS], hmda["deny"]), tmp_path / "m.skops")
    with pytest.raises(Refused, match=r"holdout\.csv: column 'lvrat', row 1: the model does not take a missing value"):
        load_here(dataclasses.replace(request, model=tmp_path / "m.skops"))


@pytest.mark.parametrize(
    "final", [GradientBoostingClassifier(n_estimators=3, init="zero"), GridSearchCV(Ridge(), {"alpha": [1, 2]})]
)
def test_other_shapes_of_pipelines_are_lowered(final, hmda, tmp_path):
    union = FeatureUnion([("best", SelectKBest(k=3)), ("scaled", StandardScaler())])
    steps = make_column_transformer((OneHotEncoder(sparse_output=False), TEXTS), remainder="passthrough")
    target = hmda["deny"] if isinstance(final, GradientBoostingClassifier) else hmda["pirat"]
    before = make_pipeline(steps.set_output(transform="pandas"), union) if target.name == "deny" else steps
    rows = hmda[[*TEXTS, *NUMBERS[1:]]].iloc[:300]
    fitted = make_pipeline(before, final).fit(rows, target.iloc[:300])
    path = tmp_path / "m.joblib"
    joblib.dump(fitted, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rows.assign(**{target.name: target}).to_csv(tmp_path / "h.csv", index=False)
    positive = "yes" if target.name == "deny" else None
    subject = load_here(LoadRequest(path, tmp_path / "h.csv", target.name, positive=positive, trust={digest}))
    assert subject.program is not None
    assert len(subject.features) == rows.shape[1]


def _with(path, lines, cells):
    other = path.with_name("taken.csv")
    other.write_text("\n".join([*lines[:31], ",".join(cells), *lines[32:]]) + "\n")
    return other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": "denied"}, r"holdout.csv: target: no column 'denied'; did you mean 'deny'"),
        ({"target": "pirat"}, "target 'pirat' is also an input of the model"),
        ({"target": "afam", "groups": ()}, None),
        (
            {"target": "insurance", "types": {"lvratt": "number"}},
            r"\[data.types\] of holdout.csv: no column 'lvratt'; did you mean 'lvrat'",
        ),
        ({"groups": ("race",)}, "holdout.csv: group: no column 'race'"),
        ({"cutoff": 1.5}, "cutoff = 1.5: a probability"),
        ({"target": "unemp", "groups": ()}, "also an input"),
        ({"training": "holdout"}, "holdout and training are the same file"),
        ({"types": {"phist": "number"}}, r"holdout.csv: column 'phist', row 2 \(line 3\): 'no' is not a number"),
        ({"training": None, "calibration_share": 0.0001}, "sets 0 of 200 rows apart"),
    ],
)
def test_refusals_are_one_line(credit, change, said):
    request = credit(LogisticRegression(max_iter=500))
    change = {key: request.holdout if value == "holdout" else value for key, value in change.items()}
    wanted = dataclasses.replace(request, **change)
    if said is None:  # the same labels in another column: no mistake that a program could see
        assert load_here(wanted).report["subject"]["target"] == "afam"
        return
    with pytest.raises(Refused, match=said) as refusal:
        load_here(wanted)
    assert "\n" not in str(refusal.value)


def test_labels_that_the_model_does_not_know_and_roles_that_coincide(credit, tmp_path):
    request = credit(LogisticRegression(max_iter=500))
    text = request.holdout.read_text()
    (tmp_path / "odd.csv").write_text(text.replace("\nno,", "\nmaybe,", 1))
    with pytest.raises(
        Refused, match=r"odd.csv: column 'deny', row \d+ \(line \d+\): label 'maybe', 1 such rows; .*classes are no, yes"
    ):
        load_here(dataclasses.replace(request, holdout=tmp_path / "odd.csv"))
    lines = request.training.read_text().splitlines()
    (tmp_path / "inside.csv").write_text("\n".join([lines[0], *lines[1:81], *text.splitlines()[1:41]]) + "\n")
    with pytest.raises(Refused, match=r"holdout \(inside.csv\) and training \(train.csv\) share \d+ of 120 rows"):
        load_here(dataclasses.replace(request, holdout=tmp_path / "inside.csv"))


def test_a_file_of_no_format_and_a_broken_one(credit, tmp_path):
    request = credit(LogisticRegression(max_iter=500))
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(
        Refused, match=r"readme.txt: no model format recognises this file \(tried: sklearn_pickle, sklearn_skops\)"
    ):
        load_here(dataclasses.replace(request, model=tmp_path / "readme.txt"))
    (tmp_path / "cut.skops").write_bytes(request.model.read_bytes()[:5000])
    with pytest.raises(Refused, match=r"cut\.skops"):
        load_here(dataclasses.replace(request, model=tmp_path / "cut.skops"))


@pytest.mark.parametrize("rows", [1, 5])
def test_one_row_or_one_class_is_loaded(credit, rows):
    request = credit(LogisticRegression(max_iter=500))
    frame = pd.read_csv(request.holdout)
    frame[frame["deny"] == "no"].head(rows).to_csv(request.holdout, index=False)
    subject = load_here(request)
    assert subject.tables["holdout"].rows == rows
    assert [part["rows"] for part in subject.report["data"]["target"]] == [rows, 0]
