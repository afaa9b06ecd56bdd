"""The model of report.json: what it reads it writes again, and what does not fit is refused in one line that names the place."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import Json, content, golden, smallest, typed

from qaudit.core.evidence import Evidence
from qaudit.errors import Refused
from qaudit.report.formats import FORMAT
from qaudit.report.model import Row
from qaudit.report.reading import parse_report


@pytest.mark.parametrize("make", [golden, smallest])
def test_what_is_read_is_written_again(make: Callable[[], Json]) -> None:
    report = make()
    again = typed(report).plain()
    assert json.dumps(again, sort_keys=True) == json.dumps(report, sort_keys=True)
    assert typed(again) == typed(report)


def test_the_model_has_the_number_of_the_format() -> None:
    assert smallest()["format"] == golden()["format"] == FORMAT


def test_a_row_is_evidence_with_the_same_fields() -> None:
    names = [field.name for field in dataclasses.fields(Row)]
    assert names == [*(field.name for field in dataclasses.fields(Evidence)), "previous"]


def at(report: Json, *place: str | int) -> Any:
    value: Any = report
    for key in place:
        value = value[key]
    return value


def tree(report: Json) -> int:
    return next(i for i, entry in enumerate(report["explanations"]) if entry["kind"] == "tree")


WRONG: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("evidence", 3, "value"), "0.5", "evidence.3.value: input should be a valid number, '0.5' found"),
    (("evidence", 3, "value"), True, "evidence.3.value: input should be a valid number, True found"),
    (("evidence", 3, "more"), 1, "evidence.3.more: unknown key"),
    (("evidence", 3, "about"), {"colour": "red"}, "evidence.3.about.colour.[key]: input should be 'candidate', 'against'"),
    (("evidence", 3, "topic"), "weather", "evidence.3.topic: input should be 'model.identity'"),
    (("evidence", 3, "interval"), {"low": 0, "high": 1, "level": 0.9}, "evidence.3.interval.method: is missing"),
    (("evidence", 0, "interval", "more"), 1, "evidence.0.interval.more: unknown key"),
    (("skipped", 0, "more"), 1, "skipped.0.more: unknown key"),
    (("findings", 0, "section"), "elsewhere", "findings.0.section: input should be 'result', 'rules'"),
    (("findings", 0, "code"), "X", "findings.0.code: string should match pattern"),
    (("assessments", 0, "limit", "where"), {"candidate": "x"}, "assessments.0.limit.where.candidate.[key]: input should be"),
    (("subject", "digest"), "sha256:x", "subject.digest: string should match pattern"),
    (("subject", "size_bytes"), -1, "subject.size_bytes: input should be greater than or equal to 0"),
    (("subject", "size_bytes"), 10**400, "subject.size_bytes: input should be less than or equal to"),
    (("audit", "date"), "2026-02-30", "audit.date: day is out of range"),
    (("explanations", 0, "kind"), "shap", "explanations.0: input tag 'shap'"),
    (("explanations", 0, "rows", 0, "mean"), None, "explanations.0.importance.rows.0.mean: input should be a valid number"),
    (("findings", 0, "evidence"), [10**6], "findings.0.evidence: row 1000000 found, the table of evidence has"),
    (("assessments", 1, "evidence"), 10**6, "assessments.1.evidence: row 1000000 found"),
    (("assessments", 1, "verdict"), "fine", "assessments.1.verdict: input should be 'within'"),
    (("author", "a\nb"), 1, "author.a<U+000A>b: input should be a valid string"),
    (("signoff",), [], "signoff: unknown key"),
    (("subject", "name"), "a\ud800", r"half a character (\ud800) in a text"),
    (("evidence", 3, "value"), float("nan"), "a number is not finite"),
]


@pytest.mark.parametrize(("place", "value", "said"), WRONG, ids=lambda part: None)
def test_what_does_not_fit_is_refused_in_one_line(place: tuple[str | int, ...], value: Any, said: str) -> None:
    report = golden()
    at(report, *place[:-1])[place[-1]] = value
    with pytest.raises(Refused, match=re.escape(said)) as refused:
        typed(report)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("key", sorted(smallest()))
def test_every_part_is_wanted(key: str) -> None:
    report = smallest()
    del report[key]
    with pytest.raises(Refused, match="format None found" if key == "format" else f"^{key}: is missing$"):
        typed(report)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"left": 0, "right": 1}, "a node has the child 0"),
        ({"left": 1, "right": 1}, "two nodes have the same child"),
        ({"left": 1, "right": 10**6}, "a node has the child 1000000"),
        ({"left": 1, "right": -5}, "a node has the child -5"),
        ({"threshold": None, "categories": None}, "node 0 has children; a feature with a threshold or with categories is wanted"),
        ({"feature": None}, "node 0 has children"),
    ],
)
def test_nodes_that_are_no_tree_are_refused(change: Json, said: str) -> None:
    """A walk over nodes that point in a circle would never end."""
    report = golden()
    at(report, "explanations", tree(report), "nodes", 0).update(change)
    with pytest.raises(Refused, match=said):
        typed(report)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b'{"format": ' + b"9" * 5000 + b"}", b"\x00" * 100]
)
def test_what_is_no_report_is_refused(text: bytes) -> None:
    with pytest.raises(Refused, match=r"not a report\.json|format"):
        parse_report(text)


SINGLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SINGLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6
)


def places(value: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here] * bool(here) + [place for key, each in inner for place in places(each, (*here, key))]


PLACES = places(golden())


@settings(max_examples=200)
@given(st.sampled_from(PLACES), JSON)
def test_any_value_at_any_place_is_read_or_refused(place: tuple[str | int, ...], value: Any) -> None:
    report = golden()
    at(report, *place[:-1])[place[-1]] = value
    try:
        made = parse_report(content(report))
    except Refused as error:
        said = str(error)
    else:
        said = f"read, format {made.plain()['format']}"
    assert said.isprintable()
    assert len(said) < 1000
