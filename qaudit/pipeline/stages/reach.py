"""Which limits these rows cannot show to be met, whatever is measured: known once the rows are, before any candidate is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.assessment_text import limit_text
from qaudit.core.catalogue.measures import MEASURES
from qaudit.core.comparison import at_best_text, selects
from qaudit.core.evidence import Limit
from qaudit.core.inference.intervals import LEVEL
from qaudit.core.inference.rows_needed import OutOfReach, change_out_of_reach, share_out_of_reach
from qaudit.core.measures.rows import label, side
from qaudit.core.numbers import one, whole
from qaudit.inputs.policy import Policy
from qaudit.pipeline.types import LoadedSubject

SHARES, CHANGES = ("flip_rate", "accuracy"), ("accuracy_change",)
"""Measures with an exact or a paired interval over all rows of the holdout, or of a group."""
WITHIN_ROWS = ("group",)
"""The keys of `where` whose rows are known before the run."""


def out_of_reach(policy: Policy | None, subject: LoadedSubject) -> tuple[str, ...]:
    """A sentence for each limit, and for each group of one, that these rows cannot show to be met at the best.

    The best is that no decision changes, or that every row is decided rightly. What is decided by a value, or by an interval that
    this does not bound, is left out.
    """
    decided = side(subject.native["holdout"], subject.decision).decided
    if policy is None or decided is None:
        return ()
    right = np.asarray(decided == subject.target["holdout"])
    return tuple(sentence for limit in policy.limits for sentence in _sentences(limit, right, subject.groups))


def _sentences(limit: Limit, right: NDArray[Any], columns: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    if limit.use == "value" or limit.measure not in (*SHARES, *CHANGES) or set(limit.where) - set(WITHIN_ROWS):
        return
    for name, rows in _parts(limit.where.get("group"), right, columns):
        if len(rows) == 0 or (reached := _reach(limit, rows)) is None:
            continue
        signed = MEASURES[limit.measure].signed
        of = f" of {name}" if name else ""
        needed = f"; {whole(reached.needed)} would do" if reached.needed is not None else "; no number of rows would do"
        yield (
            f"Limit {limit.id} ({limit.title or limit.measure}) cannot be shown to be met with {whole(len(rows))} rows{of}, "
            f"{at_best_text(limit, 'even ')}: the {one(100 * LEVEL)}% interval would reach {one(reached.end, 'share', signed)}, "
            f"the limit is {limit_text(limit, 'share')}{needed}."
        )


def _reach(limit: Limit, right: NDArray[Any]) -> OutOfReach | None:
    """`right` says of each row whether the reference decides it rightly."""
    n, before = len(right), float(np.mean(right))
    if limit.measure in CHANGES:
        if limit.at_least is not None:
            return change_out_of_reach(limit.at_least, before, n)
        assert limit.at_most is not None
        return _mirrored(change_out_of_reach(-limit.at_most, 1.0 - before, n), 0.0)
    better = MEASURES[limit.measure].better
    if limit.at_most is not None and better == "low":
        return share_out_of_reach(limit.at_most, n)
    if limit.at_least is not None and better == "high":
        return _mirrored(share_out_of_reach(1.0 - limit.at_least, n), 1.0)
    return None


def _mirrored(reached: OutOfReach | None, total: float) -> OutOfReach | None:
    """The end of a mirrored interval: of the other share (total 1), or of the opposite change (total 0)."""
    return None if reached is None else OutOfReach(total - reached.end, reached.needed)


def _parts(wanted: str | None, right: NDArray[Any], columns: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
    if wanted is None:
        yield "", right
        return
    for column in sorted(columns):
        labels = np.array([label(value) for value in columns[column]], dtype=object)
        for value in sorted(set(labels.tolist())):
            name = f"{column}={value}"
            if selects("group", wanted, name):
                yield name, right[labels == value]
