"""What qaudit.audit and qaudit.register take as options: spellings, single values, and what is refused before any work."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import qaudit
from qaudit.inputs.audit_toml import Settings
from qaudit.pipeline import python_calls
from qaudit.pipeline import run as auditing
from qaudit.registry import models


class Stopped(BaseException):
    """Raised in the place of the road, with the settings it was given."""


@pytest.fixture
def asked(monkeypatch):
    """qaudit.audit up to its settings."""

    def run(settings: Settings, **_: object) -> None:
        raise Stopped(settings)

    monkeypatch.setattr(auditing, "run", run)

    def ask(*given, **options) -> Settings:
        with pytest.raises(Stopped) as caught:
            qaudit.audit(*given, **options)
        return caught.value.args[0]

    return ask


@pytest.fixture
def fitted():
    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    return LogisticRegression().fit(rows, [0, 0, 1, 1]), rows, [0, 0, 1, 1]


def test_the_command_lines_spelling_and_single_values(asked):
    made = asked("credit@1", format="html", framework="sr_26_2", groups="g, h", bits=np.int64(4), quantizers="symmetric,affine")
    assert made.report.formats == ("html",)
    assert made.report.frameworks == ("sr_26_2",)
    assert made.data.groups == ("g", "h")
    assert made.run.bits == (4,)
    assert [part.name for part in made.quantizers or ()] == ["symmetric", "affine"]


def test_numpy_values_and_ranges_are_plain_values(asked, fitted):
    made = asked(
        *fitted,
        positive=np.int64(0),
        cutoff=np.float64(0.25),
        quantizers={"symmetric": {"bits": range(4, 7), "axis": "tensor"}},
        seed=np.int32(3),
    )
    assert made.subject.positive == "0"
    assert made.subject.cutoff == 0.25
    assert made.run.seed == 3
    assert made.quantizers is not None
    assert made.quantizers[0].settings == {"bits": [4, 5, 6], "axis": "tensor"}


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (("credit@1",), {"quantisers": ["symmetric"]}, "audit: unknown option 'quantisers'; did you mean 'quantizers'?"),
        (("credit@1",), {"zzz": 1}, "known: X_train, author, bits"),
        (("credit@1",), {"format": "html", "formats": ["html"]}, "'formats' is one option|are one option"),
        (("credit@1",), {"X_train": [[1.0]]}, "audit: X_train: goes with a fitted estimator"),
        (("credit@1",), {"quantizers": {"symmetric": 4}}, "audit: symmetric: 4 found"),
    ],
)
def test_refused_in_one_line(asked, given, options, said):
    with pytest.raises(qaudit.Refused, match=said) as caught:
        qaudit.audit(*given, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({}, {"groups": {"g": ["x"]}}, "groups: 'g' has 1 values, but X has 4 rows"),
        ({}, {"groups": {"a": ["x", "y"] * 2}}, "groups: 'a' is also a column of X"),
        ({}, {"author": "me"}, "audit: author: str found, a mapping is wanted"),
        ({}, {"types": ["a"]}, "audit: types: list found, a mapping is wanted"),
        ({}, {"policy": {"name": "p"}}, "audit: policy: dict found, the path of a policy file is wanted"),
        ({"c": [2**70] * 4}, {}, "column 'c': holds an integer beyond 64 bits"),
        ({"c": pd.to_timedelta([1] * 4, "s")}, {}, "column 'c': holds durations"),
        ({"c": ["x", 1.0, "x", 1.0]}, {}, "column 'c': mixes float, str"),
    ],
)
def test_rows_and_mappings_are_refused_in_one_line(asked, fitted, changes, options, said):
    model, rows, target = fitted
    with pytest.raises(qaudit.Refused, match=said) as caught:
        qaudit.audit(model, rows.assign(**changes), target, **options)
    assert "\n" not in str(caught.value)


def test_two_columns_of_one_name_are_refused(asked, fitted):
    model, rows, target = fitted
    with pytest.raises(qaudit.Refused, match="X: two columns are named 'a'"):
        qaudit.audit(model, pd.concat([rows, rows[["a"]]], axis=1), target)


def test_an_empty_list_of_plugins_means_none(asked, fitted):
    for given in (fitted, ("credit@1",)):
        made = asked(*given, quantizers=[], explainers={})
        assert (made.quantizers, made.explainers) == ((), ())
        assert asked(*given).quantizers is None


def test_groups_may_be_one_series(asked, fitted):
    assert asked(*fitted, groups=pd.Series(["x", "y"] * 2, name="g")).data.groups == ("g",)


def test_training_rows_are_a_pair(fitted):
    with pytest.raises(qaudit.Refused, match=r"train: DataFrame found, the pair \(X, y\) is wanted"):
        qaudit.audit(*fitted, train=fitted[1])


def test_register_takes_no_option_of_an_audit(fitted):
    with pytest.raises(qaudit.Refused, match="register: unknown option 'bits'"):
        qaudit.register("m", *fitted, bits=[4])


@pytest.mark.slow
def test_a_positive_class_of_zero_and_a_cutoff_of_zero_are_kept(fitted, tmp_path, monkeypatch):
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path))
    assert python_calls.register("m", *fitted, positive=0, cutoff=0.0) == "m@1"
    options = models.resolve("m@1").options
    assert options["positive"] == "0"
    assert options["cutoff"] == 0.0


def test_training_rows_that_are_the_holdout_are_refused_in_the_words_of_the_call(fitted):
    model, rows, target = fitted
    for options in ({"train": (rows, target)}, {"X_train": rows, "y_train": target}):
        for call in (qaudit.audit, lambda *given, **options: qaudit.register("m", *given, **options)):
            with pytest.raises(qaudit.Refused, match="the training rows are the holdout rows X, y") as caught:
                call(model, rows, target, positive="1", **options)
            assert ".parquet" not in str(caught.value)
