"""The units of the explain stage: what an explainer offers, and one unit for each explainer and variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.measures import Measure
from qaudit.core.json_values import Json
from qaudit.core.plugin_settings import Chosen, check, derived_seed
from qaudit.core.records import Value
from qaudit.core.table import Table
from qaudit.core.tensor import Floats
from qaudit.errors import Refused
from qaudit.pipeline.types import Candidate, LoadedSubject
from qaudit.plugin_host.units import subject_request
from qaudit.sandbox.answers import ExplainerAnswer, declared_settings
from qaudit.sandbox.job import Call, Limits, PluginRef
from qaudit.sandbox.pack_program import pack_program, pack_quantized
from qaudit.sandbox.pack_table import pack_table
from qaudit.sandbox.plugin_measures import measures_of

BUDGET = 5_000_000
"""Model rows that one run of an explainer may ask for."""
LIMITS = Limits(seconds=900.0)
"""One unit explains up to sixteen times: seed, floor, depths."""
SWEPT = "max_depth"
DEPTHS = (2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows for one explainer: numbers of holdout rows, the explained output of each, and the background."""

    numbers: NDArray[np.int64]
    table: Table
    output: NDArray[np.int64]
    target: NDArray[Any] | None
    background: Table


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How one explainer is run: its settings, the seeds for the floor, and the settings of the sweep over depths."""

    plugin: PluginRef
    summary: str
    needs: tuple[str, ...]
    settings: Mapping[str, Value]
    seed: int
    floor_seeds: tuple[int, ...]
    sweep: tuple[Mapping[str, Value], ...]
    measures: tuple[Measure, ...] = ()

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.plugin.name

    @property
    def by_repeats(self) -> bool:
        """Whether the floor is measured between repeats, since every further seed would mean training all models again."""
        return "refits" in self.needs


def planned(plugin: PluginRef, answer: Json, chosen: Chosen, seed: int, repeats: int) -> Plan:
    """The plan of an explainer from what it offers and what the author chose. Raises Refused for a wrong setting."""
    declared = declared_settings(answer)
    values = check(plugin.name, declared, chosen)
    for key, several in values.items():
        if not several:
            raise ValueError(f"setting {key!r} has no values")
        if key in chosen and len(several) > 1:
            raise Refused(f"{plugin.name}: setting {key!r} has {len(several)} values; an explainer takes one")
    settings = {key: several[0] for key, several in values.items()}
    seeds = [derived_seed(seed, "explain", plugin.name, str(number)) for number in range(repeats + 1)]
    needs = tuple(str(each) for each in answer["needs"])
    depths = declared[SWEPT].allowed if SWEPT in declared else None
    sweep = [settings | {SWEPT: depth} for depth in DEPTHS if depths is not None and depth in depths]
    floor = () if "refits" in needs else tuple(seeds[1:])
    return Plan(plugin, str(answer["summary"]), needs, settings, seeds[0], floor, tuple(sweep), measures_of(answer))


def call(
    plan: Plan,
    subject: LoadedSubject,
    candidate: Candidate | None,
    rows: Rows,
    refits: Mapping[str, Sequence[Floats]],
    floor: bool,
) -> Call:
    """The unit that explains one variant (None: the reference); with `floor` also with the floor's seeds and the sweep."""
    runs = [{"seed": plan.seed, "settings": dict(plan.settings)}]
    if floor:
        runs += [{"seed": seed, "settings": dict(plan.settings)} for seed in plan.floor_seeds]
        runs += [{"seed": plan.seed, "settings": dict(settings)} for settings in plan.sweep]
    shown, arrays = pack_table(rows.table, "rows")
    background, more = pack_table(rows.background, "background")
    packed, model = _variant(subject, candidate)
    arrays = {**arrays, **more, **model, "output": rows.output}
    if rows.target is not None and "target" in plan.needs:
        arrays["target"] = rows.target
    for number, column in enumerate(refits):
        arrays |= {f"refit.{number}.{repeat}": answer for repeat, answer in enumerate(refits[column])}
    request = {
        "subject": subject_request(subject.for_plugins()),
        "seed": plan.seed,
        "model": str(subject.model),
        "decision": asdict(subject.decision),
        "classes": list(subject.classes),
        "variant": packed,
        "rows": shown,
        "background": background,
        "budget": BUDGET,
        "runs": runs,
        "refits": [[column, len(refits[column])] for column in refits],
    }
    return Call("explain", request, arrays, (subject.format, plan.plugin), LIMITS)


def _variant(subject: LoadedSubject, candidate: Candidate | None) -> tuple[Json, dict[str, NDArray[Any]]]:
    if candidate is not None:
        packed, arrays = pack_quantized(candidate.quantized)
        return {"form": "quantized", "packed": packed}, dict(arrays)
    if subject.program is None:
        return {"form": "native"}, {}
    packed, arrays = pack_program(subject.program)
    return {"form": "program", "packed": packed}, dict(arrays)


def with_refits(answer: ExplainerAnswer, unit_call: Call) -> ExplainerAnswer:
    """The answer with a cost that includes the rows predicted by refits."""
    rows = len(unit_call.arrays["output"])
    extra = rows * sum(repeats for _, repeats in unit_call.request["refits"])
    return replace(answer, cost=tuple(cost + extra for cost in answer.cost))
