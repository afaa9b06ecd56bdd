"""report.md and report.junit.xml, read by parsers of others: every limit, and names that stay text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import junitparser
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reports import golden, smallest, typed

from qaudit.core.catalogue.verdicts import VERDICTS
from qaudit.core.outcome import Permit, exit_code
from qaudit.rendering.junit import junit
from qaudit.rendering.markdown import markdown, plain

HOSTILE = (
    "<script>alert(1)</script>", "a|b", "]]>", "`x`", "*b*", "[l](http://x.y)", "<!-- -->", "# h", "1. x", "- x", "a\nb\r\n\n# c",
    "\x00\x1b[31m", "\ufffe\uffff", "&amp;", "\u202e", "![i](http://x.y/p.png)", "@team", "$x$", "www.x.y", "~~s~~",
    "| --- |", "\\",
)  # fmt: skip


def with_verdicts(*words: str) -> dict[str, Any]:
    """The golden report with one limit of each of these verdicts."""
    report = golden() | {"skipped": []}
    first = report["assessments"][0]
    report["assessments"] = [
        {**first, "verdict": word, "limit": {**first["limit"], "id": f"K{place}", "title": f"Title {word}"}}
        for place, word in enumerate(words)
    ]
    return report


def cases(text: str) -> dict[str, junitparser.TestCase]:
    read = junitparser.JUnitXml.fromstring(text.encode("utf-8"))
    return {case.name: case for suite in read for case in suite}


def schema_problems(text: str) -> list[str]:
    """What the common schema of JUnit's XML (that of the Jenkins plug-in) would refuse."""
    root = ET.fromstring(text.encode("utf-8"))
    allowed = {
        "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors", "skipped"}, {"testsuite"}),
        "testsuite": (
            {"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
            {"properties", "testcase", "system-out", "system-err"},
        ),
        "properties": (set(), {"property"}),
        "property": ({"name", "value"}, set()),
        "testcase": (
            {"name", "classname", "assertions", "time", "status"},
            {"skipped", "error", "failure", "system-out", "system-err"},
        ),
        "failure": ({"message", "type"}, set()),
        "skipped": ({"message"}, set()),
        "error": ({"message", "type"}, set()),
        "system-out": (set(), set()),
    }
    needed = {"testsuite": {"name", "tests"}, "testcase": {"name", "classname"}, "property": {"name", "value"}}
    problems = [] if root.tag == "testsuites" else [root.tag]
    for element in root.iter():
        attributes, children = allowed[element.tag]
        problems += [f"{element.tag}@{key}" for key in set(element.keys()) - attributes]
        problems += [f"{element.tag}/{child.tag}" for child in element if child.tag not in children]
        problems += [f"{element.tag} without {key}" for key in needed.get(element.tag, set()) - set(element.keys())]
    for suite in root:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", "")):
            problems.append("timestamp")
        for key, tag in (("tests", ""), ("failures", "/failure"), ("errors", "/error")):
            if int(suite.get(key, "-1")) != len(suite.findall(f"testcase{tag}")):
                problems.append(f"count of {key}")
    return problems


def test_each_limit_is_a_test_case_by_its_verdict() -> None:
    words = [word for word in VERDICTS if word != "no_limit"]
    report = with_verdicts(*words)
    text = junit(typed(report))
    assert schema_problems(text) == []
    found = cases(text)
    for place, word in enumerate(words):
        results = [type(each).__name__ for each in found[f"K{place} Title {word}"].result]
        assert results == {0: [], 1: ["Failure"], 2: ["Error"]}[VERDICTS[word].exit_code], word
    (failure,) = found["K0 Title outside"].result
    assert failure.type == "Outside"
    assert failure.message.startswith("observed ")
    assert re.search(r", limit at (most|least) .*: outside", failure.message)
    assert report["assessments"][0]["limit"]["reason"] in (failure.text or "")
    read = junitparser.JUnitXml.fromstring(text.encode("utf-8"))
    assert (read.tests, read.failures) == (len(words), 1)


@pytest.mark.parametrize("words", [(), ("within",), ("within", "near"), ("near", "not_assessed"), ("not_demonstrable",),
                                   ("outside",), ("outside", "not_assessed", "within")])  # fmt: skip
@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("permit", ["fail", "pass"])
def test_failures_and_errors_give_the_exit_code_of_the_audit(words: tuple[str, ...], broken: bool, permit: Permit) -> None:
    report = with_verdicts(*words)
    report["outcome"] = {"not_demonstrable": permit, "comparisons": 1, "by_interval": 0, "false_outside": None}
    if broken:
        report["skipped"] = [{"stage": "explain", "by": "acme", "reason": "raised KeyError", "kind": "failed"}]
    read = junitparser.JUnitXml.fromstring(junit(typed(report)).encode("utf-8"))
    code = 1 if read.failures else 2 if read.errors else 0
    assert code == exit_code(typed(report).assessments, failed=broken, not_demonstrable=permit)
    assert read.skipped == (words.count("not_demonstrable") if permit == "pass" else 0)
    assert schema_problems(junit(typed(report))) == []


def test_a_plugin_that_failed_is_an_error_and_one_that_declined_is_not() -> None:
    report = golden()
    report["skipped"] = [
        {"stage": "explain", "by": "acme", "reason": "raised KeyError", "kind": "failed"},
        {"stage": "explain", "by": "shy", "reason": "no trees", "kind": "declined"},
    ]
    text = junit(typed(report))
    assert schema_problems(text) == []
    (error,) = cases(text)["acme (explain)"].result
    assert (type(error).__name__, error.message) == ("Error", "raised KeyError")
    assert "shy" not in text
    assert "- acme (explain): raised KeyError" in markdown(typed(report))
    assert "shy" not in markdown(typed(report))


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[list[str]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.cells and self.cells[-1]:
            self.cells[-1][-1] += data.strip("\n")


def drawn(text: str) -> Tags:
    return Tags(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


def test_the_summary_has_a_row_a_limit() -> None:
    report = golden()
    page = drawn(markdown(typed(report)))
    head, *rows = page.cells
    assert head == ["Result", "Id", "Limit on", "Observed", "Interval", "Allowed", "Remark"]
    assert [row[1] for row in rows] == [each["limit"]["id"] for each in report["assessments"]]
    for row, each in zip(rows, report["assessments"], strict=True):
        word = VERDICTS[each["verdict"]]
        mark = {0: "✓", 1: "✗", 2: "?"}[word.exit_code]
        assert row[0] == f"{mark} {word.title}"
    text = markdown(typed(report))
    assert "**2 of 8 limits not met" in text
    attention = [each for each in report["findings"] if each["severity"] == "attention"]
    assert text.count("\n- QA-") == min(len(attention), 10)


def test_without_a_policy_the_summary_has_the_key_numbers() -> None:
    report = golden()
    report |= {"policy": None, "assessments": []}
    page = drawn(markdown(typed(report)))
    assert page.cells[0] == ["Measured", "Value"]
    assert len(page.cells) > 3
    assert schema_problems(junit(typed(report))) == []
    least = typed(smallest())
    assert "no candidate judged" in markdown(least)
    assert schema_problems(junit(least)) == []


def named(new: Any) -> dict[str, Any]:
    """The golden report with names and texts of others made hostile."""
    report = golden()
    report["subject"]["name"] = new("model")
    for each in report["assessments"]:
        each["limit"] |= {"id": new(each["limit"]["id"]), "title": new("title"), "reason": new("why")}
        each["reason"] = new("remark")
    for each in report["findings"]:
        each |= {"statement": new(each["statement"]), "severity": "attention"}
    report["skipped"] = [{"stage": new("explain"), "by": new("acme"), "reason": new("broke"), "kind": "failed"}]
    report["policy"]["name"] = new("policy")
    return report


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
@example("<script>|\n# x")
def test_whatever_a_name_holds_the_texts_have_the_shape_of_plain_names(hostile: str) -> None:
    report = typed(named(lambda text: f"a{hostile}{text}"))
    plain_report = typed(named(lambda text: f"a{text}"))
    assert drawn(markdown(report)).tags == drawn(markdown(plain_report)).tags
    text, wanted = junit(report), junit(plain_report)
    assert schema_problems(text) == []
    assert [each.tag for each in ET.fromstring(text)] == [each.tag for each in ET.fromstring(wanted)]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text(hostile: str) -> None:
    report = typed(named(lambda text: f"{hostile} {text}"))
    page = drawn(markdown(report))
    assert set(page.tags) <= {"h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code", "sub"}
    assert page.tags.count("tr") == 1 + len(report.assessments)
    text = markdown(report)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e\ufffe\uffff]", text)
    assert "http://" not in text
    assert "@team" not in text
    assert schema_problems(junit(report)) == []
    assert len(cases(junit(report))) >= 1
    assert drawn(f"- {plain(hostile)}").tags == ["ul", "li"]


def test_the_same_report_gives_the_same_bytes_and_no_name_of_this_machine() -> None:
    texts = [(junit(typed(golden())), markdown(typed(golden()))) for _ in range(2)]
    assert texts[0] == texts[1]
    assert "hostname" not in texts[0][0]
    assert texts[0][1].endswith("</sub>\n")
    assert texts[0][0].startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="qaudit"')
