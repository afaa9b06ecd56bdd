"""A declared tolerance: rows whose predicted number moves by more are counted, overall and by group."""

import dataclasses

import numpy as np
import pytest
from load_kit import load_here
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from subjects import candidate, subject

from qaudit.engine.sweep import predict
from qaudit.errors import Refused
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.types import Candidates


def test_rows_that_move_by_more_than_the_tolerance_are_counted() -> None:
    groups = {"sex": np.array(["f", "m"] * 100, dtype=object)}
    of = subject("regression", groups=groups)
    two = candidate(of, 3)
    assert of.program is not None
    change = predict(two.quantized, of.encoded["holdout"])[:, 0] - of.native["holdout"][:, 0]
    tolerance = float(np.sort(np.abs(change))[150])
    evidence = evaluate(dataclasses.replace(of, tolerance=tolerance), Candidates((two,)), two).evidence
    found = {row.about.get("group"): row for row in evidence if row.measure == "moved_share"}
    for name, rows in ((None, range(200)), ("sex=f", range(0, 200, 2)), ("sex=m", range(1, 200, 2))):
        count = sum(abs(change[row]) > tolerance for row in rows)
        exact = binomtest(count, len(rows)).proportion_ci(0.95)
        interval = found[name].interval
        assert interval is not None
        assert found[name].value == count / len(rows)
        assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert found[None].value == 49 / 200
    without = evaluate(of, Candidates((two,)), two).evidence
    assert [row for row in without if row.measure == "moved_share"] == []


def test_a_classifier_takes_no_tolerance(credit) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused, match=r"tolerance = 0\.5: it is for predicted numbers, this is a binary model"):
        load_here(dataclasses.replace(credit(LogisticRegression(max_iter=500)), tolerance=0.5))
