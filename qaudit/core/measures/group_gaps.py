"""Differences between groups of rows: each group against all others, the largest gap, and how the gap changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from qaudit.core.decision import Decision
from qaudit.core.evidence import Interval
from qaudit.core.inference.cluster_shares import clusters_of
from qaudit.core.inference.estimate import Estimate, cluster_totals, exact_mean
from qaudit.core.inference.groups import SMALLEST, Count, difference_of, newcombe_independent
from qaudit.core.inference.intervals import LEVEL, newcombe_paired
from qaudit.core.inference.means import difference_of_means, mean_interval
from qaudit.core.measures.rows import Side, positive_class
from qaudit.core.measures.units import FEWEST, Units, few
from qaudit.core.tensor import Floats

Mask = NDArray[np.bool_]
SHARES = ("flip_rate", "positive_rate", "tpr", "fpr", "accuracy")
MEANS = ("mean_abs_error", "mae")
TOO_FEW = f"fewer than two groups of at least {SMALLEST} rows"


@dataclass(frozen=True, slots=True, eq=False)
class Rate:
    """A share of hits, or a mean of values (n,), among `rows` (n,); `before` is the same of the reference where it has one."""

    name: str
    values: NDArray[Any]
    rows: Mask
    before: NDArray[Any] | None = None

    @property
    def counted(self) -> bool:
        """Whether it is a share of rows."""
        return self.values.dtype == np.bool_

    def at(self, member: Mask) -> float | None:
        """Its value among some rows; None where there are none."""
        values = self.values[self.rows & member]
        return exact_mean(values.astype(np.float64)) if len(values) else None

    def size(self, member: Mask) -> int:
        """The rows behind it."""
        return int(np.count_nonzero(self.rows & member))


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """The largest gap of a rate among groups: the names of the highest and of the lowest, their difference, and its change."""

    highest: str
    lowest: str
    difference: Estimate
    change: Estimate | None


def rates_of(truth: NDArray[Any], before: Side | None, model: Side, decision: Decision) -> list[Rate]:
    """The rates that are compared between groups; `before` None: those of the model alone."""
    everyone = np.ones(len(truth), dtype=bool)
    if model.decided is None:
        error = np.abs(truth - model.predictions[:, 0])
        if before is None:
            return [Rate("mae", error, everyone)]
        moved = np.abs(model.predictions - before.predictions).mean(axis=1)
        return [Rate("mean_abs_error", moved, everyone), Rate("mae", error, everyone, np.abs(truth - before.predictions[:, 0]))]
    was = None if before is None else before.decided
    rates = [] if was is None else [Rate("flip_rate", was != model.decided, everyone)]
    if decision.output == "binary":
        label = positive_class(decision, model)
        now, then = model.decided == label, None if was is None else was == label
        positive = truth == label
        rates += [Rate("positive_rate", now, everyone, then), Rate("tpr", now, positive, then), Rate("fpr", now, ~positive, then)]
    return [*rates, Rate("accuracy", model.decided == truth, everyone, None if was is None else was == truth)]


def difference(rate: Rate, a: Mask, b: Mask, units: Units, level: float = LEVEL) -> Estimate:
    """The rate among rows `a` (n,) minus that among rows `b` (n,)."""
    if not rate.counted:
        return _of_means(rate.values, rate.rows & a, rate.rows & b, units, level)
    if units.clusters is not None:
        clusters = clusters_of(units.clusters)
        first, second = (clusters.share(rate.values, rate.rows & each, level) for each in (a, b))
        if first is None or second is None:
            return Estimate(None, None, rate.size(a) + rate.size(b), "no rows")
        return _with_clusters(first.minus(second).estimate(0), rate.rows & (a | b), units)
    return newcombe_independent(_count(rate.values, rate.rows & a), _count(rate.values, rate.rows & b), level)


def difference_of_changes(rate: Rate, a: Mask, b: Mask, units: Units, level: float = LEVEL) -> Estimate | None:
    """How the difference between rows `a` and `b` (n,) changed: paired within each, the two independent of each other."""
    if rate.before is None:
        return None
    if not rate.counted:
        return _of_means(rate.values - rate.before, rate.rows & a, rate.rows & b, units, level)
    if not rate.size(a) or not rate.size(b):
        return Estimate(None, None, rate.size(a) + rate.size(b), "no rows")
    if units.clusters is not None:
        clusters = clusters_of(units.clusters)
        first, second = (clusters.change(rate.before, rate.values, rate.rows & each, level) for each in (a, b))
        assert first is not None
        assert second is not None
        return _with_clusters(first.minus(second).estimate(0), rate.rows & (a | b), units)
    parts = [_paired(rate.before[rate.rows & each], rate.values[rate.rows & each], level) for each in (a, b)]
    return difference_of(parts[0], parts[1], "newcombe paired in each group, independent between them")


def against_others(rate: Rate, groups: Mapping[str, Mask], units: Units) -> Iterator[tuple[str, Estimate]]:
    """Each group beside all other rows; small ones keep their number."""
    for name, member in groups.items():
        if not member.all():
            yield name, replace(difference(rate, member, ~member, units), n=rate.size(member))


def largest_gap(rate: Rate, groups: Mapping[str, Mask], units: Units) -> Gap | None:
    """The gap between the groups of the highest and the lowest value, small groups left out; None where two are not left.

    The two are chosen for their difference, so that the interval holds for all pairs of groups at once (Bonferroni).
    """
    known = {name: value for name, member in groups.items()
             if rate.size(member) >= SMALLEST and (value := rate.at(member)) is not None}  # fmt: skip
    if len(known) < 2:
        return None
    highest = max(known, key=lambda name: known[name])
    lowest = min((name for name in known if name != highest), key=lambda name: known[name])
    pairs = math.comb(len(known), 2)
    level = 1.0 - (1.0 - LEVEL) / pairs
    a, b = groups[highest], groups[lowest]
    gap, change = difference(rate, a, b, units, level), difference_of_changes(rate, a, b, units, level)
    return Gap(highest, lowest, _for_all(gap, pairs), None if change is None else _for_all(change, pairs))


def _for_all(estimate: Estimate, pairs: int) -> Estimate:
    if estimate.interval is None or pairs == 1:
        return estimate
    method = f"{estimate.interval.method}, for all {pairs} pairs at once"
    return replace(estimate, interval=replace(estimate.interval, level=LEVEL, method=method))


def _count(hits: Mask, rows: Mask) -> Count:
    return Count(int(np.count_nonzero(hits & rows)), int(np.count_nonzero(rows)))


def _paired(before: Mask, after: Mask, level: float) -> Estimate:
    broken, fixed = int(np.sum(before & ~after)), int(np.sum(~before & after))
    interval = newcombe_paired(int(np.sum(before & after)), broken, fixed, int(np.sum(~before & ~after)), level)
    return Estimate((fixed - broken) / len(before), interval, len(before))


def _of_means(values: Floats, a: Mask, b: Mask, units: Units, level: float) -> Estimate:
    if units.clusters is None:
        return difference_of_means(values[a], values[b], level)
    n = int(np.sum(a)) + int(np.sum(b))
    if not a.any() or not b.any():
        return Estimate(None, None, n, "no rows")
    first, second = exact_mean(values[a]), exact_mean(values[b])
    influence = np.where(a, (values - first) / np.sum(a), 0.0) - np.where(b, (values - second) / np.sum(b), 0.0)
    parts = cluster_totals(influence[a | b], units.clusters[a | b])
    count = len(parts)
    if count < FEWEST:
        return Estimate(first - second, None, n, few(count))
    error = math.sqrt(count / (count - 1) * math.fsum(np.square(parts).tolist()))
    half = error * float(stdtrit(count - 1, 0.5 + level / 2))
    if half == 0.0:
        return Estimate(first - second, None, n, "no interval: these rows do not vary")
    middle = first - second
    return Estimate(middle, Interval(middle - half, middle + half, level, f"t over {count} clusters"), n)


def _with_clusters(estimate: Estimate, rows: Mask, units: Units) -> Estimate:
    assert units.clusters is not None
    count = len(np.unique(units.clusters[rows]))
    if count < FEWEST or estimate.interval is None:
        return replace(estimate, interval=None, reason=few(count))
    method = f"effective number of rows (Korn and Graubard), {count} clusters"
    return replace(estimate, interval=replace(estimate.interval, method=method))


def level_of(rate: Rate, member: Mask, units: Units) -> Estimate:
    """The rate among some rows with its interval."""
    if rate.counted:
        return units.share(rate.values, rate.rows & member)
    return units.stated(mean_interval(rate.values[member], clusters=None if units.clusters is None else units.clusters[member]))
