"""How often the top reasons of decisions change between two variants, and between reruns of the reference.

The score of a column is its contribution toward the decision, -coef x the mean of its design over the background. Scores within
1e-9 of the largest tie, and a reason has changed only where the two tied sets are disjoint (compare 12 CFR 1002.9(b)(2)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision
from qaudit.core.evidence import Evidence, Interval, measured
from qaudit.core.inference.intervals import clopper_pearson
from qaudit.core.measures.agreement import reason_scores, reasons_changed
from qaudit.core.tensor import Floats
from qaudit.pipeline.stages.drift import UNUSABLE

TOPIC = "explain.drift"


def explained_output(decision: Decision, reference: Floats) -> NDArray[np.int64]:
    """The predict column explained for each row (n,) of the reference's predictions (n, k)."""
    if decision.output == "multiclass":
        return np.asarray(np.argmax(reference, axis=1), dtype=np.int64)
    taken = decision.positive if decision.output == "binary" and reference.shape[1] > 1 else 0
    return np.full(len(reference), taken, dtype=np.int64)


def toward(decision: Decision, predictions: Floats, output: NDArray[np.int64]) -> Floats | None:
    """1 where a larger explained output favours the decision of the row, else -1 (n,); None for regression."""
    decided = decision(predictions)
    if decided is None:
        return None
    # A larger margin favours the second class.
    favoured = np.ones_like(output) if predictions.shape[1] == 1 else output
    return np.where(decided == favoured, 1.0, -1.0)


def changes(a: Floats, b: Floats, signs: Floats | None, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Among `rows`, where the top reason of contributions `a` and `b` (n, d) differs; False elsewhere (n,)."""
    return rows & reasons_changed(reason_scores(a, signs), reason_scores(b, signs))


def unusable(reruns: Sequence[NDArray[np.bool_]], rows: NDArray[np.bool_]) -> bool:
    """Whether the top reason changes between reruns on more than UNUSABLE of the rows."""
    return bool(reruns) and float(np.mean([each.sum() for each in reruns])) > UNUSABLE * max(int(rows.sum()), 1)


def rate_evidence(
    changed: NDArray[np.bool_], reruns: Sequence[NDArray[np.bool_]], rows: NDArray[np.bool_], about: Mapping[str, str], by: str
) -> list[Evidence]:
    """`reason_change_rate` with its exact interval and `reason_change_floor`, the mean rate of the reruns, over the same rows."""
    n = int(rows.sum())
    where = {**about, "against": "reference"}
    if not n:
        reason = "no explained row kept its decision"
        return [
            measured(name, None, where, by, TOPIC, n=0, reason=reason) for name in ("reason_change_rate", "reason_change_floor")
        ]
    hits = int(changed.sum())
    rates = [float(each.sum() / n) for each in reruns]
    span = Interval(min(rates), max(rates), 1.0, f"least and most of {len(rates)} reruns") if rates else None
    return [
        measured("reason_change_rate", hits / n, where, by, TOPIC, interval=clopper_pearson(hits, n), n=n),
        measured("reason_change_floor", float(np.mean(rates)) if rates else 0.0, where, by, TOPIC, interval=span, n=n),
    ]


def chosen_cases(
    score_change: Floats, flipped: NDArray[np.bool_], moved: Floats, changed: NDArray[np.bool_], counted: NDArray[np.bool_]
) -> list[tuple[int, str]]:
    """Up to four explained rows by rule, each with why: (place, why).

    worst flip: the largest score change among flips (without flips none); changed reason: the farthest moved contributions among
    rows whose top reason changed; median: the middle score change of the sample; stable: the least moved of the rest.
    """
    cases: list[tuple[int, str]] = []

    def add(among: NDArray[np.bool_], key: Floats, why: str) -> None:
        free = np.flatnonzero(among)
        free = free[~np.isin(free, [place for place, _ in cases])]
        if len(free):
            cases.append((int(free[np.argmin(key[free])]), why))

    add(flipped, -score_change, "worst flip")
    add(changed, -moved, "changed reason")
    middle = float(np.median(score_change[counted])) if counted.any() else 0.0
    add(counted, np.abs(score_change - middle), "median")
    add(counted & ~flipped & ~changed, moved, "stable")
    order = {"median": 0, "worst flip": 1, "changed reason": 2, "stable": 3}
    return sorted(cases, key=lambda each: order[each[1]])
