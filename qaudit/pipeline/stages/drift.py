"""Drift of an explanation beside its floor: the distance between two variants with one seed, and between seeds of one variant.

Park et al., Attribution Preservation in Network Compression, NeurIPS 2020. The floor is what a user of this explainer would see
change if the reference were merely explained again; a drift below it is real but cannot be told from the explainer's own noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qaudit.core.catalogue.explanation_kind import Distance, DistanceInputs
from qaudit.core.catalogue.explanations import distances_of, kind_of
from qaudit.core.evidence import Evidence, Interval, measured
from qaudit.core.explanation import Explanation
from qaudit.core.json_values import Json

TOPIC = "explain.drift"
HIGH = 0.95
"""The quantile of the floor that a drift must pass to be told from it."""
UNUSABLE = 0.2
"""An explainer that says something else between reruns on more than this share of rows cannot carry a verdict."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One distance between explanations: its paired value (None: not assessed) and its floor over the reruns.

    `deterministic`: no rerun differed.
    """

    distance: Distance[Any]
    of: str
    value: float | None
    floor: tuple[float, ...]
    deterministic: bool

    @property
    def high(self) -> float:
        """The upper end of the floor."""
        return float(np.quantile(self.floor, HIGH)) if self.floor else 0.0

    @property
    def mean(self) -> float:
        """The mean of the floor."""
        return float(np.mean(self.floor)) if self.floor else 0.0

    @property
    def label(self) -> str:
        """The `value_of` of its evidence: "loss_change rank", or "direction"."""
        return f"{self.of} {self.distance.name}".strip()

    @property
    def above(self) -> bool:
        """Whether the drift can be told from the floor."""
        return self.value is not None and self.value > self.high


def drifts(reference: Sequence[Explanation], judged: Sequence[Explanation], inputs: DistanceInputs) -> list[Drift]:
    """Paired drift and floor. `reference` are draws of the reference, `judged` the first of them (or all) for a variant.

    The floor is the distance of the first draw of the reference to each other one; one draw alone is deterministic, floor 0.
    """
    first = reference[0]
    if any(kind_of(each) is not kind_of(first) for each in (*reference, *judged)):
        return []
    found = []
    for distance in distances_of(first, inputs.regression):
        values = [distance.between(a, b, inputs) for a, b in zip(reference, judged, strict=False)]
        known = [value for value in values if value is not None]
        floors = (distance.between(first, other, inputs) for other in reference[1:])
        floor = tuple(value for value in floors if value is not None)
        value = float(np.mean(known)) if len(known) == len(values) else None
        found.append(Drift(distance, kind_of(first).quantity(first), value, floor, not any(floor)))
    return found


def evidence(found: Sequence[Drift], about: Mapping[str, str], by: str) -> list[Evidence]:
    """`drift`, `drift_floor` and, above a floor of 0, `drift_ratio` of each distance."""
    rows = []
    for one in found:
        where = {**about, "against": "reference", "value_of": one.label}
        n = len(one.floor)
        reason = one.distance.undefined if one.value is None else None
        unit = one.distance.unit
        rows.append(measured("drift", one.value, where, by, TOPIC, unit=unit, reason=reason))
        span = Interval(min(one.floor), one.high, HIGH, f"least and {HIGH:.0%} quantile of {n} reruns") if n else None
        rows.append(measured("drift_floor", one.mean, where, by, TOPIC, unit=unit, interval=span, n=n or None))
        if one.value is not None and one.mean > 0:
            rows.append(measured("drift_ratio", one.value / one.mean, where, by, TOPIC))
    return rows


def entries(found: Sequence[Drift]) -> list[Json]:
    """The drifts of one explanation as its entry in report.json holds them."""
    return [
        {
            "distance": one.distance.name,
            "means": one.distance.means,
            "value": one.value,
            "floor": {"mean": one.mean, "low": min(one.floor, default=0.0), "high": one.high},
            "deterministic": one.deterministic,
            "ratio": one.value / one.mean if one.value is not None and one.mean > 0 else None,
        }
        for one in found
    ]


def unusable(found: Sequence[Drift]) -> bool:
    """Whether explanations of the reference say something else from rerun to rerun on more than UNUSABLE of the rows."""
    return any(one.distance.unit == "share" and one.mean > UNUSABLE for one in found)


def verdict(found: Sequence[Drift], changed: bool, unusable: bool) -> str:
    """none | unusable | below floor | above floor. `changed`: a top reason changed; the first distance decides."""
    if all(one.value == 0.0 for one in found) and not changed:
        return "none"
    if unusable:
        return "unusable"
    return "above floor" if found and found[0].above else "below floor"
