"""Compares a report with an earlier one: which verdicts changed, how many did not, and which inputs changed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

from qaudit.core.evidence import Evidence
from qaudit.errors import Refused
from qaudit.report.model import Moved, Previous, Report, Row
from qaudit.report.reading import parse_report, report_bytes

INPUTS: tuple[tuple[str, Callable[[Report], object]], ...] = (
    ("model", lambda report: report.subject.digest),
    ("holdout", lambda report: report.data.roles.holdout.digest),
    ("policy", lambda report: report.policy and report.policy.digest),
    ("judged candidate", lambda report: report.judged),
    ("cut-off", lambda report: report.subject.cutoff),
    ("qaudit", lambda report: report.qaudit),
)
"""Inputs by name, with the functions that read them from a report. The report names the inputs that changed, since verdicts
under another policy, for example, cannot be compared."""


def read_report(path: Path) -> tuple[Report, str]:
    """An earlier report.json, of any known format, and "sha256:..." of its bytes. Raises Refused."""
    content = report_bytes(path)
    try:
        return parse_report(content), f"sha256:{hashlib.sha256(content).hexdigest()}"
    except Refused as error:
        raise Refused(f"{path}: previous report: {error}") from None


def compare(report: Report, earlier: Report, digest: str) -> Previous:
    """The changes from `earlier`, whose bytes have the digest `digest`, to `report`."""
    before = {each.limit.id: each.verdict for each in earlier.assessments}
    moved, unchanged = [], 0
    for each in report.assessments:
        limit, verdict = each.limit, each.verdict
        # a limit that the earlier policy did not have cannot have changed
        if limit.id not in before:
            continue
        if before[limit.id] == verdict:
            unchanged += 1
        else:
            moved.append(Moved(limit=limit.id, title=limit.title or limit.measure, before=before[limit.id], after=verdict))
    changed = [f"{name} changed" for name, of in INPUTS if of(report) != of(earlier)]
    return Previous(id=earlier.audit.id, digest=digest, moved=tuple(moved), kept=unchanged, inputs=tuple(changed))


def with_previous(report: Report, earlier: Report) -> tuple[Row, ...]:
    """The evidence table; rows of the judged candidate carry `previous`, the earlier report's value of the same thing."""
    old = {_same(row, earlier.judged): row.value for row in earlier.evidence}
    rows = []
    for row in report.evidence:
        value = old.get(_same(row, report.judged)) if row.about.get("candidate") == report.judged else None
        rows.append(row if value is None else dataclasses.replace(row, previous=value))
    return tuple(rows)


def _same(row: Evidence, judged: str | None) -> tuple[str, tuple[tuple[str, str], ...]]:
    about = {key: "judged" if key == "candidate" and value == judged else value for key, value in row.about.items()}
    return row.measure, tuple(sorted(about.items()))
