"""Samples for the comparison with statsmodels and fairlearn, and the script that wrote oracle_figures.json from them.

    python tests/core/inference/oracle_samples.py      needs statsmodels and fairlearn, which the tests do not

The figures were computed with statsmodels 0.15.0, fairlearn 0.15.0, scipy 1.17.1 and numpy 2.4.6. Samples are made by
whole-number arithmetic, so that they are the same on every machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIGURES = Path(__file__).with_name("oracle_figures.json")
ROWS = 211
PAIRS = ((7, 60, 3, 55), (0, 30, 4, 41), (41, 41, 20, 77), (120, 700, 40, 80), (1, 10, 0, 12))
COUNTS = ((0, 12), (3, 12), (12, 12), (7, 780), (400, 780))


def spread(multiplier: int, rows: int = ROWS) -> NDArray[np.float64]:
    """Numbers (rows,) in [0, 1) that look drawn at random."""
    return np.asarray((np.arange(rows) * multiplier * 7919 + multiplier) % 1009 / 1009.0)


def values() -> NDArray[np.float64]:
    """Skewed values (n,)."""
    return np.asarray(-np.log1p(-spread(17)) + spread(23))


def clusters() -> NDArray[np.int64]:
    """23 clusters of unequal size (n,)."""
    return np.asarray((np.arange(ROWS) ** 2 % 23), dtype=np.int64)


def decisions() -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[Any]]:
    """Truth, decision and group (n,)."""
    groups = np.array(["a", "b", "c"])[(np.arange(ROWS) * 7 % 11) % 3]
    return spread(31) < 0.4, spread(37) < 0.5, groups


def main() -> None:
    """Write the figures."""
    import statsmodels.api as sm
    from fairlearn import metrics
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    ones = np.ones((ROWS, 1))
    robust = sm.OLS(values(), ones).fit(cov_type="cluster", cov_kwds={"groups": clusters(), "df_correction": True}, use_t=True)
    plain = sm.OLS(values(), ones).fit()
    halves = CompareMeans(DescrStatsW(values()[:60]), DescrStatsW(values()[60:]))
    truth, decided, groups = decisions()
    frame = metrics.MetricFrame(
        metrics={
            "positive_rate": metrics.selection_rate,
            "tpr": metrics.true_positive_rate,
            "fpr": metrics.false_positive_rate,
        },
        y_true=truth.astype(int),
        y_pred=decided.astype(int),
        sensitive_features=groups,
    )
    figures = {
        "t": list(map(float, plain.conf_int()[0])),
        "clustered t": list(map(float, robust.conf_int()[0])),
        "welch": list(map(float, halves.tconfint_diff(usevar="unequal"))),
        "newcombe": [list(map(float, confint_proportions_2indep(*pair, method="newcomb"))) for pair in PAIRS],
        "clopper-pearson": [list(map(float, proportion_confint(*count, method="beta"))) for count in COUNTS],
        "wilson": [list(map(float, proportion_confint(*count, method="wilson"))) for count in COUNTS],
        "rates": {name: {group: float(x) for group, x in frame.by_group[name].items()} for name in frame.by_group},
        "gaps": {name: float(x) for name, x in frame.difference(method="between_groups").items()},
        "to overall": {name: float(x) for name, x in frame.difference(method="to_overall").items()},
    }
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
