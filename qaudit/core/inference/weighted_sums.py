"""Sums under random Poisson weights, exact in whole numbers, so that no order of rows, blocks or workers changes a bit.

The weight of a row in a replicate is a function of its key and the number of the replicate (a counter-based generator, Salmon
and others 2011; Poisson weights in place of multinomial counts: Hanley and MacGibbon 2006, Chamandy and others 2012). A value
is rounded to 52 bits below the largest of its column and split into two halves of 26 bits. Each partial sum of weight times
half is then a whole number that float64 holds exactly, whatever the order in which a matrix product adds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qaudit.core.inference.row_keys import GAMMA, Keys, mix
from qaudit.core.tensor import Floats

COUNTS = (24103, 24124, 12046, 4018, 1005, 201, 33, 5, 1)
"""How often 0, 1, 2 ... stand in the table of 65,536 weights: Poisson shares, moved so that mean and variance are 1."""
TABLE = np.repeat(np.arange(float(len(COUNTS))), COUNTS)
MAX_ROWS = 2**26
"""Above, a sum of halves may leave the whole numbers that float64 holds."""
_LANES = 4
_HALF = 2.0**26
_ROWS, _GROUPS = 8192, 16
"""Rows and words of a block: its weights are 4 MiB."""


def poisson_weights(keys: Keys, replicates: int, seed: int = 0) -> Floats:
    """Weights (replicates, n) of rows with these keys (n,)."""
    groups = -(-replicates // _LANES)
    return _weights(keys, _words(groups, seed))[:replicates]


@dataclass(frozen=True, slots=True, eq=False)
class WeightedSums:
    """Sums of columns: the observed rows first (weight 1), then each replicate. Those of two sets of rows are added by +.

    `high` and `low` (1 + replicates, m) are whole numbers, `exponents` (m,) the powers of two of the columns' largest values.
    """

    high: Floats
    low: Floats
    exponents: NDArray[np.int64]
    weight: Floats
    """Total weight of the observed rows and of each replicate (1 + replicates,)."""

    def __add__(self, other: WeightedSums) -> WeightedSums:
        if not np.array_equal(self.exponents, other.exponents):
            raise ValueError("sums of blocks with different exponents cannot be added")
        return _checked(self.high + other.high, self.low + other.low, self.exponents, self.weight + other.weight)

    def values(self) -> Floats:
        """The sums (1 + replicates, m), rounded once."""
        return np.ldexp(self.high * _HALF + self.low, self.exponents - 52)


def exponents(columns: Floats) -> NDArray[np.int64]:
    """For each of the columns (n, m) the smallest e with |value| < 2**e, 0 for zeros alone; for all blocks take the largest."""
    largest = np.max(np.abs(columns), axis=0, initial=0.0)
    if not np.isfinite(largest).all():
        raise ValueError("sums need finite values")
    return np.asarray(np.frexp(largest)[1], dtype=np.int64)


def weighted_sums(
    keys: Keys, columns: Floats, replicates: int, seed: int = 0, powers: NDArray[np.int64] | None = None
) -> WeightedSums:
    """Sums of columns (n, m) for rows with these keys (n,). A block of rows takes `powers` from all of them (`exponents`)."""
    powers = exponents(columns) if powers is None else powers
    width, groups = columns.shape[1], -(-replicates // _LANES)
    sums, totals = np.zeros((1 + groups * _LANES, 2 * width)), np.zeros(1 + groups * _LANES)
    words = _words(groups, seed)
    for start in range(0, len(keys), _ROWS):
        part = slice(start, start + _ROWS)
        halves = exact_halves(columns[part], powers)
        sums[0] += halves.sum(axis=0)
        totals[0] += len(halves)
        for group in range(0, groups, _GROUPS):
            weights = _weights(keys[part], words[group : group + _GROUPS])
            first = 1 + group * _LANES
            sums[first : first + len(weights)] += weights @ halves
            totals[first : first + len(weights)] += weights.sum(axis=1)
    sums = sums[: 1 + replicates]
    return _checked(sums[:, :width], sums[:, width:], powers, totals[: 1 + replicates])


def grouped_sums(columns: Floats, index: NDArray[np.intp], count: int) -> Floats:
    """Sums (count, m) of columns (n, m) by group number (n,), each value rounded to 52 bits below the largest of its column.

    Sums of whole numbers, so that no order of rows changes a bit; no loop over groups.
    """
    if len(columns) > MAX_ROWS:
        raise ValueError(f"{len(columns)} rows: sums are exact up to {MAX_ROWS} rows")
    powers = exponents(columns)
    high, low = np.split(exact_halves(columns, powers), 2, axis=1)
    sums = np.empty((count, columns.shape[1]))
    for place, (first, second) in enumerate(zip(high.T, low.T, strict=True)):
        whole = np.bincount(index, first, count) * _HALF + np.bincount(index, second, count)
        sums[:, place] = np.ldexp(whole, powers[place] - 52)
    return sums


def calibrated_sums(
    keys: Keys, probability: Floats, groups: NDArray[np.int64], count: int, replicates: int, seed: int = 0
) -> Floats:
    """(replicates, count): sums of probability - event by group, for rows (n,) whose events are drawn with these probabilities.

    Probabilities are rounded to 16 bits in both terms, so that the mean is exactly 0. All sums are of whole numbers.
    """
    _checked(np.zeros((1, 0)), np.zeros((1, 0)), np.zeros(0, dtype=np.int64), np.array([float(len(keys))]))
    levels = np.rint(np.clip(probability, 0.0, 1.0) * 2**16)
    words = _words(-(-replicates // _LANES), seed)
    sums = np.zeros((len(words) * _LANES, count))
    for start in range(0, len(keys), _ROWS):
        part = slice(start, start + _ROWS)
        member = (groups[part, None] == np.arange(count)).astype(np.float64)
        for first in range(0, len(words), _GROUPS):
            draws = _draws(keys[part], words[first : first + _GROUPS])
            events = (draws < levels[part]).astype(np.float64)
            place = first * _LANES
            sums[place : place + len(events)] += levels[part] @ member - 2.0**16 * (events @ member)
    return sums[:replicates] / 2**16


def _checked(high: Floats, low: Floats, powers: NDArray[np.int64], weight: Floats) -> WeightedSums:
    if weight[0] > MAX_ROWS or weight.max() > 2 * MAX_ROWS:
        raise ValueError(f"{weight[0]:.0f} rows: sums are exact up to {MAX_ROWS} rows with keys that differ")
    return WeightedSums(high, low, powers, weight)


def _words(groups: int, seed: int) -> Keys:
    """One word for four replicates: the sequence of SplitMix64 that starts at the mixed seed."""
    start = mix(np.array([seed], dtype=np.uint64))
    return mix(start + np.arange(groups, dtype=np.uint64) * np.uint64(GAMMA))


def _weights(keys: Keys, words: Keys) -> Floats:
    return np.asarray(TABLE[_draws(keys, words)])


def _draws(keys: Keys, words: Keys) -> NDArray[np.uint16]:
    """Four numbers below 65,536 for each word and row: (4 x words, n)."""
    hashes = mix(keys[None, :] ^ words[:, None]).astype("<u8")
    draws = hashes.view("<u2").reshape(len(words), len(keys), _LANES)
    return np.ascontiguousarray(draws.transpose(0, 2, 1)).reshape(len(words) * _LANES, len(keys))


def exact_halves(columns: Floats, powers: NDArray[np.int64]) -> Floats:
    """(n, 2m): whole numbers of at most 26 bits; value = (first x 2**26 + second) x 2**(power - 52), rounded to 52 bits."""
    whole = np.rint(np.ldexp(columns, 52 - powers))
    high = np.floor(whole / _HALF)
    return np.concatenate([high, whole - high * _HALF], axis=1)
