"""Bad input ends in one clear line on standard error and exit code 2, with nothing written; what is only odd is audited."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from commandline import Answer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops.io import dump

from qaudit.cli.main import main

pytestmark = pytest.mark.slow
RUN = ("model.skops", "holdout.csv", "--target", "y")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A logistic regression on two number columns, its rows, and files that are wrong in one way each."""
    at = tmp_path_factory.mktemp("refusals")
    rng = np.random.default_rng(7)
    rows = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
    rows["y"] = np.where(rows.a + rows.b + rng.normal(size=120) > 0, "good", "bad")
    model = LogisticRegression().fit(rows[["a", "b"]], rows["y"])
    dump(model, at / "model.skops")
    (at / "model.pkl").write_bytes(pickle.dumps(model))
    (at / "broken.skops").write_bytes((at / "model.skops").read_bytes()[:200])
    rows.to_csv(at / "holdout.csv", index=False)
    rows.drop(columns="b").to_csv(at / "no_b.csv", index=False)
    rows.assign(b=rows.b.astype(object).where(rows.index != 41, "n/k")).to_csv(at / "text.csv", index=False)
    text = (at / "holdout.csv").read_text(encoding="utf-8")
    (at / "twice.csv").write_text(text.replace("a,b,y", "a,a,y", 1), encoding="utf-8")
    (at / "empty.csv").write_text("", encoding="utf-8")
    (at / "header.csv").write_text("a,b,y\n", encoding="utf-8")
    (at / "broken.toml").write_text('[subject]\nmodel = "model.skops"\ntarget = \n', encoding="utf-8")
    (at / "unknown.toml").write_text('[subject]\nmodel = "model.skops"\ncutof = 0.2\n', encoding="utf-8")
    strict = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(pd.DataFrame({"c": ["x", "y"] * 20}), ["good", "bad"] * 20)
    dump(strict, at / "strict.skops")
    pd.DataFrame({"c": ["x", "y", "z"], "y": ["good", "bad", "good"]}).to_csv(at / "unseen.csv", index=False)
    return at


@pytest.fixture(scope="module")
def call(folder: Path) -> Callable[..., Answer]:
    """The command line in this process, from inside the folder: the children's server starts once for all cases."""

    def run(*words: str) -> Answer:
        before = Path.cwd()
        os.chdir(folder)
        try:
            done = CliRunner(env={"QAUDIT_HOME": str(folder.with_name("home"))}).invoke(main, words)
        finally:
            os.chdir(before)
        return Answer(done.exit_code, done.stdout, done.stderr)

    return run


CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "missing model": (("absent.skops", "holdout.csv", "--target", "y"), ("absent.skops",)),
    "missing rows": (("model.skops", "absent.csv", "--target", "y"), ("absent.csv",)),
    "absent column": (("model.skops", "no_b.csv", "--target", "y"), ("no_b.csv", "b")),
    "absent target": (("model.skops", "holdout.csv", "--target", "z"), ("z",)),
    "doubled column": (("model.skops", "twice.csv", "--target", "y"), ("twice.csv", "a")),
    "text in a number column": (("model.skops", "text.csv", "--target", "y"), ("text.csv", "b", "n/k")),
    "empty file": (("model.skops", "empty.csv", "--target", "y"), ("empty.csv",)),
    "no rows": (("model.skops", "header.csv", "--target", "y"), ("header.csv",)),
    "unreadable model": (("broken.skops", "holdout.csv", "--target", "y"), ("broken.skops",)),
    "pickle without trust": (("model.pkl", "holdout.csv", "--target", "y"), ("model.pkl", "--trust", "sha256:")),
    "unknown plugin": ((*RUN, "--quantizers", "symetric"), ("symetric", "symmetric")),
    "unknown framework": ((*RUN, "--framework", "sr_26_3"), ("sr_26_3", "sr_26_2")),
    "bits that no quantizer takes": ((*RUN, "--positive", "good", "--bits", "40"), ("symmetric", "40", "2 to 16")),
    "misspelt option": ((*RUN, "--cutof", "0.2"), ("--cutof", "--cutoff")),
    "unknown language": ((*RUN, "--lang", "xx"), ("xx", "en")),
    "unknown label": ((*RUN, "--positive", "god"), ("god",)),
    "broken toml": (("broken.toml",), ("broken.toml", "3")),
    "unknown key": (("unknown.toml",), ("unknown.toml", "cutof", "cutoff")),
    "unregistered name": (("credit@1",), ("credit",)),
    "category that the encoder refuses": (("strict.skops", "unseen.csv", "--target", "y"), ("c", "z")),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_in_one_line(case: str, call: Callable[..., Answer], folder: Path) -> None:
    words, named = CASES[case]
    before = sorted(path.name for path in folder.iterdir())
    answer = call("run", *words, "-o", "report", "--quiet")
    assert answer.code == 2, answer.out + answer.err
    assert len(answer.err.strip().splitlines()) == 1, answer.err
    assert "Traceback" not in answer.err
    for text in named:
        assert text in answer.err
    assert sorted(path.name for path in folder.iterdir()) == before


def report(answer: Answer, at: Path) -> dict[str, Any]:
    assert answer.code == 0, answer.err
    return json.loads((at / "report.json").read_text(encoding="utf-8"))


def test_a_family_that_cannot_be_lowered_is_a_black_box(call: Callable[..., Answer], folder: Path) -> None:
    rows = pd.read_csv(folder / "holdout.csv")
    dump(GaussianNB().fit(rows[["a", "b"]], rows["y"]), folder / "bayes.skops")
    answer = call("run", "bayes.skops", *RUN[1:], "--positive", "good", "-o", "black", "--format", "html", "--quiet")
    found = report(answer, folder / "black")
    assert found["subject"]["lowering"]["proved"] is False
    assert found["subject"]["lowering"]["why_not"]
    assert {row["name"]: row["status"] for row in found["plugins"] if row["kind"] == "quantizer"}["symmetric"] == "declined"


def test_the_positive_class_may_come_first(call: Callable[..., Answer], folder: Path) -> None:
    """`bad` is index 0 of the model; decisions are about its probability."""
    judge = "symmetric(axis='tensor',bits=8)"
    words = (*RUN, "--positive", "bad", "--cutoff", "0.3", "--quantizers", "symmetric", "--explainers", "surrogate_tree")
    answer = call("run", *words, "--judge", judge, "-o", "first_class", "--format", "html", "--quiet")
    found = report(answer, folder / "first_class")
    assert (found["subject"]["positive"], found["subject"]["cutoff"]) == ("bad", 0.3)
    flips = [row["value"] for row in found["evidence"] if row["measure"] == "flips" and row["about"].get("candidate") == judge]
    assert flips
    assert flips[0] is not None


@pytest.mark.parametrize("rows", ["one row", "one class"])
def test_few_rows_are_not_refused(rows: str, call: Callable[..., Answer], folder: Path) -> None:
    """What cannot be measured is said, with a reason."""
    table = pd.read_csv(folder / "holdout.csv")
    few = table.head(1) if rows == "one row" else table[table.y == "good"]
    name = rows.replace(" ", "_")
    few.to_csv(folder / f"{name}.csv", index=False)
    words = ("model.skops", f"{name}.csv", "--target", "y", "--positive", "good", "--quantizers", "symmetric")
    found = report(
        call("run", *words, "--explainers", "surrogate_tree", "-o", name, "--format", "html", "--quiet"), folder / name
    )
    missing = [row for row in found["evidence"] if row["value"] is None]
    assert missing
    assert all(row["reason"] for row in missing)
