"""Measures of how far two explanations agree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qaudit.core.evidence import Interval
from qaudit.core.explanation import LocalModels
from qaudit.core.table import Table
from qaudit.core.tensor import Floats

TIE = 1e-9
"""Scores that differ from the largest one by at most this count as equal to it."""


def kendall_tau(a: Floats, b: Floats) -> float | None:
    """Kendall's tau-b of two vectors (d,); None where one of them is constant and they differ.

    Pairs are counted as integers, so that two vectors in the same order give exactly 1 (scipy gives 1 - 1e-16).
    """
    if np.array_equal(a, b):
        return 1.0
    left, right = (np.sign(np.subtract.outer(each, each)).astype(np.int64) for each in (a, b))
    pairs = int(np.sum(left != 0)) * int(np.sum(right != 0))
    return int(np.sum(left * right)) / math.sqrt(pairs) if pairs else None


def spearman(a: Floats, b: Floats) -> float | None:
    """Spearman's rank correlation of two vectors (d,); None where one of them is constant and they differ."""
    left, right = stats.rankdata(a), stats.rankdata(b)
    if np.array_equal(a, b) or (len(a) > 1 and np.ptp(left) and np.array_equal(left, right)):
        return 1.0
    if len(a) < 2 or not np.ptp(left) or not np.ptp(right):
        return None
    return float(np.corrcoef(left, right)[0, 1])


def order(values: Floats) -> NDArray[np.int64]:
    """Indices from the largest value to the smallest, ties in index order."""
    return np.argsort(-values, kind="stable")


def top_k_overlap(a: Floats, b: Floats, k: int) -> float:
    """Jaccard overlap of the k largest of each of two vectors (d,)."""
    left, right = set(order(a)[:k].tolist()), set(order(b)[:k].tolist())
    return len(left & right) / len(left | right)


def rank_biased_overlap(a: Floats, b: Floats, p: float = 0.9) -> float:
    """Extrapolated rank-biased overlap of two full rankings of the same items (Webber, Moffat, Zobel 2010, equation 32)."""
    first, second = order(a), order(b)
    depth = len(first)
    shared = np.array([len(set(first[:k].tolist()) & set(second[:k].tolist())) / k for k in range(1, depth + 1)])
    powers = p ** np.arange(1, depth + 1)
    return float(shared[-1] * p**depth + (1 - p) / p * np.sum(shared * powers))


def cosine_distance(a: Floats, b: Floats) -> Floats:
    """1 - cosine a row of (n, d) each; 0 for equal rows (two zero rows too), 1 where one of the two is zero."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.divide(np.sum(a * b, axis=1), lengths, out=np.zeros(len(a)), where=lengths > 0)
    return np.asarray(np.where((a == b).all(axis=1), 0.0, 1.0 - np.clip(cosine, -1.0, 1.0)))


def relative_l2(a: Floats, b: Floats) -> Floats:
    """|a - b| / |a| a row of (n, d) each; 0 for equal rows, 1 where a alone is zero."""
    size, moved = np.linalg.norm(a, axis=1), np.linalg.norm(a - b, axis=1)
    return np.asarray(np.divide(moved, size, out=(moved > 0).astype(np.float64), where=size > 0))


def weighted_r2(models: LocalModels) -> Floats:
    """Weighted R2 a row (n,) of the local models on their own samples; 1 where all answers are equal and met exactly, else 0."""
    fitted = models.intercept[:, None] + np.matmul(models.design, models.coef[:, :, None])[:, :, 0]
    weights, answers = models.weights, models.answers
    mean = np.sum(weights * answers, axis=1, keepdims=True) / np.sum(weights, axis=1, keepdims=True)
    left = np.sum(weights * (answers - fitted) ** 2, axis=1)
    total = np.sum(weights * (answers - mean) ** 2, axis=1)
    # Answers that differ in the last bits only are constant; their R2 would be a ratio of rounding errors.
    flat = np.ptp(answers, axis=1) <= 1e-12 * np.maximum(1.0, np.abs(answers).max(axis=1))
    ratio = np.divide(left, total, out=np.zeros(len(left)), where=total > 0)
    return np.asarray(np.where(flat, left <= 1e-18 * np.sum(weights, axis=1), 1.0 - ratio), dtype=np.float64)


def missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a column holds NaN (numbers) or None (text)."""
    if values.dtype == object:
        return np.array([value is None for value in values], dtype=bool)
    return np.asarray(np.isnan(values))


def mean_design(rows: Table, background: Table) -> Floats:
    """The design of each row and column (n, d), averaged over the background rows.

    The design compares a background value z with the value x of the row. It is z - x for numbers; for text, or where one of the
    two is missing, it is 1 where they differ and 0 where they are equal.
    """
    design = np.zeros((rows.rows, len(rows.names)))
    for j, name in enumerate(rows.names):
        x, z = rows.columns[name], background.columns[name]
        missing_x, missing_z = missing(x), missing(z)
        if rows.kind(name) == "number":
            known = z[~missing_z]
            shift = (known.sum() - x * len(known) + missing_z.sum()) / len(z)
            design[:, j] = np.where(missing_x, np.mean(~missing_z), shift)
        else:
            share = {value: float(np.mean([other == value for other in z])) for value in set(x.tolist())}
            design[:, j] = [1.0 - share[value] for value in x]
    return design


def reason_scores(contributed: Floats, toward: Floats | None) -> Floats:
    """How much each column speaks for the decision (n, d): contributions times `toward` (n,).

    `toward` is 1 where a larger explained output favours the decision and -1 where it counts against it. A regression has no
    decision (`toward` is None): the score is then the absolute contribution.
    """
    return np.abs(contributed) if toward is None else contributed * toward[:, None]


def top_sets(scores: Floats) -> NDArray[np.bool_]:
    """Which columns are the top reason of each row (n, d); several where their scores are equal within TIE."""
    return np.asarray(scores >= scores.max(axis=1, keepdims=True) - TIE)


def reasons_changed(a: Floats, b: Floats) -> NDArray[np.bool_]:
    """Rows (n,) in which no top reason of `a` is also a top reason of `b`."""
    return np.asarray(~np.any(top_sets(a) & top_sets(b), axis=1))


def mean_interval(values: Floats, level: float = 0.95) -> Interval | None:
    """Student's interval of the mean of repeats (r,); None for one repeat."""
    if len(values) < 2:
        return None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / float(np.sqrt(len(values)))
    reach = float(stats.t.ppf(0.5 + level / 2.0, len(values) - 1)) * error
    return Interval(mean - reach, mean + reach, level, "student t over repeats")
