"""Intervals of quantiles and of signal to noise against plain twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from qaudit.core.inference import signal
from qaudit.core.inference.quantiles import quantile_interval
from qaudit.core.inference.row_keys import row_keys

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(("n", "q"), [(400, 0.99), (1000, 0.99), (60, 0.5), (61, 0.9)])
def test_the_ends_hold_the_quantile_at_least_as_often_as_they_say(n: int, q: float) -> None:
    values = RNG.permutation(n).astype(float)
    result = quantile_interval(values, q)
    assert result.value == np.quantile(values, q)
    assert result.interval is not None
    first, last = int(result.interval.low) + 1, int(result.interval.high) + 1  # values are their ranks less one
    # the ends hold it where at least `first` and fewer than `last` values lie below it
    assert sum(binom.pmf(k, n, q) for k in range(first, last)) >= 0.95
    assert sum(binom.pmf(k, n, q) for k in range(first + 1, last)) < 0.975
    assert binom.cdf(first - 1, n, q) <= 0.025
    assert binom.sf(last - 1, n, q) <= 0.025
    assert result.interval.method == f"ranks {first} and {last} (binomial)".replace("1000", "1,000")


def test_few_rows_show_no_high_quantile() -> None:
    assert quantile_interval(np.arange(200.0), 0.99).reason == "no interval: 200 rows are too few for a quantile of 99%"
    assert quantile_interval(np.zeros(0), 0.99).reason == "no rows"


def test_signal_to_noise_is_that_of_the_rows_with_about_its_normal_interval() -> None:
    before, noise = RNG.normal(size=2000), RNG.normal(size=2000) / 50
    keys = row_keys({"before": before, "noise": noise})
    result = signal.sqnr_db(before**2, noise**2, keys)
    assert result.value == pytest.approx(10 * math.log10(np.sum(before**2) / np.sum(noise**2)), abs=1e-10)
    a, b = before**2 / np.mean(before**2), noise**2 / np.mean(noise**2)
    error = 10 / math.log(10) * np.std(a - b) / math.sqrt(2000)
    assert result.interval is not None
    assert (result.interval.high - result.interval.low) / 2 == pytest.approx(1.96 * error, rel=0.08)
    order = RNG.permutation(2000)
    assert signal.sqnr_db(before[order] ** 2, noise[order] ** 2, keys[order]) == result
    assert signal.sqnr_db(before**2, 0 * noise, keys).reason == "no difference: the ratio has no finite value"
