"""Drift of an explanation, and its noise baseline, which the code and report.json call the floor.

Drift is the distance between the explanations of two variants with the same seed; the floor consists of the distances between
explanations of the reference with different seeds (compare Park et al., Attribution Preservation in Network Compression, NeurIPS
2020). A drift below the floor cannot be distinguished from the randomness of the explainer.
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
"""A drift above this quantile of the floor is taken to be caused by the quantization."""
UNUSABLE = 0.2
"""An explainer whose result changes between reruns on more than this share of rows is unusable for a verdict."""


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
        """Whether the drift is larger than the floor."""
        return self.value is not None and self.value > self.high


def drifts(reference: Sequence[Explanation], judged: Sequence[Explanation], inputs: DistanceInputs) -> list[Drift]:
    """The drift by each distance, with its floor. `reference` are draws of the reference, `judged` the same for a variant.

    The floor consists of the distances between the first draw of the reference and each other one; it is 0 for a single draw.
    """
    first = reference[0]
    if any(kind_of(each) is not kind_of(first) for each in (*reference, *judged)):
        return []
    drifts = []
    for distance in distances_of(first, inputs.regression):
        values = [distance.between(a, b, inputs) for a, b in zip(reference, judged, strict=False)]
        known = [value for value in values if value is not None]
        distances = (distance.between(first, other, inputs) for other in reference[1:])
        floor = tuple(value for value in distances if value is not None)
        value = float(np.mean(known)) if len(known) == len(values) else None
        drifts.append(Drift(distance, kind_of(first).quantity(first), value, floor, not any(floor)))
    return drifts


def evidence(drifts: Sequence[Drift], about: Mapping[str, str], by: str) -> list[Evidence]:
    """`drift`, `drift_floor` and, above a floor of 0, `drift_ratio` of each distance."""
    rows = []
    for drift in drifts:
        where = {**about, "against": "reference", "value_of": drift.label}
        n = len(drift.floor)
        reason = drift.distance.undefined if drift.value is None else None
        unit = drift.distance.unit
        rows.append(measured("drift", drift.value, where, by, TOPIC, unit=unit, reason=reason))
        span = Interval(min(drift.floor), drift.high, HIGH, f"least and {HIGH:.0%} quantile of {n} reruns") if n else None
        rows.append(measured("drift_floor", drift.mean, where, by, TOPIC, unit=unit, interval=span, n=n or None))
        if drift.value is not None and drift.mean > 0:
            rows.append(measured("drift_ratio", drift.value / drift.mean, where, by, TOPIC))
    return rows


def entries(drifts: Sequence[Drift]) -> list[Json]:
    """The drifts of one explanation as its entry in report.json holds them."""
    return [
        {
            "distance": drift.distance.name,
            "means": drift.distance.means,
            "value": drift.value,
            "floor": {"mean": drift.mean, "low": min(drift.floor, default=0.0), "high": drift.high},
            "deterministic": drift.deterministic,
            "ratio": drift.value / drift.mean if drift.value is not None and drift.mean > 0 else None,
        }
        for drift in drifts
    ]


def unusable(drifts: Sequence[Drift]) -> bool:
    """Whether explanations of the reference differ between reruns on more than UNUSABLE of the rows."""
    return any(drift.distance.unit == "share" and drift.mean > UNUSABLE for drift in drifts)


def verdict(drifts: Sequence[Drift], changed: bool, unusable: bool) -> str:
    """none | unusable | below floor | above floor. `changed`: a top reason changed; the first distance decides."""
    if all(drift.value == 0.0 for drift in drifts) and not changed:
        return "none"
    if unusable:
        return "unusable"
    return "above floor" if drifts and drifts[0].above else "below floor"
