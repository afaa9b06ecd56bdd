"""report.md: page one as a few lines of Markdown, to be posted where people review changes."""

from __future__ import annotations

import re

from qaudit.core.numbers import NONE, capped
from qaudit.rendering.pages.page_one import headline, identity, key_numbers
from qaudit.rendering.summary import failures, limit_lines
from qaudit.rendering.table import EvidenceTable
from qaudit.rendering.text import sentence, visible
from qaudit.report.model import Report

MOST_LIMITS, MOST_FINDINGS, MOST_FAILURES = 100, 10, 20
MARKS = {"met": "✓", "not met": "✗", "not known": "?", "permitted": "–"}
_SPECIAL = re.compile(r"[\\`*_\[\]#~|]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
NOTICE = (
    "Prepared with qaudit. The result says only whether measured values meet the limits that the author wrote in the policy; it "
    "does not state that any law or standard is met."
)


def markdown(report: Report) -> str:
    """The result, every limit, what needs attention, and what failed. Names are escaped, so that they stay text."""
    facts = EvidenceTable(report)
    about, result = identity(facts), headline(facts)
    candidate = f"candidate {plain(visible(report.judged, 200))}" if report.judged else "no candidate judged"
    blocks = [
        f"## Model audit: {plain(about['name'])}",
        f"**{plain(result['head'])}.** {plain(result['text'])}",
        f"{candidate}; {about['rows']} holdout rows; audit {plain(visible(report.audit.id))} of {report.audit.date}",
        _limits(facts) or _key_numbers(facts),
        _findings(report),
        _failures(facts),
        f"Model `{report.subject.digest}`",
        f"<sub>{NOTICE}</sub>",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _limits(facts: EvidenceTable) -> str:
    lines = limit_lines(facts)
    if not lines:
        return ""
    rows = [
        [f"{MARKS[each.outcome]} {each.verdict}", each.id, each.title, each.observed, each.interval, each.bound, each.note]
        for each in lines[:MOST_LIMITS]
    ]
    return _table(["Result", "Id", "Limit on", "Observed", "Interval", "Allowed", "Remark"], rows, len(lines), "limits")


def _key_numbers(facts: EvidenceTable) -> str:
    rows = [[key["name"], key["value"]] for key in key_numbers(facts)]
    return _table(["Measured", "Value"], rows, len(rows), "numbers") if rows else ""


def _findings(report: Report) -> str:
    urgent = [each for each in report.findings if each.severity == "attention"]
    lines = [f"- {plain(visible(each.code, 24))}: {plain(sentence(each.statement))}" for each in urgent[:MOST_FINDINGS]]
    left = capped(MOST_FINDINGS, len(urgent), "findings")
    return "\n".join(["### Needs attention", "", *lines, *([f"- {left}"] if left else [])]) if lines else ""


def _failures(facts: EvidenceTable) -> str:
    failed = failures(facts)
    lines = [f"- {plain(name)} ({plain(stage)}): {plain(reason)}" for stage, name, reason in failed[:MOST_FAILURES]]
    left = capped(MOST_FAILURES, len(failed), "failures")
    return "\n".join(["### Failed", "", *lines, *([f"- {left}"] if left else [])]) if lines else ""


def _table(head: list[str], rows: list[list[str]], number: int, what: str) -> str:
    lines = [head, ["---"] * len(head), *([plain(cell) if cell != NONE else NONE for cell in row] for row in rows)]
    left = capped(len(rows), number, what)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + (f"\n\n{left}" if left else "")


def plain(text: object) -> str:
    """A text on one line in which Markdown finds no markup, no HTML, no address, no name of a person and no formula."""
    line = " ".join(visible(text, 2000).split())
    escaped = _SPECIAL.sub(lambda match: "\\" + match[0], line)
    escaped = escaped.translate(_ENTITIES)
    escaped = escaped.replace("://", "&#58;//").replace("www.", "www&#46;")
    # a name of a person begins a word, the number of a list is followed by a blank
    escaped = re.sub(r"(?<!\w)@", "&#64;", escaped)
    return re.sub(r"^(\d+)([.)])(?= |$)|^([-+=])", lambda match: f"{match[1] or ''}\\{match[2] or match[3]}", escaped)
