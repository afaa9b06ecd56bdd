"""Measures of change against loops and known values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from qaudit.core.measures import changes

ROWS = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40)


@given(ROWS)
def test_flips_against_a_loop(rows: list[tuple[int, int, int]]) -> None:
    kinds = {"fixed": 0, "broken": 0, "other": 0, "right": 0}
    for truth, before, after in rows:
        if before == after == truth:
            kinds["right"] += 1
        elif before != after:
            kinds["broken" if before == truth else "fixed" if after == truth else "other"] += 1
    truth, before, after = (np.array(column) for column in zip(*rows, strict=True))
    found = changes.count_flips(truth, before, after)
    assert {name: getattr(found, name) for name in kinds} == kinds
    assert found.total == int(changes.flip_rate(before, after).value * len(rows) + 0.5)  # type: ignore[operator]


def test_a_share_has_its_exact_interval() -> None:
    found = changes.share(0, 299)
    assert found.value == 0.0
    assert found.interval is not None
    assert found.interval.high == pytest.approx(1 - 0.025 ** (1 / 299))


def test_sqnr_of_a_uniform_quantizer_is_the_text_book() -> None:
    values = np.linspace(-1, 1, 200_001)
    step = 2 / 255
    found = changes.sqnr_db(values, np.rint(values / step) * step).value
    # rms 1/sqrt(3) over a peak of 1: 6.02 b + 4.77 - 20 log10(sqrt 3) = 6.02 b, with 255 steps in place of 256
    assert found == pytest.approx(20 * math.log10(255), abs=0.02)


def test_sqnr_without_noise_or_signal_is_not_assessed() -> None:
    assert changes.sqnr_db(np.ones(3), np.ones(3)).value is None
    assert changes.sqnr_db(np.zeros(3), np.ones(3)).reason == "the signal is zero everywhere"


@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_kl_is_scipys_entropy(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(k), 20), rng.dirichlet(np.ones(k), 20)
    assert changes.kl_rows(p, q) == pytest.approx(entropy(p, q, axis=1), rel=1e-6, abs=1e-9)
    assert (changes.kl_rows(p, q) >= 0).all()
    assert (changes.kl_rows(p, p) == 0).all()


def test_kl_with_a_zero_is_finite() -> None:
    assert changes.kl_rows(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))[0] == pytest.approx(52 * math.log(2), rel=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_the_histogram_holds_every_row(values: list[float]) -> None:
    change = np.array(values)
    edges = changes.change_edges(change)
    assert changes.histogram(change, edges).sum() == len(values)
    assert edges == pytest.approx(-edges[::-1])


def test_errors_and_quantiles() -> None:
    a, b = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[0.5, 1.0], [2.0, 1.0]])
    assert changes.max_abs_error(a, b).value == 2.0
    assert changes.mean_abs_error(a, b).value == 0.625
    assert changes.quantile(np.arange(101.0), 0.99).value == 99.0
    assert changes.quantile(np.empty(0), 0.5).reason == "no rows"
