"""The change of the calibration error without bins, and its interval over clusters, against loops over rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qaudit.core.inference import calibration_curve
from qaudit.core.inference.calibration import ece, ece_change, ks_calibration
from qaudit.core.inference.calibration_curve import ks_calibration_by_cluster, ks_calibration_change
from qaudit.core.inference.row_keys import cluster_keys, row_keys
from qaudit.core.inference.weighted_sums import poisson_weights
from qaudit.core.tensor import Floats

RNG = np.random.default_rng(5)
N = 80
P = np.round(RNG.beta(0.8, 2, N), 2)
HIT = RNG.random(N) < 0.1 + 0.8 * P
Q = np.round(np.clip(P + RNG.normal(size=N) / 20, 0, 1), 2)
KEYS = row_keys({"p": P, "hit": HIT, "q": Q})
NAMES = cluster_keys(np.arange(N) ** 2 % 13)
ORDER = np.random.default_rng(1).permutation(N)


def curve(p: Floats, weights: Floats, points: Floats) -> Floats:
    return np.array([sum(w * (x - h) for x, h, w in zip(p, HIT, weights, strict=True) if x <= t) for t in points]) / weights.sum()


def quantile(distances: list[float]) -> float:
    return sorted(distances)[math.ceil((len(distances) + 1) * 0.95) - 1]


def weights_of(clustered: bool, replicates: int) -> Floats:
    if not clustered:
        return poisson_weights(KEYS, replicates)
    names, index = np.unique(NAMES, return_inverse=True)
    return poisson_weights(names, replicates)[:, index]


@pytest.mark.parametrize("clustered", [False, True], ids=["rows", "clusters"])
def test_the_change_and_its_interval_equal_loops(clustered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_curve, "POINTS", 1000)
    clusters = NAMES if clustered else None
    result = ks_calibration_change(HIT, P, HIT, Q, KEYS, clusters=clusters, replicates=39)
    points = np.unique([*P, *Q])
    ones = np.ones(N)
    assert result.value == pytest.approx(max(abs(curve(Q, ones, points))) - max(abs(curve(P, ones, points))), abs=1e-12)
    plain = curve(Q, ones, points) - curve(P, ones, points)
    drawn = [max(abs(curve(Q, w, points) - curve(P, w, points) - plain)) for w in weights_of(clustered, 39)]
    half = max(abs(plain)) + quantile(drawn)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx((-half, half), abs=1e-12)


def test_a_level_over_clusters_takes_the_wider_of_band_and_bootstrap() -> None:
    points, ones = np.unique(P), np.ones(N)
    plain = curve(P, ones, points)
    reach = quantile([max(abs(curve(P, w, points) - plain)) for w in weights_of(True, 39)])
    result, alone = ks_calibration_by_cluster(HIT, P, KEYS, NAMES, replicates=39), ks_calibration(HIT, P)
    assert result.interval is not None
    assert alone.interval is not None
    assert alone.value is not None
    if len(points) <= calibration_curve.POINTS:
        assert result.interval.high == pytest.approx(max(alone.interval.high, alone.value + reach), abs=1e-12)
    assert result.interval.low <= alone.interval.low
    assert result.value == alone.value


def test_the_order_of_rows_changes_no_bit() -> None:
    for clusters in (None, NAMES):
        moved = None if clusters is None else clusters[ORDER]
        a = ks_calibration_change(HIT, P, HIT, Q, KEYS, clusters=clusters, replicates=39)
        b = ks_calibration_change(HIT[ORDER], P[ORDER], HIT[ORDER], Q[ORDER], KEYS[ORDER], clusters=moved, replicates=39)
        assert a == b


def test_nothing_changed_and_no_rows() -> None:
    assert ks_calibration_change(HIT, P, HIT, P, KEYS).reason == "no interval: no confidence changed"
    assert ks_calibration_change(HIT[:0], P[:0], HIT[:0], P[:0], KEYS[:0]).reason == "no rows"


@pytest.mark.parametrize("dependent", [False, True])
def test_binned_errors_over_clusters_equal_loops(dependent: bool) -> None:
    """Weights by cluster; events normal, those of one cluster all alike where they are dependent."""
    result = ece(HIT, P, KEYS, clusters=NAMES, dependent=dependent, bins=5, replicates=39).estimate
    index = np.clip(np.ceil(P * 5) - 1, 0, 4).astype(int)

    def gaps(p: Floats, at: np.ndarray, w: Floats) -> Floats:
        return np.array([sum(w[i] * (p[i] - HIT[i]) for i in range(N) if at[i] == b) for b in range(5)]) / w.sum()

    plain = gaps(P, index, np.ones(N))
    drawn = quantile([float(np.abs(gaps(P, index, w) - plain).sum()) for w in weights_of(True, 39)])
    spread = np.sqrt(P * (1 - P))
    units = [name == NAMES for name in np.unique(NAMES)] if dependent else list(np.eye(N, dtype=bool))
    variance = [sum(float(np.sum(spread[unit & (index == b)])) ** 2 for unit in units) for b in range(5)]
    normal = np.random.Generator(np.random.Philox(0)).standard_normal((39, 5))
    events = quantile([float(np.abs(row * np.sqrt(variance)).sum()) / N for row in normal])
    value = float(np.abs(plain).sum())
    assert result.interval is not None
    assert result.interval.high == pytest.approx(min(1.0, value + max(drawn, events)), abs=1e-9)
    moved = ece_change(HIT, P, HIT, Q, KEYS, clusters=NAMES, bins=5, replicates=39)
    at = np.clip(np.ceil(Q * 5) - 1, 0, 4).astype(int)
    change = gaps(Q, at, np.ones(N)) - plain
    errors = [float(np.abs(gaps(Q, at, w) - gaps(P, index, w) - change).sum()) for w in weights_of(True, 39)]
    assert moved.interval is not None
    assert moved.interval.high == pytest.approx(float(np.abs(change).sum()) + quantile(errors), abs=1e-9)
