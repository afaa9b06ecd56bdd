"""An audit from its settings to the sealed folder: one function, the stages in order."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from qaudit.cache.unit_cache import Mode, open_cache
from qaudit.core.evidence import Assessment, canonical_json
from qaudit.core.json_values import Json
from qaudit.core.outcome import exit_code, last_line
from qaudit.inputs.audit_toml import as_table
from qaudit.inputs.options import Settings
from qaudit.inputs.policy import older_use
from qaudit.pipeline.environment import environment, environment_facts, package_digest
from qaudit.pipeline.plan import Plan, identity, make_plan, repeat_record
from qaudit.pipeline.progress import Reporter
from qaudit.pipeline.publish import plugin_rows, publish, timings
from qaudit.pipeline.selection import assessed_candidate, candidates_named
from qaudit.pipeline.stages.assess import assess
from qaudit.pipeline.stages.choose import choose
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.stages.explain import explain
from qaudit.pipeline.stages.find import find
from qaudit.pipeline.stages.frameworks import frameworks
from qaudit.pipeline.stages.load import load
from qaudit.pipeline.stages.plugin_measures import declared_sections
from qaudit.pipeline.stages.previous import read_report
from qaudit.pipeline.stages.quantize import quantize
from qaudit.pipeline.stages.reach import out_of_reach
from qaudit.pipeline.stages.refit_variants import Variants
from qaudit.pipeline.stages.render import check_custom_template, render
from qaudit.pipeline.stages.report import assemble, evidence_table
from qaudit.pipeline.stages.worst_slice import worst_slice
from qaudit.pipeline.types import Candidate, Candidates, Choice, Explained, LoadedSubject, Measured, WorstSlice
from qaudit.plugin_host.hooks import Hooks, open_hooks
from qaudit.report.model import Report
from qaudit.sandbox import runner
from qaudit.storage.durable_files import write_bytes
from qaudit.storage.output_folder import locked

PLAIN = runner.Debugging()


@dataclass(frozen=True, slots=True, eq=False)
class FinishedAudit:
    """A finished audit: its folder, exit code, report and files, and notes for the user."""

    folder: Path
    exit_code: int
    report: Json
    written: tuple[Path, ...]
    notes: tuple[str, ...]
    last_line: str


def run(
    settings: Settings,
    *,
    output: Path | None = None,
    reporter: Reporter | None = None,
    results: Mode = "use",
    debugging: runner.Debugging = PLAIN,
) -> FinishedAudit:
    """Carry out the audit that `settings` describe, and write a sealed folder. Raises Refused before anything is written.

    `results` says whether finished units are taken from the result store; no byte of the report depends on it. The host's own
    arithmetic runs on one BLAS thread, so that the number of cores changes no bit. `debugging` is for authors of plugins: units
    that run in this process are not kept in the store, and nothing is sealed.
    """
    show = reporter or Reporter()
    results, jobs = ("none", 1) if debugging.here else (results, settings.run.jobs)
    runner.warm()
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix="qaudit-") as scratch, threadpool_limits(limits=1):
        # what is not finite is a row with its reason; numpy's warnings would only repeat it without saying where
        stack.enter_context(np.errstate(over="ignore", invalid="ignore", divide="ignore"))
        plan = make_plan(settings, output, Path(scratch))
        previous = read_report(Path(settings.report.previous)) if settings.report.previous else None
        custom_template = check_custom_template(Path(settings.report.template)) if settings.report.template else None
        if output is not None:
            stack.enter_context(locked(output))
        stack.enter_context(runner.debugging(debugging))
        cache = open_cache(as_table(settings), environment_facts(), results, package_digest, show)
        stack.push(cache.stopped)
        hooks = open_hooks(plan.host, plan.plugins, jobs=jobs, cache=cache, progress=show)
        result = run_stages(plan, previous, hooks, show)
        pages = Path(scratch) / "pages"
        pages.mkdir()
        content = f"{canonical_json(result.report.plain())}\n".encode()
        write_bytes(pages / "report.json", content)
        with show.stage("render", " and ".join(settings.report.formats)):
            wanted, lang = settings.report.formats, settings.report.lang
            rendered = render(
                content, pages, formats=wanted, lang=lang, custom_template=custom_template, run=hooks.run, progress=show
            )
        troubles = [f"{row.by}: {row.reason} ({row.stage})" for row in result.report.skipped if row.kind == "failed"]
        troubles += [f"{row.by}: {row.reason} ({row.stage})" for row in rendered.skipped]
        name = result.report.audit.id
        folder = output or Path(name)
        if output is None:
            stack.enter_context(locked(folder))
        show(f"units: {cache.ran} ran, {cache.kept} came from the result store")
        show(f"units: network {runner.network_state()}, processes {runner.process_state()}")
        times = timings(show.seconds, result.seconds, cache)
        written = publish(pages, folder, result.inputs, name, times, show.lines, repeat_record(plan), not debugging.here)
        cache.end()
    notes = (*troubles, *rendered.notes, *cache.notes, *_of_policy(plan))
    failed, permit = bool(troubles), settings.policy.not_demonstrable
    code = exit_code(result.assessments, failed=failed, not_demonstrable=permit)
    line = last_line(result.assessments, code, failed=failed, not_demonstrable=permit)
    return FinishedAudit(folder, code, result.report.plain(), written, notes, line)


def _of_policy(plan: Plan) -> tuple[str, ...]:
    text = older_use(plan.policy) if plan.policy is not None else None
    return () if text is None else (f"{plan.settings.policy.file}: {text}",)


@dataclass(frozen=True, slots=True, eq=False)
class AuditResult:
    """The report, and values that are not part of it: input digests by role, seconds by candidate."""

    report: Report
    assessments: tuple[Assessment, ...]
    inputs: Mapping[str, str]
    seconds: Mapping[str, float]


def run_stages(plan: Plan, previous: tuple[Report, str] | None, hooks: Hooks, show: Reporter) -> AuditResult:
    """load -> quantize -> choose -> evaluate -> explain -> find -> assess -> report."""
    results = _measured(plan, hooks, show)
    with show.stage("report", "findings, limits, frameworks"):
        return _reported(plan, previous, hooks, results)


@dataclass(frozen=True, slots=True, eq=False)
class _Results:
    """What the stages before the report found. `unreachable` are sentences on limits that these rows cannot show to be met."""

    subject: LoadedSubject
    candidates: Candidates
    choice: Choice | None
    judged: Candidate | None
    measured: Measured
    worst: WorstSlice | None
    explained: Explained
    refits: Variants
    unreachable: Sequence[str]


def _measured(plan: Plan, hooks: Hooks, show: Reporter) -> _Results:
    """load -> quantize -> choose -> evaluate -> explain."""
    settings, seed, picked = plan.settings, plan.settings.run.seed, plan.selections
    with show.stage("load", plan.request.name):
        subject = load(plan.request, hooks, progress=show)
    unreachable = out_of_reach(plan.policy, subject)
    for sentence in unreachable:
        show.note(sentence)
    with show.stage("quantize", counted(plan.plugins["quantizer"], "quantizer")):
        candidates = quantize(subject, hooks, picked["quantizer"], bits=settings.run.bits or None, seed=seed, progress=show)
    choice = None
    if settings.policy.judge is None:
        with show.stage("choose", f"among {counted(candidates.all, 'candidate')}"):
            choice = choose(subject, candidates, plan.policy, declared_sections(candidates.plugins), progress=show)
    judged = choice.candidate if choice else assessed_candidate(settings.policy.judge, candidates)
    also = candidates_named(settings.policy.explain, candidates)
    with show.stage("evaluate", counted(candidates.all, "candidate")):
        measured = evaluate(subject, candidates, judged, also=[each.id for each in also], progress=show)
        worst = worst_slice(subject, judged, measured.predictions, seed)
    with show.stage("explain", counted(plan.plugins["explainer"], "explainer")):
        refits = Variants(subject, plan.plugins["quantizer"], hooks.run_many, seed=seed, progress=show)
        explained = explain(
            subject,
            judged if judged and judged.id in measured.predictions else None,  # what the engine cannot run is a row already
            [each for each in also if each.id in measured.predictions],
            hooks,
            picked["explainer"],
            refits=refits,
            seed=seed,
            taken=declared_sections(candidates.plugins),
            progress=show,
        )
    return _Results(subject, candidates, choice, judged, measured, worst, explained, refits, unreachable)


def _reported(plan: Plan, previous: tuple[Report, str] | None, hooks: Hooks, of: _Results) -> AuditResult:
    """find -> assess -> report."""
    settings, subject, candidates, judged = plan.settings, of.subject, of.candidates, of.judged
    name, inputs = identity(plan, subject.report["data"]["roles"], subject.digest)
    where = environment()
    more = of.worst.evidence if of.worst else ()
    evidence = evidence_table(subject, candidates, of.measured, of.explained, judged, where, plan.policy, more=more)
    lists, unlisted = frameworks(hooks, evidence, settings.author)
    skipped = [*plan.skipped]
    for each in (subject, candidates, of.measured, of.explained, of.refits):
        skipped += each.skipped
    skipped += unlisted
    declared = declared_sections([*candidates.plugins, *of.explained.plugins])
    assessments = assess(plan.policy, evidence, judged.id if judged else None, declared)
    findings = find(
        subject,
        candidates,
        evidence,
        judged,
        skipped,
        policy=plan.policy,
        frameworks=lists,
        date=plan.date,
        choice=of.choice,
        assessments=assessments,
        out_of_reach=of.unreachable,
        slice=of.worst,
    )
    report = assemble(
        audit={"id": name, "date": plan.date, "seed": settings.run.seed, "bits": list(settings.run.bits) or None},
        subject=subject,
        candidates=candidates,
        judged=judged,
        choice=of.choice,
        slice=of.worst,
        evidence=evidence,
        explained=of.explained,
        findings=findings,
        assessments=assessments,
        skipped=skipped,
        plugins=plugin_rows(plan, subject, lists, unlisted),
        environment=where,
        frameworks=lists,
        author=settings.author,
        policy=plan.policy,
        previous=previous,
        show_values=settings.report.show_values,
        not_demonstrable=settings.policy.not_demonstrable,
    )
    return AuditResult(report, assessments, inputs, of.measured.seconds)


def counted(things: Sequence[object], word: str) -> str:
    """1 candidate, 2 candidates."""
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"
