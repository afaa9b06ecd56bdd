"""How often the worst slice, searched on some rows and measured on others, is said to be worse: where none is, and where one is.

    python benchmarks/worst_slice.py [repeats]

One line a case: rows searched and measured, share of changed decisions, share of samples whose difference lies above 0,
with its interval (Clopper and Pearson), and the same share where the slice is measured on the rows that were searched.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.inference.intervals import clopper_pearson
from qaudit.core.inference.worst_slice import confirm_slice, search_worst_slice
from qaudit.core.tensor import Floats

CASES = ((500, 0.02, 0.0), (500, 0.1, 0.0), (2000, 0.02, 0.0), (2000, 0.1, 0.0), (500, 0.02, 0.2), (2000, 0.02, 0.1))
"""Rows of each half, share of changed decisions, and how much higher it is in the planted slice (0: in none)."""


def columns(draw: np.random.Generator, n: int) -> dict[str, NDArray[Any]]:
    """Two columns of numbers, one with missing values, a column of texts and one of counts."""
    income = draw.lognormal(size=n)
    income[draw.random(n) < 0.1] = np.nan
    purpose = draw.choice(np.array(["car", "home", "other"], dtype=object), n)
    return {"income": income, "age": draw.normal(size=n), "purpose": purpose, "children": draw.integers(0, 4, n).astype(float)}


def outcome(
    draw: np.random.Generator, rows: dict[str, NDArray[Any]], share: float, more: float, *, numbers: bool = False
) -> Floats:
    """1 where a decision changed, for a regression a change; more of it where the purpose is a car and there are two children."""
    planted = np.where((rows["purpose"] == "car") & (rows["children"] == 2.0), more, 0.0)
    if numbers:
        return np.asarray(draw.exponential(size=len(planted)) * (1.0 + 10.0 * planted))
    return np.asarray(draw.random(len(planted)) < share + planted, dtype=np.float64)


def said(repeats: int, n: int, share: float, more: float, *, numbers: bool = False) -> tuple[int, int]:
    """Samples whose difference lies above 0 on rows that were not searched, and on those that were."""
    apart = same = 0
    for seed in range(repeats):
        draw = np.random.default_rng([seed, n, int(1000 * share), int(1000 * more)])
        searched, others = columns(draw, n), columns(draw, n)
        first, second = (outcome(draw, rows, share, more, numbers=numbers) for rows in (searched, others))
        worst = search_worst_slice(searched, first)
        if worst is None:
            continue
        on_others, on_searched = confirm_slice(worst, others, second), confirm_slice(worst, searched, first)
        apart += on_others.difference.interval is not None and on_others.difference.interval.low > 0
        same += on_searched.difference.interval is not None and on_searched.difference.interval.low > 0
    return apart, same


def main() -> None:
    """Print one line a case."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    for numbers in (False, True):
        for n, share, more in CASES:
            apart, same = said(repeats, n, share, more, numbers=numbers)
            ends = clopper_pearson(apart, repeats)
            kind = "changes" if numbers else f"{share:.0%} decisions"
            plant = f"+{10 * more if numbers else more:.0%}" if more else "none worse"
            line = f"{n:5} {kind:14} {plant:12} {apart / repeats:6.1%} ({ends.low:.1%} to {ends.high:.1%})"
            print(f"{line}, on the searched rows {same / repeats:.1%}", flush=True)


if __name__ == "__main__":
    main()
