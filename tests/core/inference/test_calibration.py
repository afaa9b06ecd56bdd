"""Calibration errors against loops, numerical integration and simulated walks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from qaudit.core.inference.calibration import (
    BinnedError,
    ece,
    ece_change,
    ks_calibration,
    ks_calibration_p,
    sup_brownian_cdf,
    sup_brownian_quantile,
)
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.row_keys import row_keys
from qaudit.core.inference.weighted_sums import calibrated_sums, poisson_weights
from qaudit.core.measures import classification
from qaudit.core.tensor import Floats

RNG = np.random.default_rng(5)
N = 90
P = np.round(RNG.beta(0.8, 2, N), 2)
HIT = RNG.random(N) < 0.1 + 0.8 * P
Q = np.clip(P + RNG.normal(size=N) / 50, 0, 1)
KEYS = row_keys({"p": P, "hit": HIT, "q": Q})


def gaps(p: Floats, weights: Floats, bins: int) -> Floats:
    sums = np.zeros(bins)
    for value, event, weight in zip(p.tolist(), HIT.tolist(), weights.tolist(), strict=True):
        sums[min(max(math.ceil(value * bins) - 1, 0), bins - 1)] += weight * (value - event)
    return sums / weights.sum()


def quantile(distances: Floats) -> float:
    return float(np.sort(distances)[math.ceil((len(distances) + 1) * 0.95) - 1])


@pytest.mark.parametrize("bins", [1, 5, 15])
def test_the_binned_error_and_its_band_equal_loops(bins: int) -> None:
    result = ece(HIT, P, KEYS, bins=bins, replicates=99)
    plain = gaps(P, np.ones(N), bins)
    drawn = np.array([gaps(P, weights, bins) for weights in poisson_weights(KEYS, 99)])
    index = np.clip(np.ceil(P * bins) - 1, 0, bins - 1).astype(np.int64)
    events = calibrated_sums(KEYS, P, index, bins, 99) / N
    reach = max(quantile(np.abs(drawn - plain).sum(axis=1)), quantile(np.abs(events).sum(axis=1)))
    value = np.abs(plain).sum()
    assert result.estimate.value == pytest.approx(value, abs=1e-12)
    assert result.estimate.value == pytest.approx(classification.ece(HIT, P, bins).value, abs=1e-12)
    assert result.estimate.interval is not None
    assert result.estimate.interval.low == pytest.approx(max(0, value - reach), abs=1e-12)
    assert result.estimate.interval.high == pytest.approx(min(1, value + reach), abs=1e-12)
    assert result.bins == bins


def test_without_events_the_band_is_that_of_the_stated_probabilities() -> None:
    p = np.full(N, 0.02)
    none = ece(np.zeros(N, dtype=bool), p, KEYS, replicates=199).estimate
    assert none.value == pytest.approx(0.02)
    # every replicate of these rows is the same; 4 events of 90 rows are the 95 % quantile of what 2 % would show
    assert none.interval is not None
    assert none.interval.low == 0.0
    assert 0.035 < none.interval.high < 0.06


def test_the_debiased_error_subtracts_what_chance_adds() -> None:
    result = ece(HIT, P, KEYS, bins=5, replicates=9)
    plain = gaps(P, np.ones(N), 5)
    index = np.clip(np.ceil(P * 5) - 1, 0, 4).astype(int)
    expected = 2 * np.abs(plain).sum()
    for each in range(5):
        residuals = np.where(index == each, P - HIT, 0.0)
        law = stats.norm(plain[each], residuals.std() / math.sqrt(N))
        expected -= integrate.quad(lambda x, law=law: abs(x) * law.pdf(x), -1, 1, points=[0.0, plain[each]], epsabs=1e-12)[0]
    assert result.debiased == pytest.approx(max(0, expected), abs=1e-8)
    assert result.debiased is not None
    assert result.debiased < (result.estimate.value or 0)
    right = ece(np.ones(4, dtype=bool), np.ones(4), KEYS[:4], replicates=9)
    assert (right.estimate.value, right.debiased) == (0.0, 0.0)


def test_the_debiased_error_is_nearly_right_on_average() -> None:
    rng = np.random.default_rng(6)
    raw, debiased = [], []
    for _ in range(200):
        p = rng.beta(0.8, 2, 400)
        result = ece(rng.random(400) < 0.1 + 0.8 * p, p, np.arange(400, dtype=np.uint64), replicates=1)
        raw.append(result.estimate.value or 0.0)
        debiased.append(result.debiased or 0.0)
    # bins of equal width cut the curve 0.1 - 0.2 p, whose mean distance from 0 this is
    p = np.random.default_rng(7).beta(0.8, 2, 10**6)
    index = np.clip(np.ceil(p * 15) - 1, 0, 14).astype(int)
    truth = np.abs(np.bincount(index, 0.1 - 0.2 * p)).sum() / 10**6
    assert abs(np.mean(debiased) - truth) < 0.6 * abs(np.mean(raw) - truth)


def test_the_change_lies_within_how_far_the_gaps_moved() -> None:
    result = ece_change(HIT, P, HIT, Q, KEYS, bins=5, replicates=99)
    before, after = gaps(P, np.ones(N), 5), gaps(Q, np.ones(N), 5)
    assert result.value == pytest.approx(np.abs(after).sum() - np.abs(before).sum(), abs=1e-12)
    drawn = np.array([gaps(Q, weights, 5) - gaps(P, weights, 5) for weights in poisson_weights(KEYS, 99)])
    half = np.abs(after - before).sum() + quantile(np.abs(drawn - (after - before)).sum(axis=1))
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((-half, half), abs=1e-12)
    assert abs(result.value or 0) <= half
    same = ece_change(HIT, P, HIT, P, KEYS)
    assert (same.value, same.interval, same.reason) == (0.0, None, "no interval: no confidence changed")


def test_the_curve_without_bins_equals_a_loop() -> None:
    result = ks_calibration(HIT, P)
    value = max(abs(sum((P - HIT)[t >= P])) for t in P) / N
    assert result.value == pytest.approx(value, abs=1e-12)
    reach = 2.2414 * math.sqrt(max(np.sum((P - HIT) ** 2), np.sum(P * (1 - P)))) / N
    assert result.interval is not None
    assert result.interval.low == pytest.approx(max(0, value - reach), abs=1e-4)
    assert result.interval.high == pytest.approx(value + reach, abs=1e-4)
    no_event = ks_calibration(np.zeros(N, dtype=bool), np.full(N, 0.02)).interval
    assert no_event is not None
    assert no_event.high == pytest.approx(0.02 + 2.2414 * math.sqrt(N * 0.02 * 0.98) / N, abs=1e-4)


def test_brownian_motion() -> None:
    assert sup_brownian_quantile(0.95) == pytest.approx(2.241403, abs=1e-6)
    below = [4 / math.pi * sum((-1) ** k / (2 * k + 1) * math.exp(-(((2 * k + 1) * math.pi / x) ** 2) / 8) for k in range(99))
             for x in (0.5, 1.0, 1.5, 3.0)]  # fmt: skip
    assert [sup_brownian_cdf(x) for x in (0.5, 1.0, 1.5, 3.0)] == pytest.approx(below, abs=1e-12)
    assert sup_brownian_cdf(0.0) == 0.0
    walks = np.abs(np.cumsum(np.random.default_rng(8).choice([-1.0, 1.0], (4000, 1000)), axis=1)).max(axis=1) / math.sqrt(1000)
    assert np.mean(walks <= 1.5) == pytest.approx(sup_brownian_cdf(1.5), abs=0.03)


def test_p_is_level_for_calibrated_probabilities_and_small_for_others() -> None:
    rng = np.random.default_rng(9)
    level, power = [], []
    for _ in range(400):
        p = rng.beta(0.8, 2, 300)
        level.append(ks_calibration_p(rng.random(300) < p, p) or 0.0)
        power.append(ks_calibration_p(rng.random(300) < 0.2 + 0.8 * p, p) or 0.0)
    assert np.mean(np.array(level) <= 0.05) < 0.085
    assert np.mean(np.array(level) <= 0.5) > 0.35
    assert np.mean(np.array(power) <= 0.05) > 0.95
    assert ks_calibration_p(HIT, HIT * 1.0) is None
    assert ks_calibration_p(HIT[:0], P[:0]) is None


def test_the_order_of_rows_changes_no_bit() -> None:
    order = np.random.default_rng(1).permutation(N)
    assert ece(HIT[order], P[order], KEYS[order], replicates=99) == ece(HIT, P, KEYS, replicates=99)
    assert ks_calibration(HIT[order], P[order]) == ks_calibration(HIT, P)
    moved = ece_change(HIT[order], P[order], HIT[order], Q[order], KEYS[order], replicates=99)
    assert moved == ece_change(HIT, P, HIT, Q, KEYS, replicates=99)


def test_no_rows() -> None:
    nothing = Estimate(None, None, 0, "no rows")
    assert ece(HIT[:0], P[:0], KEYS[:0]) == BinnedError(nothing, None, 15)
    assert ece_change(HIT[:0], P[:0], HIT[:0], P[:0], KEYS[:0]) == nothing
    assert ks_calibration(HIT[:0], P[:0]) == nothing
