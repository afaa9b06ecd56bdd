"""Poisson weights and their exact sums against twins in whole numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, poisson

from qaudit.core.inference import weighted_sums as module
from qaudit.core.inference.row_keys import mix, row_keys
from qaudit.core.inference.weighted_sums import (
    COUNTS,
    MAX_ROWS,
    TABLE,
    calibrated_sums,
    exponents,
    poisson_weights,
    weighted_sums,
)

KEYS = row_keys({"x": np.arange(300.0)})


def test_the_table_is_poisson_with_mean_and_variance_of_exactly_1() -> None:
    assert sum(COUNTS) == len(TABLE) == 2**16
    assert sum(weight * count for weight, count in enumerate(COUNTS)) == 2**16
    assert sum(weight**2 * count for weight, count in enumerate(COUNTS)) == 2 * 2**16
    shares = np.array(COUNTS) / 2**16
    assert np.abs(shares - poisson.pmf(np.arange(len(COUNTS)), 1)).max() < 3e-4


def slow_draw(key: int, replicate: int, seed: int) -> int:
    def mixed(state: int) -> int:
        return int(mix(np.array([state % 2**64], dtype=np.uint64))[0])

    word = mixed(mixed(seed) + replicate // 4 * 0x9E3779B97F4A7C15)
    return mixed(key ^ word) >> (16 * (replicate % 4)) & 0xFFFF


@pytest.mark.parametrize("seed", [0, 7])
def test_weights_equal_their_slow_twin(seed: int) -> None:
    weights = poisson_weights(KEYS[:9], 10, seed)
    twin = [[TABLE[slow_draw(key, replicate, seed)] for key in KEYS[:9].tolist()] for replicate in range(10)]
    assert weights.tolist() == twin


def test_weights_are_poisson_and_independent_of_each_other() -> None:
    weights = poisson_weights(KEYS, 2000)
    seen = np.bincount(weights.astype(int).ravel(), minlength=9)[:6]
    expected = np.array(COUNTS[:6]) / sum(COUNTS[:6]) * seen.sum()
    assert chisquare(seen, expected).pvalue > 1e-4
    # covariances of 300 rows and of 2,000 replicates: no eigenvalue beyond the ends of Marchenko and Pastur's law
    eigenvalues = np.linalg.eigvalsh(np.cov(weights.T))
    edge = math.sqrt(300 / 2000)
    assert (1 - edge) ** 2 * 0.9 < eigenvalues[0]
    assert eigenvalues[-1] < (1 + edge) ** 2 * 1.1


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e-300, 1e-300)), min_size=1, max_size=40), st.integers(0, 3))
def test_sums_are_exact_but_for_one_rounding_of_each_value(rows: list[tuple[float, float]], seed: int) -> None:
    columns = np.array(rows)
    keys = KEYS[: len(rows)]
    sums = weighted_sums(keys, columns, 6, seed).values()
    weights = np.vstack([np.ones(len(rows)), poisson_weights(keys, 6, seed)])
    for column in range(2):
        step = Fraction(2) ** (int(exponents(columns)[column]) - 52)
        rounded = [round(Fraction(value) / step) * step for value in columns[:, column].tolist()]
        for replicate, line in enumerate(weights.tolist()):
            exact = sum((Fraction(weight) * value for weight, value in zip(line, rounded, strict=True)), Fraction(0))
            assert sums[replicate, column] == float(exact)


def test_order_blocks_and_block_size_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    columns = rng.standard_cauchy((300, 3))
    whole = weighted_sums(KEYS, columns, 50)
    order = rng.permutation(300)
    assert np.array_equal(weighted_sums(KEYS[order], columns[order], 50).values(), whole.values())
    powers = exponents(columns)
    parts = [weighted_sums(KEYS[rows], columns[rows], 50, powers=powers) for rows in np.array_split(order, 7)]
    joined = sum(parts[1:], parts[0])
    assert np.array_equal(joined.values(), whole.values())
    assert np.array_equal(joined.weight, whole.weight)
    monkeypatch.setattr(module, "_ROWS", 13)
    monkeypatch.setattr(module, "_GROUPS", 2)
    assert np.array_equal(weighted_sums(KEYS, columns, 50).values(), whole.values())
    # a plain product of floats does depend on the order, so the comparison above can fail
    plain = poisson_weights(KEYS, 50) @ columns
    assert not np.array_equal(poisson_weights(KEYS[order], 50) @ columns[order], plain)
    assert whole.values()[1:] == pytest.approx(plain, rel=1e-9, abs=1e-6)


def test_weights_of_fewer_replicates_are_the_first_of_more() -> None:
    assert np.array_equal(poisson_weights(KEYS, 5), poisson_weights(KEYS, 50)[:5])


def test_what_would_not_be_exact_is_refused() -> None:
    sums = weighted_sums(KEYS, np.ones((300, 1)), 4)
    most = replace(sums, weight=np.full(5, float(MAX_ROWS)))
    with pytest.raises(ValueError, match=f"exact up to {MAX_ROWS} rows"):
        most + sums
    # many rows under one key may all be drawn eight times
    heavy = replace(sums, weight=np.array([300.0, 2.0 * MAX_ROWS, 0, 0, 0]))
    with pytest.raises(ValueError, match="keys that differ"):
        heavy + sums
    with pytest.raises(ValueError, match="different exponents"):
        sums + weighted_sums(KEYS, np.full((300, 1), 4.0), 4)
    with pytest.raises(ValueError, match="finite"):
        weighted_sums(KEYS[:1], np.array([[np.nan]]), 4)


def test_the_largest_number_of_rows_leaves_the_sums_whole() -> None:
    """The bound itself: halves of 26 bits under a total weight of 2^27 stay within 53 bits."""
    assert 2 * MAX_ROWS * 2**26 == 2**53


def test_events_with_the_stated_probabilities_equal_their_slow_twin() -> None:
    probability = np.linspace(-0.01, 1.01, 9)
    groups = np.arange(9) % 3
    sums = calibrated_sums(KEYS[:9], probability, groups, 3, 6, 5)
    for replicate in range(6):
        expected = [0.0, 0.0, 0.0]
        for row, key in enumerate(KEYS[:9].tolist()):
            level = round(min(max(probability[row], 0.0), 1.0) * 65536)
            expected[groups[row]] += level / 65536 - (slow_draw(key, replicate, 5) < level)
        assert sums[replicate].tolist() == expected


def test_events_have_their_probabilities() -> None:
    probability = np.full(300, 0.2)
    sums = calibrated_sums(KEYS, probability, np.zeros(300, dtype=np.int64), 1, 2000)[:, 0]
    spread = math.sqrt(300 * 0.2 * 0.8)
    assert abs(sums.mean()) < 4 * spread / math.sqrt(2000)
    assert sums.std() == pytest.approx(spread, rel=0.07)
