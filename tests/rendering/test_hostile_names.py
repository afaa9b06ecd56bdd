"""Names from strangers: whatever a name holds, the page has the tree that plain names give, and shows the name whole."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from reports import golden, typed

from qaudit.errors import Refused
from qaudit.rendering.html import page
from qaudit.rendering.pdf import make_pdf
from qaudit.rendering.text import LONGEST, MOST_MARKS, alike, folded, harmless, is_invisible, look_alikes, visible
from qaudit.report.model import Report

TEXTS = {"statement", "summary", "reason", "text", "paraphrase", "title", "file", "how", "source", "status", "scope_note"}
ACTIVE = {"iframe", "form", "object", "embed", "base", "link", "img", "image", "use", "foreignobject", "animate", "set"}


def renamed(new: Callable[[str], str]) -> dict[str, Any]:
    """The golden report with every name and every text of others put through `new`."""
    report = golden()
    for row in [*report["subject"]["features"], *report["data"]["columns"], *report["plugins"]]:
        row["name"] = new(row["name"])
    report["subject"]["name"] = new("model")
    # an empty line parts the author's paragraphs
    report["author"] = {key: re.sub(r"[\r\n]+", "\n", new(text)) for key, text in report["author"].items()}
    for row in report["evidence"]:
        row["about"] = {key: text if key in ("candidate", "against", "bin", "range", "explainer", "value_of") else new(text)
                        for key, text in row["about"].items()}  # fmt: skip
    for entry in report["explanations"]:
        for row in entry.get("rows") or ():
            row["feature"] = new(row["feature"])
        for node in entry.get("nodes") or ():
            node["feature"] = new(node["feature"]) if node.get("feature") else node.get("feature")
        if "rules" in entry:
            entry["rules"] = [new(rule) for rule in entry["rules"]]
        for case in entry.get("cases") or ():
            for one in case["features"]:
                one["column"] = new(one["column"])
    for row in [*report["findings"], *report["skipped"], *report["plugins"], *report["next_steps"], *report["frameworks"]]:
        # of a plugin, status is one of a few words and no text
        for key in TEXTS & set(row) - ({"status"} if "distribution" in row else set()):
            row[key] = new(row[key]) if row[key] else row[key]
    for row in report["candidates"]:
        # a formula's ";" and line ends part its lines
        row["formulas"] = {
            key: " ".join(new(text).replace(";", "").splitlines()) for key, text in (row.get("formulas") or {}).items()
        }
    return report


class Tree(HTMLParser):
    """Elements with the names of their attributes, in order, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.shape: list[str] = []
        self.names: set[str] = set()
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.shape.append(f"{tag} {' '.join(sorted(key for key, _ in attrs))}")

    def handle_endtag(self, tag: str) -> None:
        self.shape.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.shape.append("comment")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def body(text: str) -> str:
    return text[text.index("<body") : text.index("<script>")]


# a name of its own for each, so that order and number of rows are those of plain names
def suffixed(nasty: str) -> Callable[[str], str]:
    known: dict[str, int] = {}
    return lambda old: f"{known.setdefault(old, len(known)):03d}{nasty}"


PLAIN = Tree(body(page(typed(renamed(suffixed("f"))))))


@pytest.mark.slow
@given(st.text(st.characters(), max_size=30))
@example('"><img src=x onerror=alert(1)>')
@example("</title><script>alert(1)</script>")
@example("</style></svg>]]>-->")
@example("{{ 7*7 }}{% raw %}")
@example("javascript:alert(1)")
@example("approved\u202edeined\u202c")
@example("a\x00b\ud800\ue000\ufeff\U000e0041")
@example("\u0301" * 30)
@example("&amp;&lt;&#x202e;")
@example("a\n\nb")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_tree_is_that_of_plain_names(nasty: str) -> None:
    new = suffixed(nasty)
    report = renamed(new)
    if any("\ud800" <= char <= "\udfff" for char in nasty):
        with pytest.raises(Refused, match="half a character"):
            typed(report)
        return
    html = page(typed(report))
    html.encode("utf-8")
    found = Tree(body(html))
    assert found.shape == PLAIN.shape
    assert not found.names & ACTIVE
    assert "script" not in found.names
    assert not [char for char in "".join(found.text) if is_invisible(char) and char != "\n"]
    words = "".join(found.text)
    for column in report["data"]["columns"]:
        assert visible(column["name"], 60) in words
    if len(harmless(nasty).strip()) == len(nasty.strip()) > 0:
        assert " ".join(harmless(next(iter(report["author"].values()))).split()) in " ".join(words.split())


@given(st.text(st.characters(), max_size=200), st.integers(1, 120))
def test_visible_text_holds_nothing_unseen_and_is_never_longer(text: str, longest: int) -> None:
    shown = visible(text, longest)
    assert len(shown) <= longest
    assert not any(is_invisible(char) for char in shown)
    assert harmless(shown) == shown
    marks = re.findall("x+", "".join("x" if unicodedata.category(char) in ("Mn", "Me") else " " for char in shown))
    assert max(map(len, marks), default=0) <= MOST_MARKS


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=LONGEST))
def test_plain_names_stay_as_they_are(text: str) -> None:
    assert visible(text) == text == harmless(text)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("K", "\u212a", "<U+212A>"),
        ("income", "inc\u043eme", "inc<U+043E>me"),
        ("ab", "a\u200bb", "a<U+200B>b"),
        ("rate", "rate ", "rate<U+0020>"),
        ("file", "\ufb01le", "<U+FB01>le"),
        ("AB", "\uff21B", "<U+FF21>B"),
    ],
)
def test_names_that_look_alike_are_told_apart(one: str, other: str, told: str) -> None:
    assert folded(one) == folded(other)
    assert alike([one, other, "z"]) == [sorted([one, other])]
    with look_alikes([one, other]):
        assert (visible(one), visible(other)) == (one, told)
    assert visible("K\u00b2") == "K\u00b2"
    report = golden()
    report["data"]["columns"][0]["name"], report["data"]["columns"][1]["name"] = one, other
    words = " ".join("".join(Tree(body(page(typed(report)))).text).split())
    assert "Names that look alike:" in words
    assert told in words


def test_a_report_without_look_alikes_says_nothing_of_them() -> None:
    assert "look alike" not in page(typed(golden()))


def huge() -> dict[str, Any]:
    """Every list far longer than a page can hold, and names that stall a layout."""
    report = golden()
    pile, long, also_long = "e" + "\u0301" * 50_000, "n" * 1_000_000, "n" * 20_000
    report["subject"]["name"], report["author"]["limits"] = long, pile
    report["data"]["columns"] = [{**report["data"]["columns"][0], "name": f"c{i}"} for i in range(5_000)]
    report["data"]["columns"][0]["name"] = pile
    report["plugins"] = [{**report["plugins"][0], "name": f"p{i}", "digest": "sha256:" + "0" * 64} for i in range(500)]
    report["skipped"] = [{**report["skipped"][0], "by": f"b{i}", "kind": "declined"} for i in range(5_000)]
    report["skipped"][4_999] |= {"kind": "failed", "by": "the one that failed"}
    report["candidates"] = [{**report["candidates"][i % 4], "id": f"k{i}(bits={i})"} for i in range(300)]
    report["judged"] = "k299(bits=299)"
    limits = report["assessments"]
    report["assessments"] = [
        {**limits[i % len(limits)], "limit": {**limits[i % len(limits)]["limit"], "id": f"Q{i}"}} for i in range(400)
    ]
    report["findings"] = [{**report["findings"][0], "statement": text} for text in (long, *[also_long] * 399)]
    for entry in report["explanations"]:
        if entry["kind"] == "importance":
            entry["rows"] = [{**entry["rows"][0], "feature": f"f{i}", "mean": 1.0 / (i + 1)} for i in range(300)]
        if entry["kind"] == "tree":
            entry["classes"], entry["rules"] = [f"class {i}" for i in range(40)], [long, *[also_long] * 499]
    return report


@cache
def huge_report() -> Report:
    return typed(huge())


def test_lists_are_capped_and_said() -> None:
    html = page(huge_report())
    words = " ".join("".join(Tree(body(html)).text).split())
    for said in (
        "40 of 5,000 columns, all in report.json.",
        "60 of 500 plugins, all in report.json.",
        "60 of 5,000 steps, all in report.json.",
        "100 of 400 rules, the exceeded ones first to be kept, all in report.json.",
        "60 of 400 findings, all in report.json.",
        "15 of 300 features, all in report.json.",
        "41 of 300 candidates, all in report.json.",
        "the one that failed",
        "k299(bits=299) judged",
    ):
        assert said in words, said
    assert len(html) < 3_000_000
    found = Tree(body(html))
    assert found.shape.count("tr ") < 900
    addresses = re.findall(r'href="#([^"]+)"', html)
    assert set(addresses) <= set(re.findall(r' id="([^"]+)"', html))


@pytest.mark.slow
def test_the_pdf_of_a_hostile_report_is_made() -> None:
    """Sizes that stall a PDF engine are capped before it; without the caps this would run into the time limit of all tests."""
    report = huge_report()
    made = make_pdf(page(report, pdf=True), b"{}", report.audit.date)
    assert made.data.startswith(b"%PDF-")
    assert made.refused == ()
