"""What only the host finds in a format's answers: told in one line, no end of the run, and kept for the format's author."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hosting import hooks_for
from marks import first_fast

from qaudit.core.program import Program
from qaudit.core.records import Decline
from qaudit.core.steps import Dense
from qaudit.core.tensor import QType, QuantizedTensor
from qaudit.errors import Refused
from qaudit.pipeline.stages.load import LoadRequest, load
from qaudit.pipeline.stages.refit_variants import _predicted
from qaudit.pipeline.stages.refits import Refit, refits
from qaudit.sandbox import runner
from qaudit.sandbox.job import Call, Outcome, PluginRef
from qaudit.sandbox.pack_program import pack_tensors
from qaudit.sandbox.runner import Debugging

SOURCE = """
import numpy as np
from qaudit import Dense, Feature, Format, Loaded, Program, hookimpl

def predict(frame):
    p = 1 / (1 + np.exp(-frame.iloc[:, 0].to_numpy(float)))
    return NATIVE

def model(refit):
    program = Program(("a", "b"), (Dense(np.array([[1.0, 0.0]]), np.zeros(BIAS)),), "logistic", "binary", ("0", "1"))
    return Loaded(
        features=(Feature("a", "number"), Feature("b", "number")), classes=("0", "1"), output="binary", family="linear",
        width=2, program=program, why_not=None, predict=predict, encode=lambda frame: ENCODED, refit=refit,
        decide=DECIDE, ties="TIES",
    )

def refit(frame, target, *, without, seed):
    return AGAIN

@hookimpl
def qaudit_offer_formats():
    yield Format("lin", "data", lambda path: path.read_bytes() == b"LINEAR", lambda path: model(refit), "one column")
"""
GOOD = {"NATIVE": "np.column_stack([1 - p, p])", "BIAS": "1", "ENCODED": "frame.to_numpy(float)", "AGAIN": "model(None)"}
GOOD |= {"DECIDE": "lambda frame: frame.iloc[:, 0].to_numpy() > 0", "TIES": "first"}


@pytest.fixture
def request_of(tmp_path: Path) -> LoadRequest:
    (tmp_path / "m.lin").write_text("LINEAR")
    for seed, name in enumerate(("rows.csv", "train.csv")):
        draw = np.random.default_rng(seed)
        rows = pd.DataFrame(draw.normal(size=(50, 2)), columns=["a", "b"]).assign(y=draw.integers(0, 2, 50))
        rows.to_csv(tmp_path / name, index=False)
    return LoadRequest(tmp_path / "m.lin", tmp_path / "rows.csv", "y", training=tmp_path / "train.csv")


def planted(folder: Path, **changed: str) -> list[PluginRef]:
    text = SOURCE
    for name, code in (GOOD | changed).items():
        text = text.replace(name, code)
    (folder / "lin.py").write_text(text)
    return [PluginRef("format", "lin", "lin.py", "unpackaged", "", "0" * 64, str(folder / "lin.py"))]


def rerun(kept: Path, name: str) -> list[str]:
    """What the script of the one kept unit prints."""
    (unit,) = kept.iterdir()
    assert unit.name == name
    done = subprocess.run([sys.executable, unit / "repro.py"], cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[1:]


def test_a_good_format_leaves_nothing(request_of: LoadRequest, tmp_path: Path) -> None:
    with runner.debugging(Debugging(keep=tmp_path / "kept")):
        subject = load(request_of, hooks_for(planted(tmp_path)))
        assert refits(subject, np.arange(20), [1, 2]).skipped == ()
    assert subject.program is not None
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("changed", "unit", "wrong"),
    first_fast(
        [
            ({"BIAS": "3"}, "inspect_model-lin-1", "broken contract: step 0: bias: shape (3,), expected (1,)"),
            ({"TIES": "second"}, "encode-lin-1", "ties 'second': expected one of first, last"),
            (
                {"DECIDE": "lambda frame: np.zeros((50, 2))"},
                "encode-lin-1",
                "decisions of shape (50, 2) and type int64, expected (50,) and integers",
            ),
            (
                {"DECIDE": "lambda frame: np.zeros(49)"},
                "encode-lin-1",
                "decisions of shape (49,) and type int64, expected (50,) and integers",
            ),
            (
                {"DECIDE": "lambda frame: np.where(np.arange(50) == 6, 2, 0)"},
                "encode-lin-1",
                "the decision in row 7 is 2, expected the index of one of 2 classes",
            ),
            (
                {"DECIDE": "lambda frame: np.where(np.arange(50) < 1, -1, 0)"},
                "encode-lin-1",
                "the decision in row 1 is -1, expected the index of one of 2 classes",
            ),
            ({"NATIVE": "p"}, "encode-lin-1", "predictions of shape (50,) for 50 holdout rows"),
            ({"NATIVE": "np.ones((3, 2))"}, "encode-lin-1", "predictions of shape (3, 2) for 50 holdout rows"),
        ]
    ),
)
def test_a_model_that_cannot_be_audited_is_refused(
    changed: dict[str, str], unit: str, wrong: str, request_of: LoadRequest, tmp_path: Path
) -> None:
    with runner.debugging(Debugging(keep=tmp_path / "kept")), pytest.raises(Refused) as refusal:
        load(request_of, hooks_for(planted(tmp_path, **changed)))
    assert str(refusal.value).startswith("m.lin: ")
    assert str(refusal.value).endswith(wrong)
    assert rerun(tmp_path / "kept", unit) == [f"failed: {wrong}", f"in the audit: {wrong}"]


@pytest.mark.parametrize(
    ("encoded", "wrong"),
    first_fast(
        [
            ("frame['a'].to_numpy(float)", "encoded rows of shape (50,) for 50 holdout rows"),
            ("frame.to_numpy(float)[:5]", "encoded rows of shape (5, 2) for 50 holdout rows"),
        ]
    ),
)
def test_an_encoder_that_gives_no_table_leaves_a_black_box(
    encoded: str, wrong: str, request_of: LoadRequest, tmp_path: Path
) -> None:
    with runner.debugging(Debugging(keep=tmp_path / "kept")):
        subject = load(request_of, hooks_for(planted(tmp_path, ENCODED=encoded)))
    assert (subject.program, subject.why_not) == (None, wrong)
    assert rerun(tmp_path / "kept", "encode-lin-1") == [f"failed: {wrong}", f"in the audit: {wrong}"]


@pytest.mark.slow
def test_a_refit_of_another_size_is_a_row(request_of: LoadRequest, tmp_path: Path) -> None:
    again = "__import__('dataclasses').replace(model(None), predict=lambda frame: np.ones(4))"
    with runner.debugging(Debugging(keep=tmp_path / "kept")):
        subject = load(request_of, hooks_for(planted(tmp_path, AGAIN=again)))
        made = refits(subject, np.arange(20), [1, 2])
    wrong = "broken contract: predictions of shape (4,) for 20 asked rows"
    assert [(row.by, row.reason) for row in made.skipped] == [(f"refit without {name}", wrong) for name in "ab"]
    assert made.columns == {}
    assert sorted(unit.name for unit in (tmp_path / "kept").iterdir()) == ["refit-lin-1", "refit-lin-2"]
    (tmp_path / "kept" / "refit-lin-2").rename(tmp_path / "other")
    assert rerun(tmp_path / "kept", "refit-lin-1") == [f"failed: {wrong}", f"in the audit: {wrong}"]


def test_a_unit_is_kept_once(tmp_path: Path) -> None:
    """Where the unit itself knows of a trouble, its folder is kept already; who declines is in no trouble."""
    known = Outcome({"refused": [{"kind": "failed", "reason": "x", "settings": []}]}, {})
    with runner.debugging(Debugging(keep=tmp_path / "kept")):
        runner.keep_unit(Call("echo", {}), known, "more of the same")
        failure = runner.run("no_such_task", {}).failure
        runner.keep_unit(Call("no_such_task", {}), Outcome({}, {}, failure), "again")
    assert [unit.name for unit in (tmp_path / "kept").iterdir()] == ["no_such_task-1"]


def test_without_the_option_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runner.keep_unit(Call("echo", {}), Outcome({}, {}), "wrong")
    assert list(tmp_path.iterdir()) == []


def test_a_quantized_refit_that_breaks_the_law_is_declined_and_kept(tmp_path: Path) -> None:
    program = Program(("a",), (Dense(np.ones((1, 1)), np.zeros(1)),), "logistic", "binary", ("0", "1"))
    packed, arrays = pack_tensors({"layer0.weight": QuantizedTensor(np.array([[7]]), 1e200, QType(8))}, "c0")
    claims = {"zero_exact": False, "max_kept": False, "deterministic": False}
    made = {"settings": {}, "tensors": packed, "grids": {}, "formulas": {}, "noted": [], "reproducible": True}
    refit = Refit(program, np.ones((3, 1)), np.ones((3, 2)))
    for answer, wrong in (
        ({"candidates": [made], "refused": [], "claims": claims}, "layer0.weight: values: reach 7e+200 where "),
        ({"candidates": [{}], "refused": [], "claims": claims}, "unreadable answer (KeyError('tensors'))"),
    ):
        kept = tmp_path / wrong[:5]
        with (
            runner.debugging(Debugging(keep=kept)),
            pytest.raises(Decline, match="a refit could not be quantized: broken contract: ") as declined,
        ):
            _predicted(refit, Call("quantize", {}), Outcome(answer, arrays), 3)
        assert wrong in str(declined.value)
        assert wrong in (kept / "quantize-1" / "reason.txt").read_text()
