"""Intervals of means against scipy, statsmodels and scikit-learn."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from oracle_samples import FIGURES, clusters, values
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss

from qaudit.core.inference.estimate import Estimate, cluster_totals, exact_mean
from qaudit.core.inference.means import brier_rows, difference_of_means, log_loss_rows, mean_interval

ORACLE = json.loads(FIGURES.read_text(encoding="utf-8"))


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.interval is not None
    return estimate.interval.low, estimate.interval.high


def test_student_equals_scipy_and_statsmodels() -> None:
    result = mean_interval(values())
    scipy = stats.ttest_1samp(values(), 0.0).confidence_interval(0.95)
    assert ends(result) == pytest.approx((scipy.low, scipy.high), abs=1e-10)
    assert ends(result) == pytest.approx(tuple(ORACLE["t"]), abs=1e-10)
    assert result.value == pytest.approx(values().mean(), abs=1e-14)


def test_clusters_equal_statsmodels() -> None:
    result = mean_interval(values(), clusters=clusters())
    assert ends(result) == pytest.approx(tuple(ORACLE["clustered t"]), abs=1e-10)
    assert result.interval is not None
    assert result.interval.method == f"t over {len(set(clusters()))} clusters"


def test_clusters_of_one_row_are_rows() -> None:
    assert ends(mean_interval(values(), clusters=np.arange(len(values())))) == pytest.approx(ends(mean_interval(values())))


def test_welch_equals_scipy_and_statsmodels() -> None:
    a, b = values()[:60], values()[60:]
    scipy = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert ends(difference_of_means(a, b)) == pytest.approx((scipy.low, scipy.high), abs=1e-10)
    assert ends(difference_of_means(a, b)) == pytest.approx(tuple(ORACLE["welch"]), abs=1e-10)
    tiny = difference_of_means(a * 1e-100, b * 1e-100)
    assert [end * 1e100 for end in ends(tiny)] == pytest.approx(ends(difference_of_means(a, b)), rel=1e-6)


def test_the_order_of_rows_changes_no_bit() -> None:
    order = np.random.default_rng(0).permutation(len(values()))
    assert mean_interval(values()[order]) == mean_interval(values())
    assert mean_interval(values()[order], clusters=clusters()[order]) == mean_interval(values(), clusters=clusters())
    # numpy's own mean does depend on it for such values
    assert len({float(np.mean(np.random.default_rng(seed).permutation(values() * 1e3))) for seed in range(20)}) > 1


def test_ends_stay_inside_the_possible_values() -> None:
    result = mean_interval(np.array([0.0, 0.0, 1.0]), lowest=0.0, highest=1.0)
    assert ends(result) == (0.0, 1.0)


def test_where_there_is_no_interval_the_reason_is_said() -> None:
    one = np.array([2.5])
    assert mean_interval(one[:0]) == Estimate(None, None, 0, "no rows")
    assert mean_interval(one) == Estimate(2.5, None, 1, "no interval: one row")
    assert mean_interval(values(), clusters=np.zeros(len(values()))).reason == "no interval: one cluster"
    assert mean_interval(np.full(3, 0.25)) == Estimate(0.25, None, 3, "no interval: these rows do not vary")
    assert mean_interval(np.zeros(4)).interval is None
    assert difference_of_means(one, one[:0]) == Estimate(None, None, 1, "no rows")
    assert difference_of_means(one, values()).reason == "no interval: one row in a group"
    assert difference_of_means(np.full(3, 2.0), np.full(2, 1.0)) == Estimate(1.0, None, 5, "no interval: these rows do not vary")


def test_totals_of_clusters() -> None:
    totals = cluster_totals(values(), clusters())
    assert totals.tolist() == [math.fsum(values()[clusters() == label]) for label in np.unique(clusters())]
    assert cluster_totals(values(), None) is values() or np.array_equal(cluster_totals(values(), None), values())
    assert exact_mean(np.array([1e16, 1.0, -1e16])) == pytest.approx(1 / 3)


def test_losses_of_rows_have_the_means_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    probability = rng.dirichlet(np.ones(3), 50)
    truth = rng.integers(0, 3, 50)
    assert log_loss_rows(truth, probability, 2**-52).mean() == pytest.approx(log_loss(truth, probability), abs=1e-10)
    hot = np.eye(3)[truth]
    assert brier_rows(truth, probability, None).mean() == pytest.approx(np.mean(np.sum((probability - hot) ** 2, axis=1)))
    two = np.column_stack([1 - probability[:, 0], probability[:, 0]])
    positive = (truth > 0).astype(int)
    assert brier_rows(positive, two, 1).mean() == pytest.approx(brier_score_loss(positive, two[:, 1]), abs=1e-10)
