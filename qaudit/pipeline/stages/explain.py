"""The stage `explain`: runs every selected explainer on the reference and on the candidate under assessment; measures drift."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.explanations import contributions, kind_of
from qaudit.core.evidence import Evidence, Skipped, measured
from qaudit.core.explanation import Explanation
from qaudit.core.json_values import Json
from qaudit.core.plugin_settings import Chosen
from qaudit.core.records import Decline
from qaudit.core.tensor import Floats
from qaudit.pipeline.stages import drift, explain_kinds
from qaudit.pipeline.stages.explain_cases import ReasonChanges, reason_changes, shown_cases
from qaudit.pipeline.stages.explain_inputs import REFERENCE, ExplainInputs, Sizes, draw_inputs
from qaudit.pipeline.stages.explain_units import SWEPT, Plan, call, planned, with_refits
from qaudit.pipeline.stages.plugin_measures import declared_entries, declared_sections, recorded_evidence
from qaudit.pipeline.types import Candidate, Explained, LoadedSubject, Progress
from qaudit.plugin_host.hooks import Hooks
from qaudit.plugin_host.units import Answer
from qaudit.plugin_host.wrappers import blamed
from qaudit.sandbox.answers import MALFORMED, ExplainerAnswer, alike, broken, explainer_answer
from qaudit.sandbox.job import Call, Failure, Outcome, PluginRef
from qaudit.sandbox.runner import keep_unit

Refits = Callable[[Candidate | None, NDArray[np.int64]], Mapping[str, Sequence[Floats]]]
"""Column -> one prediction (n, k) a repeat of the model trained without it, on those holdout rows, quantized as the candidate is
(None: not at all). Raises Decline where the model cannot be trained again."""


@dataclass(slots=True)
class _Results:
    """The results of the stage so far. `taken` are the names of measures that quantizers have declared."""

    evidence: list[Evidence] = field(default_factory=list)
    explanations: list[Json] = field(default_factory=list)
    raw: dict[tuple[str, str], tuple[Explanation, ...]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    plugins: dict[str, Json] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()

    def fail(self, plugin: PluginRef, failure: Failure, what: str = "") -> None:
        """Record a plugin that declined or failed. A crash inside the model is recorded as a failure of the model."""
        self.skip(plugin, blamed("explain", plugin, failure, what))

    def skip(self, plugin: PluginRef, row: Skipped) -> None:
        """The row, and the plugin's state in the list of plugins."""
        self.skipped.append(row)
        self.plugins[plugin.name] |= {"status": row.kind, "reason": row.reason}


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One explanation of one explainer: draws of the reference with different seeds, and explanations of variants by candidate
    id.
    """

    plan: Plan
    draws: tuple[Explanation, ...]
    variants: Mapping[str, Explanation]
    inputs: ExplainInputs

    def contributed(self, explanation: Explanation) -> Floats | None:
        """The contributions (n, d) of an explanation of single rows; None for other kinds."""
        return contributions(explanation, self.inputs.design)


def explain(
    subject: LoadedSubject,
    judged: Candidate | None,
    also: Sequence[Candidate],
    hooks: Hooks,
    selections: Mapping[str, Chosen],
    *,
    refits: Refits | None = None,
    seed: int = 0,
    sizes: Sizes | None = None,
    taken: Collection[str] = (),
    progress: Progress = lambda line: None,
) -> Explained:
    """Importance, surrogate trees and local reasons of the reference, the judged candidate and `also`; drift beside its floor.

    `selections` are the author's settings by plugin name, `taken` the measures that quantizers have declared. A failure is a row.
    Raises Refused for a wrong setting.
    """
    sizes = sizes or Sizes()
    results = _Results(taken=frozenset(taken))
    offers = hooks.qaudit_offer_explainers(subject=subject.for_plugins())
    plans = _plans(offers, selections, seed, sizes, results)
    variants = list({each.id: each for each in ([judged] if judged else []) + list(also)}.values())
    if not plans or not len(subject.native["holdout"]):
        return _explained(results)
    inputs = draw_inputs(subject, variants, judged, sizes, seed)
    calls: list[Call] = []
    owners: list[tuple[Plan, str]] = []
    for plan in plans:
        for variant in (None, *variants):
            unit = _call(plan, subject, variant, inputs, refits, results)
            if unit is None:
                break
            calls.append(unit)
            owners.append((plan, variant.id if variant else REFERENCE))
    progress(f"explain: {len(calls)} units")
    answers: dict[str, dict[str, ExplainerAnswer]] = {plan.name: {} for plan in plans}
    for (plan, who), unit_call, outcome in zip(owners, calls, hooks.run_many(calls), strict=True):
        failure = outcome.failure
        if failure is None:
            try:
                answer = explainer_answer(outcome, plan.measures, inputs.table.names)
                answers[plan.name][who] = alike(with_refits(answer, unit_call), answers[plan.name].get(REFERENCE))
            except MALFORMED as error:
                failure = _broken(unit_call, outcome, error)
        if failure is not None:
            results.fail(plan.plugin, failure, f"explaining {who}")
    for plan in plans:
        if REFERENCE in answers[plan.name]:
            _add_explainer(plan, answers[plan.name], inputs, judged.id if judged else None, results)
            progress(f"explain: {plan.name}")
    return _explained(results)


def _explained(results: _Results) -> Explained:
    rows = tuple(results.plugins[name] for name in sorted(results.plugins))
    return Explained(tuple(results.evidence), tuple(results.explanations), results.raw, tuple(results.skipped), rows)


def _plans(offers: Sequence[Answer], selections: Mapping[str, Chosen], seed: int, sizes: Sizes, results: _Results) -> list[Plan]:
    """The plans of the explainers that offer a record for this subject; adds a row for each plugin."""
    plans = []
    for answer in offers:
        plugin, offer = answer.plugin, answer.outcome.answer
        results.plugins[plugin.name] = {
            "kind": "explainer",
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "digest": plugin.digest,
            "summary": str(offer.get("summary", "")),
            "status": "ran",
            "reason": "",
            "settings": {},
        }
        if answer.skipped is not None:
            results.skip(plugin, answer.skipped)
            continue
        try:
            plan = planned(plugin, offer, selections.get(plugin.name, {}), seed, sizes.floor)
        except MALFORMED as error:
            results.fail(plugin, _broken(answer.call, answer.outcome, error))
            continue
        entries = declared_entries(plugin.name, plan.measures)
        if doubled := [name for name in declared_sections([entries]) if name in results.taken]:
            reason = f"measure {doubled[0]!r} is declared by a quantizer of that name too"
            results.fail(plugin, _broken(answer.call, answer.outcome, ValueError(reason)))
            continue
        results.plugins[plugin.name] |= {"settings": dict(plan.settings), **entries}
        plans.append(plan)
    return plans


def _call(
    plan: Plan, subject: LoadedSubject, variant: Candidate | None, inputs: ExplainInputs, refits: Refits | None, results: _Results
) -> Call | None:
    """The unit for one variant; None where the explainer needs data that are not available."""
    rows = inputs.rows("target" in plan.needs)
    without: Mapping[str, Sequence[Floats]] = {}
    try:
        if "target" in plan.needs and rows.target is None:
            raise Decline("needs a target column in the holdout")
        if "refits" in plan.needs:
            if refits is None:
                raise Decline("needs training rows and a model that can be trained again (--train)")
            without = refits(variant, rows.numbers)
    except Decline as declined:
        results.fail(plan.plugin, Failure("declined", "explain", str(declined), "plugin"))
        return None
    return call(plan, subject, variant, rows, without, floor=variant is None)


def _broken(unit_call: Call, outcome: Outcome, error: Exception) -> Failure:
    reason = broken(error)
    keep_unit(unit_call, outcome, reason)
    return Failure("broken contract", "explain", reason, "plugin")


def _add_explainer(
    plan: Plan, answers: Mapping[str, ExplainerAnswer], inputs: ExplainInputs, judged: str | None, results: _Results
) -> None:
    """Evidence and entries of one explainer."""
    reference = answers[REFERENCE]
    about = {"candidate": REFERENCE, "explainer": plan.name}
    for who, answer in answers.items():
        results.raw[(plan.name, who)] = answer.runs[0]
        kind = kind_of(answer.runs[0][0])
        explained = inputs.whole if "target" in plan.needs else inputs.sample
        rows = len(inputs.unseen if kind.cost_rows == "unseen" else explained)
        cost = answer.cost[0] / max(rows, 1)
        where = about | {"candidate": who}
        results.evidence.append(measured("explain_cost", cost, where, plan.name, kind.topic, n=rows))
        results.evidence += recorded_evidence(plan.name, plan.measures, answer.recorded, where, "feature")
    for place, first in enumerate(reference.runs[0]):
        floor = [run[place] for run in reference.runs[1 : 1 + len(plan.floor_seeds)] if place < len(run)]
        others = {who: answer.runs[0][place] for who, answer in answers.items() if place < len(answer.runs[0])}
        _add_part(_Part(plan, (first, *floor), others, inputs), judged, results)
    swept = reference.runs[len(reference.runs) - len(plan.sweep) :]
    for settings, run in zip(plan.sweep, swept, strict=True):
        where = {**about, "value_of": f"{SWEPT}={settings[SWEPT]}"}
        for explanation in run:
            results.evidence += explain_kinds.sweep_evidence(explanation, inputs, where, plan.name)


def _add_part(part: _Part, judged: str | None, results: _Results) -> None:
    """One explanation: evidence and entry of the reference, then of each variant with its drift."""
    contributed = {
        who: values for who, explanation in part.variants.items() if (values := part.contributed(explanation)) is not None
    }
    cases = shown_cases(contributed, part.inputs, judged)
    for who, explanation in part.variants.items():
        about = {"candidate": who, "explainer": part.plan.name}
        results.evidence += explain_kinds.evidence(explanation, part.inputs, about, part.plan.name)
        entry = _head(part, who) | explain_kinds.entry(explanation, part.inputs, who, cases)
        change: Json = {"drift": [], "verdict": None}
        if who != REFERENCE:
            change = _change(part, who, explanation, results)
        results.explanations.append(entry | change)


def _change(part: _Part, who: str, explanation: Explanation, results: _Results) -> Json:
    """Compare the explanation of a variant with that of the reference: add the evidence, and return the end of the entry."""
    about = {"candidate": who, "explainer": part.plan.name}
    drifts = drift.drifts(*_draws(part, explanation), part.inputs.distance_inputs())
    results.evidence += drift.evidence(drifts, about, part.plan.name)
    results.evidence += explain_kinds.drift_evidence(part.draws[0], explanation, part.inputs, about, part.plan.name)
    changes = ReasonChanges()
    if (variant := part.contributed(explanation)) is not None:
        draws = [values for each in part.draws if (values := part.contributed(each)) is not None]
        changes = reason_changes(draws, variant, part.inputs, about, part.plan.name)
    results.evidence += changes.evidence
    verdict = drift.verdict(drifts, changes.changed, changes.unusable or drift.unusable(drifts))
    return {"drift": drift.entries(drifts), "verdict": verdict}


def _draws(part: _Part, explanation: Explanation) -> tuple[Sequence[Explanation], Sequence[Explanation]]:
    """Draws of the reference and of a variant: by seed, or single repeats."""
    if part.plan.by_repeats:
        reference = part.draws[0]
        return kind_of(reference).repeats(reference), kind_of(explanation).repeats(explanation)
    return part.draws, [explanation]


def _head(part: _Part, who: str) -> Json:
    """The part of an entry that is the same for all kinds."""
    return {
        "explainer": part.plan.name,
        "settings": dict(part.plan.settings),
        "candidate": who,
        "seed": part.plan.seed,
        "floor_seeds": list(part.plan.floor_seeds) if who == REFERENCE else [],
        "background": part.inputs.background_from,
        "background_rows": part.inputs.background.rows,
    }
