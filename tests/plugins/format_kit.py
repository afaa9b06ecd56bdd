"""A mixed data set and a pipeline on it, for the tests of the formats."""

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = 120


def mixed(seed=0):
    """Numbers with holes, text, and a target that depends on both."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.normal(size=ROWS), "c": rng.choice(["x", "y", "z"], ROWS)})
    frame["c"] = frame["c"].astype(object)
    score = frame["a"] + (frame["c"] == "x") + 0.3 * rng.normal(size=ROWS)
    frame.loc[::7, "b"] = np.nan
    return frame, score.to_numpy()


def pipeline(final):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_pipeline(make_column_transformer((numbers, ["a", "b"]), (texts, ["c"])), final)


def written(estimator, folder):
    path = folder / "model.skops"
    skops.io.dump(estimator, path)
    return path
