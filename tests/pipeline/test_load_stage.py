"""The load stage on real models and rows: roles, labels, decisions, proof, refits."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import skops.io
from hosting import hooks_for
from load_kit import FORMATS, NUMBERS, load_here, run_here
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from qaudit.core.decision import Decision
from qaudit.core.evidence import canonical_json
from qaudit.core.program import Program
from qaudit.core.steps import Dense
from qaudit.engine import sweep
from qaudit.errors import Refused
from qaudit.pipeline.stages.load import LoadRequest, load
from qaudit.pipeline.stages.load_proof import prove
from qaudit.pipeline.stages.refits import refits


def test_a_credit_pipeline_in_real_children(credit, hmda):
    request = credit(LogisticRegression(max_iter=500))
    subject = load(request, hooks_for(FORMATS))
    assert (subject.format.name, subject.tier, subject.family) == ("sklearn_skops", "checked", "LogisticRegression")
    assert subject.decision == Decision("binary", 1, 0.15)
    assert subject.model != request.model
    assert subject.model.parent.stat().st_mode & 0o777 == 0o700
    holdout = pd.read_csv(request.holdout)
    fitted = skops.io.load(request.model, trusted=["numpy.dtype"])
    np.testing.assert_array_equal(subject.native["holdout"], fitted.predict_proba(holdout))
    ours = sweep.predict(subject.program, subject.encoded["holdout"])
    np.testing.assert_allclose(ours, subject.native["holdout"], atol=1e-14)
    np.testing.assert_array_equal(subject.target["holdout"], (holdout["deny"] == "yes").astype(int))
    assert subject.groups["afam"].tolist() == holdout["afam"].tolist()
    assert subject.tables["calibration"].rows == 800
    said = subject.report["subject"]
    assert said["lowering"]["proved"]
    assert said["cutoff_source"] == said["positive_source"] == "declared"
    columns = {column["name"]: column for column in subject.report["data"]["columns"]}
    assert (columns["lvrat"]["missing"], columns["phist"]["missing"]) == (23, 19)
    assert columns["phist"]["kind"] == "text"
    canonical_json(subject.report)
    rows = {(row.measure, *row.about.values()): row.value for row in subject.evidence}
    assert rows["missing", "lvrat"] == 23
    assert rows["overlap_rows", "holdout and training"] == subject.report["data"]["overlap"][0]["rows"]


def test_loading_twice_gives_the_same(credit):
    request = credit(RandomForestClassifier(5, random_state=0))
    first, second = load_here(request), load_here(request, list(reversed(FORMATS)))
    assert canonical_json(first.report) == canonical_json(second.report)
    np.testing.assert_array_equal(first.tables["calibration"].columns["pirat"], second.tables["calibration"].columns["pirat"])
    assert "bit for bit" in first.report["subject"]["lowering"]["statement"]


def test_positive_may_be_the_first_class(credit):
    subject = load_here(credit(LogisticRegression(max_iter=500), positive="no", cutoff=0.8))
    assert subject.decision == Decision("binary", 0, 0.8)
    decided = subject.decision(subject.native["holdout"])
    np.testing.assert_array_equal(decided == 0, subject.native["holdout"][:, 0] >= 0.8)


def test_the_positive_class_is_named_or_says_itself_which_is_larger(credit, tmp_path, hmda):
    with pytest.raises(Refused, match="positive: name the positive class of 'deny', one of: no, yes"):
        load_here(credit(LogisticRegression(max_iter=500), positive=None))
    with pytest.raises(Refused, match="positive = 'maybe': the classes of the model are no, yes"):
        load_here(credit(LogisticRegression(max_iter=500), positive="maybe"))
    rows = hmda[NUMBERS].iloc[:100]
    for labels, positive in ((np.arange(100) % 2, "1"), (np.arange(100) % 2 == 0, "True"), (np.arange(100) % 2 * 2 - 1, "1")):
        skops.io.dump(LogisticRegression(max_iter=500).fit(rows, labels), tmp_path / "m.skops")
        rows.assign(y=labels).to_parquet(tmp_path / "h.parquet")
        subject = load_here(LoadRequest(tmp_path / "m.skops", tmp_path / "h.parquet", "y"))
        assert subject.report["subject"]["positive"] == positive
        assert subject.report["subject"]["positive_source"] == "assumed: the larger label"
        assert (subject.report["subject"]["cutoff"], subject.report["subject"]["cutoff_source"]) == (None, "the model's own")
        np.testing.assert_array_equal(subject.target["holdout"], np.unique(labels, return_inverse=True)[1])


def test_margins_are_decided_by_their_sign(credit):
    subject = load_here(credit(LinearSVC(), cutoff=None))
    margins = subject.native["holdout"]
    assert margins.shape == (200, 1)
    assert subject.decision.cutoff is None
    np.testing.assert_array_equal(subject.decision(margins), margins[:, 0] > 0)
    assert subject.program.link == "margin"


def test_a_family_without_lowering_is_a_black_box(credit):
    subject = load_here(credit(SVC(), cutoff=None))
    assert subject.program is None
    assert subject.why_not.startswith("SVC has no lowering")
    assert not subject.encoded
    assert not subject.report["subject"]["lowering"]["proved"]


def test_letters(tmp_path, request):
    letters = pd.read_csv(request.config.rootpath / "tests" / "data" / "letter_recognition.csv")
    train, holdout = letters.iloc[:1500], letters.iloc[-300:]
    holdout.sample(frac=1, axis=1, random_state=0).to_csv(tmp_path / "h.csv", index=False)
    for final in (MLPClassifier((12,), max_iter=15, random_state=0), RandomForestClassifier(8, random_state=0, n_jobs=2)):
        skops.io.dump(
            make_pipeline(StandardScaler(), final).fit(train.drop(columns="letter"), train["letter"]), tmp_path / "m.skops"
        )
        subject = load_here(LoadRequest(tmp_path / "m.skops", tmp_path / "h.csv", "letter", calibration_share=0.2))
        assert (len(subject.classes), subject.decision.output) == (26, "multiclass")
        assert subject.report["subject"]["lowering"]["proved"]
        assert (subject.tables["holdout"].rows, subject.tables["calibration"].rows) == (240, 60)
        assert any("set apart for calibration" in note for note in subject.report["data"]["notes"])


def test_wages(tmp_path, request):
    wages = pd.read_parquet(request.config.rootpath / "tests" / "data" / "cps1988_wage.parquet")
    wages = wages.sample(1300, random_state=0)
    train, holdout = wages.iloc[:1000], wages.iloc[1000:]
    texts = ["ethnicity", "smsa", "region", "parttime"]
    steps = make_column_transformer((OrdinalEncoder(), texts), (StandardScaler(), ["education", "experience"]))
    holdout.to_parquet(tmp_path / "h.parquet")
    for final in (Ridge(), GradientBoostingRegressor(n_estimators=20, random_state=0)):
        skops.io.dump(
            make_pipeline(steps, final).fit(train[[*texts, "education", "experience"]], train["wage"]), tmp_path / "m.skops"
        )
        subject = load_here(LoadRequest(tmp_path / "m.skops", tmp_path / "h.parquet", "wage", groups=("ethnicity",)))
        assert subject.decision == Decision("regression")
        assert subject.report["subject"]["lowering"]["proved"]
        np.testing.assert_array_equal(subject.target["holdout"], holdout["wage"])
        assert [row.reason for row in subject.skipped] == [
            "no calibration rows: give --train, --calibration or --calibration-share 0.1"
        ]


def test_a_model_without_names_takes_the_files_columns_in_order(tmp_path, hmda):
    values = hmda[NUMBERS].iloc[:200]
    skops.io.dump(DecisionTreeClassifier(max_depth=3).fit(values.to_numpy(), hmda["deny"].iloc[:200]), tmp_path / "m.skops")
    values.assign(deny=hmda["deny"], afam=hmda["afam"]).to_csv(tmp_path / "h.csv", index=False)
    request = LoadRequest(tmp_path / "m.skops", tmp_path / "h.csv", "deny", positive="yes", groups=("afam",))
    assert [feature.name for feature in load_here(request).features] == NUMBERS
    with pytest.raises(Refused, match="takes 6 columns; the file has 7 beside target and groups"):
        load_here(dataclasses.replace(request, groups=()))


def _dense(weight):
    return Program(("a", "b"), (Dense(np.asarray([weight]), np.zeros(1)),), "logistic", "binary", ("no", "yes"))


def test_a_wrong_program_is_not_proved():
    encoded = np.random.default_rng(0).normal(size=(50, 2))
    right, wrong = _dense([1.0, 2.0]), _dense([1.0, 2.0000001])
    native = sweep.predict(right, encoded)
    decision = Decision("binary", 1, 0.5)
    assert prove(right, encoded, native, decision, {}).proved
    proof = prove(wrong, encoded, native, decision, {})
    assert not proof.proved
    assert "does not hold" in proof.statement
    assert proof.error > proof.bound
    assert json.loads(canonical_json(proof.json(None)))["why_not"] == proof.statement
    assert not prove(right, encoded, native[:, :1], decision, {}).proved


def test_rows_at_the_cutoff_are_listed_as_ambiguous():
    encoded = np.asarray([[0.0, 0.0], [1.0, 1.0]])
    program = _dense([1.0, 2.0])
    native = sweep.predict(program, encoded)
    assert prove(program, encoded, native, Decision("binary", 1, 0.5), {}).ambiguous == (0,)


@pytest.mark.slow
def test_refits_leave_each_column_out(credit):
    subject = load_here(credit(RandomForestClassifier(4, random_state=0)))
    made = refits(subject, np.arange(20), [1, 2, 3], run_here)
    assert list(made.columns) == [feature.name for feature in subject.features]
    assert not made.ignores_seed
    one = made.columns["phist"]
    assert len(one) == 3
    assert one[0].native.shape == (20, 2)
    assert not np.array_equal(one[0].native, one[1].native)
    assert not any("phist" in name for name in one[0].program.inputs)
    np.testing.assert_array_equal(sweep.predict(one[0].program, one[0].encoded), one[0].native)


@pytest.mark.slow
def test_a_learner_that_ignores_the_seed_is_fitted_once(credit):
    subject = load_here(credit(LogisticRegression(max_iter=500)))
    made = refits(subject, np.arange(5), [1, 2, 3], run_here)
    assert made.ignores_seed
    assert len(made.columns["pirat"]) == 3
    assert made.columns["pirat"][0] is made.columns["pirat"][2]


def test_without_training_rows_no_refits(credit):
    subject = load_here(credit(LogisticRegression(max_iter=500), training=None))
    assert refits(subject, np.arange(5), [1], run_here).skipped[0].kind == "declined"
