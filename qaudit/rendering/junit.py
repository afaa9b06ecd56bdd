"""report.junit.xml: each limit as a test case, for continuous integration."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from qaudit.core.catalogue.verdicts import VERDICTS
from qaudit.rendering.pages.page_one import headline, identity
from qaudit.rendering.summary import LimitLine, failures, limit_lines
from qaudit.rendering.table import EvidenceTable
from qaudit.rendering.text import code, harmless, visible
from qaudit.report.model import Report

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """The limits of a report as test cases: passed (within, near), failed (outside), or in error where it is not known whether a
    limit is met; skipped where the audit lets such a limit pass. A plugin that failed is a test case in error too.

    No time and no name of the machine is in it, so that the same report gives the same bytes.
    """
    facts = EvidenceTable(report)
    lines, broken = limit_lines(facts), failures(facts)
    root = ET.Element("testsuites", name="qaudit")
    limits = _suite(root, "qaudit.limits", report)
    for line in lines:
        _limit(limits, line)
    _count(limits)
    if broken:
        parts = _suite(root, "qaudit.plugins", report)
        for stage, name, reason in broken:
            case = ET.SubElement(parts, "testcase", classname="qaudit.plugins", name=_text(f"{name} ({stage})"), time="0")
            ET.SubElement(case, "error", message=_text(reason), type="failed").text = _text(reason)
        _count(parts)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, name: str, report: Report) -> ET.Element:
    facts = EvidenceTable(report)
    suite = ET.SubElement(root, "testsuite", name=name, timestamp=f"{report.audit.date}T00:00:00", time="0")
    properties = ET.SubElement(suite, "properties")
    about = identity(facts)
    values = {
        "audit": visible(report.audit.id),
        "model": about["name"],
        "model digest": report.subject.digest,
        "candidate": visible(report.judged or "none", 200),
        "policy": about["policy"],
        "result": headline(facts)["head"],
    }
    for key, value in values.items():
        ET.SubElement(properties, "property", name=key, value=_text(str(value)))
    return suite


def _limit(suite: ET.Element, line: LimitLine) -> None:
    case = ET.SubElement(suite, "testcase", classname="qaudit.limits", name=_text(f"{line.id} {line.title}"), time="0")
    message = _text(line.sentence)
    match line.outcome:
        case "met":
            ET.SubElement(case, "system-out").text = message
        case "not met":
            ET.SubElement(case, "failure", message=message, type=line.verdict).text = _why(line)
        case "permitted":
            ET.SubElement(case, "skipped", message=message)
        case "not known":
            ET.SubElement(case, "error", message=message, type=line.verdict).text = _why(line)


def _why(line: LimitLine) -> str:
    meaning = next(verdict.meaning for verdict in VERDICTS.values() if verdict.title == line.verdict)
    reason = f"Reason of the limit: {line.why}" if line.why else ""
    return _text("\n".join(filter(None, (f"{line.verdict}: {meaning}.", reason))))


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))


def _text(text: str) -> str:
    """Text without invisible characters, and without those that XML cannot express."""
    return _NOT_IN_XML.sub(lambda match: code(match[0]), harmless(text, "\n"))
