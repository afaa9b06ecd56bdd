"""Files of a credit model, for the tests of the load stage."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from load_kit import pipeline

from qaudit.pipeline.stages.load import LoadRequest


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
