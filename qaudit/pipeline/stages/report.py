"""The stage `report`: the whole audit as one report in canonical order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qaudit.core.__about__ import VERSION
from qaudit.core.evidence import Assessment, Evidence, Finding, Skipped, measured
from qaudit.core.json_values import Json
from qaudit.core.outcome import Permit, outcome
from qaudit.errors import Refused
from qaudit.inputs.policy import Policy
from qaudit.pipeline.stages.assess import next_steps
from qaudit.pipeline.stages.explain_kinds import masked
from qaudit.pipeline.stages.previous import compare, with_previous
from qaudit.pipeline.types import Candidate, Candidates, Choice, Explained, LoadedSubject, Measured, WorstSlice
from qaudit.report.formats import FORMAT
from qaudit.report.model import Report
from qaudit.report.reading import report_of

STAGES = ("plugins", "load", "quantize", "evaluate", "explain", "frameworks", "render")
_DIGITS = re.compile(r"(\d+)")


def evidence_table(
    subject: LoadedSubject,
    candidates: Candidates,
    measured: Measured,
    explained: Explained,
    judged: Candidate | None,
    environment: Mapping[str, Any],
    policy: Policy | None = None,
    more: Sequence[Evidence] = (),
) -> tuple[Evidence, ...]:
    """Everything that was measured, in one order whatever the order of plugins: by measure, then reference, candidates as they
    stand, then what else a row is about. Findings and assessments point into it by number.
    """
    rows = [*subject.evidence, *candidates.evidence, *measured.evidence, *explained.evidence, *more]
    rows += _record_counts(subject, judged, environment, policy)
    place = {"reference": 0} | {candidate.id: number for number, candidate in enumerate(candidates.all, 1)}
    return tuple(sorted(rows, key=lambda row: _key(row, place)))


def assemble(
    *,
    audit: Json,
    subject: LoadedSubject,
    candidates: Candidates,
    judged: Candidate | None,
    choice: Choice | None = None,
    slice: WorstSlice | None = None,
    evidence: Sequence[Evidence],
    explained: Explained,
    findings: Sequence[Finding],
    assessments: Sequence[Assessment],
    skipped: Sequence[Skipped],
    plugins: Sequence[Json],
    environment: Mapping[str, Any],
    frameworks: Sequence[Json] = (),
    author: Mapping[str, str] | None = None,
    policy: Policy | None = None,
    previous: tuple[Report, str] | None = None,
    show_values: bool = False,
    not_demonstrable: Permit = "fail",
) -> Report:
    """The checked report. Raises Refused where a part is not of the declared shape.

    `audit` is {id, date, seed, bits}. `plugins` are the host's rows of every discovered plugin; those of the stages that ran one
    replace them. `skipped` are the rows of all stages. `previous` is an earlier report with the sha256 of its bytes.
    `show_values`: the input values of the local cases are printed; else they are null, since they may be personal data.
    """
    content: Json = {
        "format": FORMAT,
        "qaudit": VERSION,
        "audit": audit,
        "subject": subject.report["subject"],
        "data": subject.report["data"],
        "plugins": _plugins([*plugins, *candidates.plugins, *explained.plugins]),
        "candidates": _candidates(candidates, explained),
        "judged": judged.id if judged else None,
        "choice": choice.row if choice else None,
        "worst_slice": slice.row if slice else None,
        "evidence": evidence,
        "explanations": explained.explanations if show_values else [masked(entry) for entry in explained.explanations],
        "findings": findings,
        "assessments": assessments,
        "outcome": outcome(assessments, not_demonstrable),
        "skipped": sorted(set(skipped), key=_skip_key),
        "environment": environment,
        "frameworks": frameworks,
        "author": author or {},
        "policy": policy.report() if policy else None,
        "next_steps": next_steps(assessments, evidence),
        "previous": None,
    }
    try:
        report = report_of(content)
    except Refused as error:
        raise Refused(f"report.json: {error}") from None
    if previous is None:
        return report
    return report.model_copy(update={"previous": compare(report, *previous), "evidence": with_previous(report, previous[0])})


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key: digits as numbers, so that bin 2 stands before bin 10."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(text) if part)


def _key(row: Evidence, place: Mapping[str, int]) -> tuple[Any, ...]:
    about = tuple((key, natural(value)) for key, value in sorted(row.about.items()) if key != "candidate")
    candidate = row.about.get("candidate")
    order = -1 if candidate is None else place.get(candidate, len(place))
    # the rest makes the order total: rows that differ in anything never change places
    return row.measure, order, natural(candidate or ""), about, row.by, row.topic, repr(row.value), repr(row.interval)


def _record_counts(
    subject: LoadedSubject, judged: Candidate | None, environment: Mapping[str, Any], policy: Policy | None
) -> list[Evidence]:
    """Counts of what the report itself records: packages with their versions, inputs with their digests, changed parameters."""

    def row(measure: str, count: int, topic: str, about: Mapping[str, str]) -> Evidence:
        return measured(measure, float(count), about, "report", topic)

    roles = subject.report["data"].get("roles", {})
    hashed = 1 + sum(bool(role.get("digest")) for role in roles.values()) + (policy is not None)
    rows = [
        row("environment_packages", len(environment.get("packages", {})), "environment", {}),
        row("inputs_hashed", hashed, "hashes", {}),
    ]
    if judged is not None:
        about = {"candidate": judged.id, "against": "reference"}
        rows.append(row("parameters_changed", len(judged.quantized.tensors), "change_log", about))
    return rows


def _plugins(rows: Sequence[Json]) -> list[Json]:
    known: dict[tuple[str, str, str], Json] = {}
    for row in rows:
        key = (row["kind"], row["name"], row.get("distribution", ""))
        known[key] = known.get(key, {}) | row
    return [known[key] for key in sorted(known)]


def _candidates(candidates: Candidates, explained: Explained) -> list[Json]:
    seen = {entry["candidate"] for entry in explained.explanations}
    return [{**each.row, "explained": each.id in seen} for each in candidates.all]


def _skip_key(row: Skipped) -> tuple[int, str, str, str]:
    return STAGES.index(row.stage) if row.stage in STAGES else len(STAGES), row.stage, row.by, row.reason
