"""The load stage on real models and rows: roles, labels, decisions, proof, refits, refusals."""

import dataclasses
import functools
import hashlib
import json
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from qaudit.core.decision import Decision
from qaudit.core.evidence import canonical_json
from qaudit.core.program import Dense, Program
from qaudit.engine import sweep
from qaudit.errors import Refused
from qaudit.host import PluginHost
from qaudit.stages.load import LoadRequest, load
from qaudit.stages.lowering import dense_bound, prove
from qaudit.stages.refits import refits
from qaudit.units import runner

NUMBERS = ["pirat", "hirat", "lvrat", "unemp", "chist", "mhist"]
TEXTS = ["phist", "selfemp", "condomin", "hschool"]
FORMATS = PluginHost.discover().select("format")
here = functools.partial(runner.run, in_process=True)


def run_here(calls, jobs=2):
    return [here(call.task, call.request, call.arrays, plugins=call.plugins) for call in calls]


def pipeline(final, texts=None):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = texts or make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_pipeline(make_column_transformer((numbers, NUMBERS), (texts, TEXTS)), final)


@pytest.fixture(scope="module")
def hmda(request):
    return pd.read_csv(request.config.rootpath / "tests" / "data" / "hmda_boston.csv")


@pytest.fixture
def credit(hmda, tmp_path):
    """Model, training and holdout files of a credit pipeline with holes in two columns."""

    def make(final, **options):
        training, holdout = hmda.iloc[:800].copy(), hmda.iloc[800:1000].copy()
        holdout.loc[holdout.index[::9], "lvrat"] = np.nan
        holdout.loc[holdout.index[::11], "phist"] = np.nan
        training.to_csv(tmp_path / "train.csv", index=False)
        holdout.to_csv(tmp_path / "holdout.csv", index=False)
        skops.io.dump(pipeline(final, options.pop("texts", None)).fit(training, training["deny"]), tmp_path / "model.skops")
        given = {"training": tmp_path / "train.csv", "positive": "yes", "cutoff": 0.15, "groups": ("afam",)} | options
        return LoadRequest(tmp_path / "model.skops", tmp_path / "holdout.csv", "deny", **given)

    return make


def test_a_credit_pipeline_in_real_children(credit, hmda):
    request = credit(LogisticRegression(max_iter=500))
    subject = load(request, FORMATS)
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
    first, second = load(request, FORMATS, here), load(request, list(reversed(FORMATS)), here)
    assert canonical_json(first.report) == canonical_json(second.report)
    np.testing.assert_array_equal(first.tables["calibration"].columns["pirat"], second.tables["calibration"].columns["pirat"])
    assert "bit for bit" in first.report["subject"]["lowering"]["statement"]


def test_positive_may_be_the_first_class(credit):
    subject = load(credit(LogisticRegression(max_iter=500), positive="no", cutoff=0.8), FORMATS, here)
    assert subject.decision == Decision("binary", 0, 0.8)
    decided = subject.decision(subject.native["holdout"])
    np.testing.assert_array_equal(decided == 0, subject.native["holdout"][:, 0] >= 0.8)


def test_the_positive_class_is_named_or_says_itself_which_is_larger(credit, tmp_path, hmda):
    with pytest.raises(Refused, match="positive: name the positive class of 'deny', one of: no, yes"):
        load(credit(LogisticRegression(max_iter=500), positive=None), FORMATS, here)
    with pytest.raises(Refused, match="positive = 'maybe': the classes of the model are no, yes"):
        load(credit(LogisticRegression(max_iter=500), positive="maybe"), FORMATS, here)
    rows = hmda[NUMBERS].iloc[:100]
    for labels, positive in ((np.arange(100) % 2, "1"), (np.arange(100) % 2 == 0, "True"), (np.arange(100) % 2 * 2 - 1, "1")):
        skops.io.dump(LogisticRegression(max_iter=500).fit(rows, labels), tmp_path / "m.skops")
        rows.assign(y=labels).to_parquet(tmp_path / "h.parquet")
        subject = load(LoadRequest(tmp_path / "m.skops", tmp_path / "h.parquet", "y"), FORMATS, here)
        assert subject.report["subject"]["positive"] == positive
        assert subject.report["subject"]["positive_source"] == "assumed: the larger label"
        assert subject.report["subject"]["cutoff_source"] == "default"
        np.testing.assert_array_equal(subject.target["holdout"], np.unique(labels, return_inverse=True)[1])


def test_margins_have_a_cutoff_of_zero(credit):
    subject = load(credit(LinearSVC(), cutoff=None), FORMATS, here)
    assert subject.native["holdout"].shape == (200, 1)
    assert subject.decision.cutoff == 0.0
    assert subject.program.link == "margin"


def test_a_family_without_lowering_is_a_black_box(credit):
    subject = load(credit(SVC(), cutoff=None), FORMATS, here)
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
        subject = load(LoadRequest(tmp_path / "m.skops", tmp_path / "h.csv", "letter", calibration_share=0.2), FORMATS, here)
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
        subject = load(LoadRequest(tmp_path / "m.skops", tmp_path / "h.parquet", "wage", groups=("ethnicity",)), FORMATS, here)
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
    assert [feature.name for feature in load(request, FORMATS, here).features] == NUMBERS
    with pytest.raises(Refused, match="takes 6 columns; the file has 7 beside target and groups"):
        load(dataclasses.replace(request, groups=()), FORMATS, here)


def test_pickles_need_trust_by_digest_and_nothing_of_them_runs_without(credit, tmp_path):
    request = credit(LogisticRegression(max_iter=500))
    marker = tmp_path / "marker"

    class Hostile:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    path = tmp_path / "model.skops.csv"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(Refused, match=r"model.skops.csv: .*can run code.*pass --trust sha256:[0-9a-f]{64}"):
        load(dataclasses.replace(request, model=path), FORMATS, here)
    assert not marker.exists()
    joblib.dump(skops.io.load(request.model, trusted=["numpy.dtype"]), path)
    with pytest.raises(Refused, match="--trust sha256:") as refusal:
        load(dataclasses.replace(request, model=path), FORMATS, here)
    digest = str(refusal.value).rpartition("--trust ")[2]
    subject = load(dataclasses.replace(request, model=path, trust={digest}), FORMATS, here)
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
    with pytest.raises(Refused, match="holdout: column 'selfemp', row 31: the model does not take 'perhaps'"):
        load(request, FORMATS, here)
    taken = load(
        dataclasses.replace(credit(LogisticRegression(max_iter=500)), holdout=_with(request.holdout, lines, cells)), FORMATS, here
    )
    assert [(row.value, dict(row.about)) for row in taken.evidence if row.measure == "unseen_categories"] == [
        (1.0, {"feature": "selfemp"})
    ]
    assert any("'selfemp': 1 holdout rows" in note for note in taken.report["data"]["notes"])


def test_a_category_that_every_row_has_is_still_named(credit, tmp_path):
    strict = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    request = credit(LogisticRegression(max_iter=500), texts=strict)
    rows = pd.read_csv(request.holdout).assign(hschool="some").to_csv(index=False)
    request.holdout.write_text(rows)
    with pytest.raises(Refused, match="holdout: column 'hschool', row 1: the model does not take 'some'"):
        load(request, FORMATS, here)


def test_a_missing_value_that_no_step_takes_is_named(credit, hmda, tmp_path):
    request = credit(LogisticRegression(max_iter=500))
    skops.io.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(hmda[NUMBERS], hmda["deny"]), tmp_path / "m.skops")
    with pytest.raises(Refused, match="holdout: column 'lvrat', row 1: the model does not take a missing value"):
        load(dataclasses.replace(request, model=tmp_path / "m.skops"), FORMATS, here)


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
    subject = load(LoadRequest(path, tmp_path / "h.csv", target.name, positive=positive, trust={digest}), FORMATS, here)
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
        assert load(wanted, FORMATS, here).report["subject"]["target"] == "afam"
        return
    with pytest.raises(Refused, match=said) as refusal:
        load(wanted, FORMATS, here)
    assert "\n" not in str(refusal.value)


def test_labels_that_the_model_does_not_know_and_roles_that_coincide(credit, tmp_path):
    request = credit(LogisticRegression(max_iter=500))
    text = request.holdout.read_text()
    (tmp_path / "odd.csv").write_text(text.replace("\nno,", "\nmaybe,", 1))
    with pytest.raises(
        Refused, match=r"odd.csv: column 'deny', row \d+ \(line \d+\): label 'maybe', 1 such rows; .*classes are no, yes"
    ):
        load(dataclasses.replace(request, holdout=tmp_path / "odd.csv"), FORMATS, here)
    lines = request.training.read_text().splitlines()
    (tmp_path / "inside.csv").write_text("\n".join([lines[0], *lines[1:81], *text.splitlines()[1:41]]) + "\n")
    with pytest.raises(Refused, match=r"holdout \(inside.csv\) and training \(train.csv\) share \d+ of 120 rows"):
        load(dataclasses.replace(request, holdout=tmp_path / "inside.csv"), FORMATS, here)


def test_a_file_of_no_format_and_a_broken_one(credit, tmp_path):
    request = credit(LogisticRegression(max_iter=500))
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(
        Refused, match=r"readme.txt: no model format recognises this file \(tried: sklearn_pickle, sklearn_skops\)"
    ):
        load(dataclasses.replace(request, model=tmp_path / "readme.txt"), FORMATS, here)
    (tmp_path / "cut.skops").write_bytes(request.model.read_bytes()[:5000])
    with pytest.raises(Refused, match=r"cut\.skops"):
        load(dataclasses.replace(request, model=tmp_path / "cut.skops"), FORMATS, here)


@pytest.mark.parametrize("rows", [1, 5])
def test_one_row_or_one_class_is_loaded(credit, rows):
    request = credit(LogisticRegression(max_iter=500))
    frame = pd.read_csv(request.holdout)
    frame[frame["deny"] == "no"].head(rows).to_csv(request.holdout, index=False)
    subject = load(request, FORMATS, here)
    assert subject.tables["holdout"].rows == rows
    assert [part["rows"] for part in subject.report["data"]["target"]] == [rows, 0]


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


def test_the_dense_bound_covers_another_order_of_summation():
    rng = np.random.default_rng(1)
    layers = (
        Dense(rng.normal(size=(8, 40)) * 100, rng.normal(size=8), "tanh"),
        Dense(rng.normal(size=(3, 8)), rng.normal(size=3)),
    )
    program = Program(tuple(f"x{i}" for i in range(40)), layers, "softmax", "multiclass", ("a", "b", "c"))
    encoded = rng.normal(size=(200, 40))
    order = rng.permutation(40)
    turned = dataclasses.replace(program, steps=(dataclasses.replace(layers[0], weight=layers[0].weight[:, order]), layers[1]))
    apart = np.abs(sweep.predict(program, encoded) - sweep.predict(turned, encoded[:, order])).max(axis=1)
    bound = dense_bound(program, encoded)
    assert apart.max() > 0
    assert (apart <= bound).all()
    assert bound.max() < 1e-9


def test_refits_leave_each_column_out(credit):
    subject = load(credit(RandomForestClassifier(4, random_state=0)), FORMATS, here)
    made = refits(subject, np.arange(20), [1, 2, 3], run_here)
    assert list(made.columns) == [feature.name for feature in subject.features]
    assert not made.ignores_seed
    one = made.columns["phist"]
    assert len(one) == 3
    assert one[0].native.shape == (20, 2)
    assert not np.array_equal(one[0].native, one[1].native)
    assert not any("phist" in name for name in one[0].program.inputs)
    np.testing.assert_array_equal(sweep.predict(one[0].program, one[0].encoded), one[0].native)


def test_a_learner_that_ignores_the_seed_is_fitted_once(credit):
    subject = load(credit(LogisticRegression(max_iter=500)), FORMATS, here)
    made = refits(subject, np.arange(5), [1, 2, 3], run_here)
    assert made.ignores_seed
    assert len(made.columns["pirat"]) == 3
    assert made.columns["pirat"][0] is made.columns["pirat"][2]


def test_without_training_rows_no_refits(credit):
    subject = load(credit(LogisticRegression(max_iter=500), training=None), FORMATS, here)
    assert refits(subject, np.arange(5), [1], run_here).skipped[0].kind == "declined"
