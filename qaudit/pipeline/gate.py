"""`qaudit gate`: the exit code of a finished report, by the rule of a run, without running anything again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from qaudit.core.assessment_text import compared_text
from qaudit.core.catalogue.verdicts import ExitCode
from qaudit.core.outcome import exit_code, last_line
from qaudit.core.printable import printable
from qaudit.errors import Refused
from qaudit.pipeline.stages.seal import verify
from qaudit.report.formats import FORMAT
from qaudit.report.reading import parse_report, report_bytes


@dataclass(frozen=True, slots=True)
class Gated:
    """The exit code of a report, a line for each limit, and the last line."""

    exit_code: ExitCode
    lines: tuple[str, ...]
    last_line: str


def gate(target: Path) -> Gated:
    """Read a report, a report.json or the folder of one, and decide as `qaudit run` did. Raises Refused.

    A folder must hold what its seal says. A report of an older format is refused: one end of an interval could decide there. The
    PDF is no part of report.json, so that a run that could not make it may have ended with 2 where its gate gives 0.
    """
    folder = target.is_dir()
    path = target / "report.json" if folder else target
    content = report_bytes(path)
    if folder:
        status, lines = verify(target)
        if status != "verified":
            raise Refused(f"{target}: {status}: {'; '.join(lines)}")
    try:
        report = parse_report(content)
    except Refused as error:
        raise Refused(f"{path}: {error}") from None
    if (number := json.loads(content)["format"]) != FORMAT:
        raise Refused(f"{path}: format {number} found, whose verdicts follow an older rule; run the audit again to gate it")
    permit = report.outcome.not_demonstrable if report.outcome is not None else "fail"
    failed = any(row.kind == "failed" for row in report.skipped)
    code = exit_code(report.assessments, failed=failed, not_demonstrable=permit)
    limits = [
        f"{each.limit.id}: {compared_text(each.limit, each, None if each.evidence is None else report.evidence[each.evidence])}"
        for each in report.assessments
    ]
    last = last_line(report.assessments, code, failed=failed, not_demonstrable=permit)
    return Gated(code, tuple(printable(line) for line in limits), printable(last))
