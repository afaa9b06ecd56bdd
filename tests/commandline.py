"""The program as a person starts it, and three real tasks small enough for the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops.io import dump

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
CREDIT = ROOT / "examples" / "credit"
ELSEWHERE = {"TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8", "LC_ALL": "C", "PYTHONHASHSEED": "4711"}
"""Another time zone, language and hash seed: none may change a byte."""


def another_user() -> list[str]:
    """Words before a command that run it under a user number with no name and no home; files stay as readable as they are.

    None where the system refuses a namespace of users, as it does inside a chroot: the command then runs as this user.
    """
    mapped = ["unshare", "--user", "--map-user=54321", "--map-group=54321"]
    return mapped if subprocess.run([*mapped, "true"], capture_output=True).returncode == 0 else []


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str


def qaudit(*words: object, home: Path, cwd: Path, env: dict[str, str] | None = None, before: Sequence[str] = ()) -> Answer:
    """Run `python -m qaudit` in a process of its own, after the words `before`; the registry is `home`."""
    base = {key: value for key, value in os.environ.items() if key not in {"SOURCE_DATE_EPOCH", "TZ", "LANG", "LC_ALL"}}
    full = {**base, "QAUDIT_HOME": str(home), "PYTHONHASHSEED": "0", **(env or {})}
    done = subprocess.run(
        [*before, sys.executable, "-m", "qaudit", *map(str, words)],
        cwd=cwd,
        env=full,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def letter(folder: Path) -> None:
    """26 classes from 16 numbers: a small forest, 3,000 rows to train on, 600 held out (the file's last)."""
    rows = pd.read_csv(DATA / "letter_recognition.csv")
    train, holdout = rows.iloc[:3000], rows.iloc[-600:]
    model = RandomForestClassifier(n_estimators=8, max_depth=9, random_state=0)
    model.fit(train.drop(columns="letter"), train["letter"])
    written(folder, model, train, holdout, "csv")


def wage(folder: Path) -> None:
    """Regression from two numbers and four dictionary-encoded texts, in Parquet."""
    rows = pd.read_parquet(DATA / "cps1988_wage.parquet").sample(4000, random_state=0)
    train, holdout = rows.iloc[:3000], rows.iloc[3000:]
    texts = ["ethnicity", "smsa", "region", "parttime"]
    encode = ColumnTransformer([("texts", OneHotEncoder(), texts)], remainder="passthrough")
    model = make_pipeline(encode, GradientBoostingRegressor(n_estimators=20, random_state=0))
    model.fit(train.drop(columns="wage").astype(dict.fromkeys(texts, object)), train["wage"])
    written(folder, model, train, holdout, "parquet")


def written(folder: Path, model: object, train: pd.DataFrame, holdout: pd.DataFrame, kind: str) -> None:
    """model.skops, train and holdout in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    dump(model, folder / "model.skops")
    for name, rows in (("train", train), ("holdout", holdout)):
        if kind == "csv":
            rows.to_csv(folder / f"{name}.csv", index=False)
        else:
            rows.to_parquet(folder / f"{name}.parquet", index=False)


def credit(folder: Path) -> None:
    """The example's own training."""
    subprocess.run([sys.executable, CREDIT / "train.py", folder], check=True, capture_output=True)
