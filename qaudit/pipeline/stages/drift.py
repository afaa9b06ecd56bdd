"""Drift of an explanation beside its floor: the distance between two variants with one seed, and between seeds of one variant.

Park et al., Attribution Preservation in Network Compression, NeurIPS 2020. The floor is what a user of this explainer would see
change if the reference were merely explained again; a drift below it is real but cannot be told from the explainer's own noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Evidence, Interval
from qaudit.core.explanation import Explanation, Importance, TreeModel
from qaudit.core.json_values import Json
from qaudit.core.measures import agreement
from qaudit.core.measures.surrogate import apply_tree, tree_answers
from qaudit.core.table import Table
from qaudit.core.tensor import Floats

TOPIC = "explain.drift"
HIGH = 0.95
"""The quantile of the floor that a drift must pass to be told from it."""
UNUSABLE = 0.2
"""An explainer that says something else between reruns on more than this share of rows cannot carry a verdict."""
MEANS = {
    "rank": "1 - tau-b of the importances",
    "size": "mean absolute difference of the importances",
    "direction": "mean cosine distance of the contributions",
    "length": "mean |difference| / |contributions|",
    "decision": "share of rows on which the two trees differ",
    "value": "mean absolute difference of the two trees",
}


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What distances need: the rows on which trees are compared, the mean design of local rows, regression or not."""

    table: Table
    design: Floats
    regression: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """One distance: paired value (None: not assessed), and its floor over the reruns. `deterministic`: no rerun differed."""

    distance: str
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
        return f"{self.of} {self.distance}".strip()

    @property
    def above(self) -> bool:
        """Whether the drift can be told from the floor."""
        return self.value is not None and self.value > self.high


def distances(a: Explanation, b: Explanation, scene: Scene) -> dict[str, float | None]:
    """Distances between two explanations of one kind, the one that the verdict goes by first; empty where the kinds differ."""
    if isinstance(a, Importance) and isinstance(b, Importance):
        left, right = a.values.mean(axis=0), b.values.mean(axis=0)
        tau = agreement.kendall_tau(left, right)
        return {"size": float(np.mean(np.abs(left - right))), "rank": None if tau is None else 1.0 - tau}
    if isinstance(a, TreeModel) and isinstance(b, TreeModel):
        said = [_said(tree, scene) for tree in (a, b)]
        if scene.regression:
            return {"value": float(np.mean(np.abs(said[0] - said[1])))}
        return {"decision": float(np.mean(said[0] != said[1]))}
    if isinstance(a, Importance | TreeModel) or isinstance(b, Importance | TreeModel):
        return {}
    first, second = (agreement.contributions(each, scene.design) for each in (a, b))
    return {
        "direction": float(np.mean(agreement.cosine_distance(first, second))),
        "length": float(np.mean(agreement.relative_l2(first, second))),
    }


def _said(tree: TreeModel, scene: Scene) -> NDArray[Any]:
    return tree_answers(tree, apply_tree(tree, scene.table.columns, scene.table.names), scene.regression)


def single_repeats(explanation: Explanation) -> list[Explanation]:
    """An importance as one importance a repeat; anything else as it is."""
    if not isinstance(explanation, Importance):
        return [explanation]
    return [Importance(explanation.values[[repeat]], explanation.of) for repeat in range(len(explanation.values))]


def drifts(reference: Sequence[Explanation], judged: Sequence[Explanation], scene: Scene) -> list[Drift]:
    """Paired drift and floor. `reference` are draws of the reference, `judged` the first of them (or all) for a variant.

    The floor is the distance of the first draw of the reference to each other one; one draw alone is deterministic, floor 0.
    """
    pairs = [distances(a, b, scene) for a, b in zip(reference, judged, strict=False)]
    floors = [distances(reference[0], other, scene) for other in reference[1:]]
    of = reference[0].of if isinstance(reference[0], Importance) else ""
    found = []
    for name in pairs[0]:
        values = [pair[name] for pair in pairs]
        known = [value for value in values if value is not None]
        floor = tuple(value for each in floors if (value := each[name]) is not None)
        value = float(np.mean(known)) if len(known) == len(values) else None
        found.append(Drift(name, of, value, floor, not any(floor)))
    return found


def evidence(found: Sequence[Drift], about: Mapping[str, str], by: str) -> list[Evidence]:
    """`drift`, `drift_floor` and, above a floor of 0, `drift_ratio` of each distance."""
    rows = []
    for one in found:
        where = {**about, "against": "reference", "value_of": one.label}
        n = len(one.floor)
        reason = None if one.value is not None else "the ranking is undefined where all importances are equal"
        unit = "share" if one.distance == "decision" else ""
        rows.append(Evidence("drift", one.value, unit, None, None, where, by, TOPIC, reason))
        span = Interval(min(one.floor), one.high, HIGH, f"least and {HIGH:.0%} quantile of {n} reruns") if n else None
        rows.append(Evidence("drift_floor", one.mean, unit, span, n or None, where, by, TOPIC))
        if one.value is not None and one.mean > 0:
            rows.append(Evidence("drift_ratio", one.value / one.mean, "", None, None, where, by, TOPIC))
    return rows


def entries(found: Sequence[Drift]) -> list[Json]:
    """The drifts of one explanation as its entry in report.json holds them."""
    return [
        {
            "distance": one.distance,
            "means": MEANS[one.distance],
            "value": one.value,
            "floor": {"mean": one.mean, "low": min(one.floor, default=0.0), "high": one.high},
            "deterministic": one.deterministic,
            "ratio": one.value / one.mean if one.value is not None and one.mean > 0 else None,
        }
        for one in found
    ]


def unusable(found: Sequence[Drift]) -> bool:
    """Whether trees of the reference differ from rerun to rerun on more than UNUSABLE of the rows."""
    return any(one.distance == "decision" and one.mean > UNUSABLE for one in found)


def verdict(found: Sequence[Drift], changed: bool, unusable: bool) -> str:
    """none | unusable | below floor | above floor. `changed`: a top reason changed; the first distance decides."""
    if all(one.value == 0.0 for one in found) and not changed:
        return "none"
    if unusable:
        return "unusable"
    return "above floor" if found and found[0].above else "below floor"
