"""Explain: every selected explainer on the reference and the judged candidate, same rows, same seeds; drift beside its floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Evidence, Skipped
from qaudit.core.explanation import Attributions, Explanation, Importance, LocalModels, TreeModel
from qaudit.core.json_values import Json
from qaudit.core.measures import agreement
from qaudit.core.plugin_settings import Chosen
from qaudit.core.records import Decline
from qaudit.core.tensor import Floats
from qaudit.pipeline.stages import drift, explain_entries, reasons
from qaudit.pipeline.stages.explain_inputs import ExplainInputs, Sizes, ground
from qaudit.pipeline.stages.explain_units import Plan, RunMany, call, describe, planned, with_refits
from qaudit.pipeline.types import Candidate, Explained, LoadedSubject, Progress
from qaudit.sandbox.answers import MALFORMED, ExplainerAnswer, alike, broken, explainer_answer
from qaudit.sandbox.job import Failure, Outcome, PluginRef
from qaudit.sandbox.runner import Call, keep_unit

Refits = Callable[[Candidate | None, NDArray[np.int64]], Mapping[str, Sequence[Floats]]]
"""Column -> one prediction (n, k) a repeat of the model trained without it, on those holdout rows, quantized as the candidate is
(None: not at all). Raises Decline where the model cannot be trained again."""
REFERENCE = explain_entries.REFERENCE


@dataclass(slots=True)
class _Results:
    """What the stage has found so far."""

    evidence: list[Evidence] = field(default_factory=list)
    explanations: list[Json] = field(default_factory=list)
    raw: dict[tuple[str, str], tuple[Explanation, ...]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    plugins: dict[str, Json] = field(default_factory=dict)

    def fail(self, plugin: PluginRef, failure: Failure, what: str = "") -> None:
        """A plugin that declined or failed: a row, never an exception. A crash inside the model is the model's row."""
        declined = failure.kind == "declined"
        reason = f"{failure.reason} ({what})" if what else failure.reason
        by = plugin.name
        if failure.kind == "crashed" and failure.blame == "model":
            by, reason = "the model", f"{failure.reason}, asked by {plugin.name}" + (f" ({what})" if what else "")
        self.skipped.append(Skipped("explain", by, reason, "declined" if declined else "failed"))
        self.plugins[plugin.name] |= {"status": "declined" if declined else "failed", "reason": reason}


@dataclass(frozen=True, slots=True, eq=False)
class _Explained:
    """One explanation of one explainer: the reference's draws (seed, then the floor's), and the variants' by candidate id."""

    plan: Plan
    draws: tuple[Explanation, ...]
    variants: Mapping[str, Explanation]
    ground: ExplainInputs


def explain(
    subject: LoadedSubject,
    judged: Candidate | None,
    also: Sequence[Candidate],
    plugins: Sequence[PluginRef],
    selections: Mapping[str, Chosen],
    *,
    run_many: RunMany,
    refits: Refits | None = None,
    seed: int = 0,
    sizes: Sizes | None = None,
    progress: Progress = lambda line: None,
) -> Explained:
    """Importance, surrogate trees and local reasons of the reference, the judged candidate and `also`; drift beside its floor.

    `plugins` are the selected explainers, `selections` the author's settings by plugin name. A failure is a row. Raises Refused
    for a wrong setting.
    """
    sizes = sizes or Sizes()
    book = _Results()
    ordered = sorted(plugins, key=lambda plugin: plugin.name)
    plans = _plans(ordered, subject, selections, seed, sizes, run_many, book)
    variants = list({each.id: each for each in ([judged] if judged else []) + list(also)}.values())
    if not plans or not len(subject.native["holdout"]):
        return _explained(book)
    here = ground(subject, variants, judged, sizes, seed)
    calls: list[Call] = []
    owners: list[tuple[Plan, str]] = []
    for plan in plans:
        for variant in (None, *variants):
            made = _call(plan, subject, variant, here, refits, book)
            if made is None:
                break
            calls.append(made)
            owners.append((plan, variant.id if variant else REFERENCE))
    progress(f"explain: {len(calls)} units")
    answers: dict[str, dict[str, ExplainerAnswer]] = {plan.name: {} for plan in plans}
    for (plan, who), asked, outcome in zip(owners, calls, run_many(calls), strict=True):
        failure = outcome.failure
        if failure is None:
            try:
                answers[plan.name][who] = alike(with_refits(explainer_answer(outcome), asked), answers[plan.name].get(REFERENCE))
            except MALFORMED as error:
                failure = _broken(asked, outcome, error)
        if failure is not None:
            book.fail(plan.plugin, failure, f"explaining {who}")
    for plan in plans:
        if REFERENCE in answers[plan.name]:
            _tell(plan, answers[plan.name], here, judged.id if judged else None, book)
            progress(f"explain: {plan.name}")
    return _explained(book)


def _explained(book: _Results) -> Explained:
    rows = tuple(book.plugins[name] for name in sorted(book.plugins))
    return Explained(tuple(book.evidence), tuple(book.explanations), book.raw, tuple(book.skipped), rows)


def _plans(
    plugins: Sequence[PluginRef],
    subject: LoadedSubject,
    selections: Mapping[str, Chosen],
    seed: int,
    sizes: Sizes,
    run_many: RunMany,
    book: _Results,
) -> list[Plan]:
    """The plans of those that offer something; a plugin row for each."""
    plans = []
    for plugin, (asked, outcome) in zip(plugins, describe(plugins, subject, run_many), strict=True):
        book.plugins[plugin.name] = {
            "kind": "explainer",
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "digest": plugin.digest,
            "summary": str(outcome.answer.get("summary", "")),
            "status": "ran",
            "reason": "",
            "settings": {},
        }
        if outcome.failure is not None:
            book.fail(plugin, outcome.failure)
            continue
        try:
            plan = planned(plugin, outcome.answer, selections.get(plugin.name, {}), seed, sizes.floor)
        except MALFORMED as error:
            book.fail(plugin, _broken(asked, outcome, error))
            continue
        book.plugins[plugin.name]["settings"] = dict(plan.settings)
        plans.append(plan)
    return plans


def _call(
    plan: Plan, subject: LoadedSubject, variant: Candidate | None, here: ExplainInputs, refits: Refits | None, book: _Results
) -> Call | None:
    """The unit for one variant, or None where the explainer needs what is not there."""
    rows = here.rows("target" in plan.needs)
    without: Mapping[str, Sequence[Floats]] = {}
    try:
        if "target" in plan.needs and rows.target is None:
            raise Decline("needs a target column in the holdout")
        if "refits" in plan.needs:
            if refits is None:
                raise Decline("needs training rows and a model that can be trained again (--train)")
            without = refits(variant, rows.numbers)
    except Decline as declined:
        book.fail(plan.plugin, Failure("declined", "explain", str(declined), "plugin"))
        return None
    return call(plan, subject, variant, rows, without, floor=variant is None)


def _broken(asked: Call, outcome: Outcome, error: Exception) -> Failure:
    reason = broken(error)
    keep_unit(asked, outcome, reason)
    return Failure("broken contract", "explain", reason, "plugin")


def _tell(plan: Plan, answers: Mapping[str, ExplainerAnswer], here: ExplainInputs, judged: str | None, book: _Results) -> None:
    """Evidence and entries of one explainer."""
    reference = answers[REFERENCE]
    about = {"candidate": REFERENCE, "explainer": plan.name}
    explained = len(here.whole) if "target" in plan.needs else len(here.sample)
    for who, answer in answers.items():
        book.raw[(plan.name, who)] = answer.runs[0]
        rows = len(here.unseen) if isinstance(answer.runs[0][0], TreeModel) else explained
        topic = _topic(answer.runs[0][0])
        cost = answer.cost[0] / max(rows, 1)
        book.evidence.append(Evidence("explain_cost", cost, "rows", None, rows, about | {"candidate": who}, plan.name, topic))
    for place, first in enumerate(reference.runs[0]):
        floor = [run[place] for run in reference.runs[1 : 1 + len(plan.floor_seeds)] if place < len(run)]
        others = {who: answer.runs[0][place] for who, answer in answers.items() if place < len(answer.runs[0])}
        _tell_part(_Explained(plan, (first, *floor), others, here), judged, book)
    book.evidence += explain_entries.sweep_evidence(plan, reference, here, about)


def _topic(explanation: Explanation) -> str:
    if isinstance(explanation, TreeModel):
        return explain_entries.TREE
    return explain_entries.GLOBAL if isinstance(explanation, Importance) else explain_entries.LOCAL


def _tell_part(part: _Explained, judged: str | None, book: _Results) -> None:
    """One explanation: evidence and entry of the reference, then of each variant with its drift."""
    cases, order = _cases(part, judged)
    for who, found in part.variants.items():
        about = {"candidate": who, "explainer": part.plan.name}
        book.evidence += _evidence(found, part, about)
        made = _entry(found, part, who, cases, order)
        made |= {"drift": [], "verdict": None}
        if who != REFERENCE:
            drifts = drift.drifts(*_draws(part, found), part.ground.scene())
            rows = drift.evidence(drifts, about, part.plan.name)
            if isinstance(found, Importance) and isinstance(part.draws[0], Importance):
                rows += explain_entries.rank_evidence(part.draws[0], found, about, part.plan.name)
            if isinstance(found, TreeModel) and isinstance(part.draws[0], TreeModel):
                rows += explain_entries.tree_drift_evidence(part.draws[0], found, part.ground, about, part.plan.name)
            changed, unusable, more = _reasons(part, who, about)
            book.evidence += rows + more
            made |= {
                "drift": drift.entries(drifts),
                "verdict": drift.verdict(drifts, changed, unusable or drift.unusable(drifts)),
            }
        book.explanations.append(made)


def _draws(part: _Explained, found: Explanation) -> tuple[Sequence[Explanation], Sequence[Explanation]]:
    """Draws of the reference and of a variant: by seed, or single repeats."""
    if part.plan.by_repeats:
        return drift.single_repeats(part.draws[0]), drift.single_repeats(found)
    return part.draws, [found]


def _evidence(found: Explanation, part: _Explained, about: Mapping[str, str]) -> list[Evidence]:
    if isinstance(found, Importance):
        return explain_entries.importance_evidence(found, part.ground.table.names, about, part.plan.name)
    if isinstance(found, TreeModel):
        return explain_entries.tree_evidence(found, part.ground, about, part.plan.name)
    if isinstance(found, LocalModels):
        return explain_entries.local_evidence(found, about, part.plan.name, part.ground.counted)
    return []


def _entry(
    found: Explanation, part: _Explained, who: str, cases: Sequence[tuple[int, str]], order: Mapping[int, Sequence[int]]
) -> Json:
    plan = part.plan
    head = {
        "explainer": plan.name,
        "settings": dict(plan.settings),
        "candidate": who,
        "seed": plan.seed,
        "floor_seeds": list(plan.floor_seeds) if who == REFERENCE else [],
        "background": part.ground.background_from,
        "background_rows": part.ground.background.rows,
    }
    if isinstance(found, Importance):
        return head | explain_entries.importance_entry(found, part.ground.table.names)
    if isinstance(found, TreeModel):
        return head | explain_entries.tree_entry(found, part.ground, who)
    return head | explain_entries.local_entry(found, part.ground, who, cases, order)


def _contributions(part: _Explained, found: Explanation) -> Floats | None:
    if isinstance(found, LocalModels | Attributions):
        return agreement.contributions(found, part.ground.design)
    return None


def _cases(part: _Explained, judged: str | None) -> tuple[list[tuple[int, str]], dict[int, list[int]]]:
    """The rows shown of a local explanation, the same for every variant, and the columns of each."""
    first, here = _contributions(part, part.draws[0]), part.ground
    if first is None:
        return [], {}
    several = [made for each in part.variants.values() if (made := _contributions(part, each)) is not None]
    second = _contributions(part, part.variants[judged]) if judged and judged in part.variants else None
    if judged is None or second is None:
        score = here.sampled(REFERENCE)[np.arange(len(here.sample)), here.output[here.sample]]
        nothing = np.zeros(len(score), dtype=bool)
        cases = reasons.chosen_cases(score, nothing, score, nothing, here.counted)[:1]
        return cases, explain_entries.case_columns(several, cases)
    flipped = here.flipped(judged)
    changed = reasons.changes(first, second, here.signs(REFERENCE), here.counted & ~flipped)
    moved = agreement.cosine_distance(first, second)
    cases = reasons.chosen_cases(here.score_change(judged), flipped, moved, changed, here.counted)
    return cases, explain_entries.case_columns(several, cases)


def _reasons(part: _Explained, who: str, about: Mapping[str, str]) -> tuple[bool, bool, list[Evidence]]:
    """Whether a top reason changed on a drawn row that kept its decision, whether the explainer is unusable, and the evidence."""
    first, second = _contributions(part, part.draws[0]), _contributions(part, part.variants[who])
    if first is None or second is None:
        return False, False, []
    signs = part.ground.signs(REFERENCE)
    kept = part.ground.counted & ~part.ground.flipped(who)
    changed = reasons.changes(first, second, signs, kept)
    again = [made for each in part.draws[1:] if (made := _contributions(part, each)) is not None]
    floors = [reasons.changes(first, each, signs, kept) for each in again]
    rows = reasons.rate_evidence(changed, floors, kept, about, part.plan.name)
    return bool(changed.any()), reasons.unusable(floors, kept), rows
