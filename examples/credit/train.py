"""Train the example's mortgage model: split the applications, fit a small neural network, save model and rows.

    python train.py OUT

writes OUT/train.csv, OUT/holdout.csv and OUT/model.skops. The same versions write the same rows on every machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from qaudit.registry.estimators import save_estimator

SEED = 1990
NUMBERS = ["pirat", "hirat", "lvrat", "chist", "mhist", "unemp"]
TEXTS = ["phist", "selfemp", "condomin", "hschool"]
GROUPS = ["afam", "single"]  # kept beside the rows for the audit; never an input
BLANKED = {"pirat": 0.04, "unemp": 0.04, "hschool": 0.04}


def applications(path: Path) -> pd.DataFrame:
    """The survey's rows without `insurance`, which is known only once a decision is near and so gives the answer away."""
    return pd.read_csv(path)[["deny", *NUMBERS, *TEXTS, *GROUPS]]


def blanked(rows: pd.DataFrame) -> pd.DataFrame:
    """Blank 4 % of three columns completely at random: the published file has no gap, a lender's files do."""
    rng = np.random.default_rng(SEED)
    rows = rows.copy()
    for column, share in BLANKED.items():
        rows[column] = rows[column].mask(rng.random(len(rows)) < share)
    return rows


def split(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """1,600 rows to train on and 780 held out, alike in refusals and in `afam`."""
    train, holdout = train_test_split(rows, test_size=780, stratify=rows[["deny", "afam"]], random_state=SEED)
    return train.sort_index(), holdout.sort_index()


def model() -> Pipeline:
    """Impute, scale, one-hot; then one hidden layer of 16 units."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    encode = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    network = MLPClassifier(
        hidden_layer_sizes=(16,), activation="tanh", alpha=5.0, solver="lbfgs", max_iter=2000, random_state=SEED
    )
    return Pipeline([("encode", encode), ("network", network)])


def main(out: Path) -> None:
    """Write the three files to `out` and print how well the model ranks."""
    out.mkdir(parents=True, exist_ok=True)
    train, holdout = split(blanked(applications(Path(__file__).with_name("hmda_boston.csv"))))
    fitted = model().fit(train[NUMBERS + TEXTS], train["deny"])
    train.to_csv(out / "train.csv", index=False, lineterminator="\n")
    holdout.to_csv(out / "holdout.csv", index=False, lineterminator="\n")
    content, _, digest = save_estimator(fitted)  # skops.io.dump(fitted, path) would do, with other bytes each time
    (out / "model.skops").write_bytes(content)
    refused = holdout["deny"] == "yes"
    auc = roc_auc_score(refused, fitted.predict_proba(holdout[NUMBERS + TEXTS])[:, 1])
    print(f"{len(train)} rows trained on, {len(holdout)} held out, AUC {auc:.3f}; {out / 'model.skops'} {digest}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
