"""What qaudit.audit returns: frames, a short repr, page one for a notebook, and its use as the previous report."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reports import golden, smallest
from sklearn.linear_model import LogisticRegression

import qaudit
from qaudit.core.evidence import ABOUT
from qaudit.pipeline import python_report
from qaudit.pipeline.python_report import Report


def finished(content: dict[str, Any], folder: Path = Path("nowhere")) -> Report:
    return Report(folder, 1, content, ())


@pytest.fixture(scope="module")
def report() -> Report:
    return finished(golden())


def test_evidence_has_a_row_a_number_and_a_column_a_key(report: Report) -> None:
    frame = report.evidence
    rows = report.content["evidence"]
    assert len(frame) == len(rows)
    assert {"measure", "value", "low", "high", "unit", "n", "by", "topic", "reason", *ABOUT} <= set(frame.columns)
    for (_, got), row in list(zip(frame.iterrows(), rows, strict=True))[::37]:
        assert got["measure"] == row["measure"]
        assert got["value"] == row["value"] or (pd.isna(got["value"]) and row["value"] is None)
        assert got["low"] == (row["interval"] or {"low": None})["low"] or pd.isna(got["low"])
        for key in ABOUT:
            assert got[key] == row["about"][key] if key in row["about"] else pd.isna(got[key])
    assert frame["value"].dtype == frame["low"].dtype == np.float64
    assert frame["n"].dtype == pd.Int64Dtype()


def test_candidates_have_what_was_measured_of_each(report: Report) -> None:
    frame = report.candidates.set_index("id")
    assert list(frame.index) == [row["id"] for row in report.content["candidates"]]
    assert frame.index[frame["judged"]].tolist() == [report.content["judged"]]
    rates = {
        row["about"]["candidate"]: row["value"]
        for row in report.content["evidence"]
        if row["measure"] == "flip_rate" and set(row["about"]) <= {"candidate", "against"}
    }
    assert rates
    for name, rate in rates.items():
        assert frame.loc[name, "flip_rate"] == rate
    assert frame["flip_rate"].dtype == np.float64
    assert "tensors" not in frame.columns
    assert isinstance(frame["settings"].iloc[0], dict)
    first = report.content["candidates"][0]
    assert frame.loc[first["id"], "size_bytes"] == first["size_bytes"]


def test_findings_and_limits(report: Report) -> None:
    found = report.findings
    assert found["statement"].tolist() == [each["statement"] for each in report.content["findings"]]
    assert list(found.columns) == ["code", "severity", "section", "statement", "evidence"]
    assert report.evidence.loc[list(found["evidence"][0])] is not None
    limits = report.limits.set_index("id")
    assert limits["verdict"].to_dict() == report.verdicts
    for each in report.content["assessments"]:
        limit, got = each["limit"], limits.loc[each["limit"]["id"]]
        assert got["measure"] == limit["measure"]
        assert got["limit.reason"] == limit["reason"]
        assert got["reason"] == each["reason"]
        assert got["where"] == limit["where"]
        row = None if each["evidence"] is None else report.content["evidence"][each["evidence"]]
        assert pd.isna(got["value"]) if row is None or row["value"] is None else got["value"] == row["value"]


def test_frames_of_an_empty_report_have_their_columns_and_types() -> None:
    empty = finished(smallest())
    for name, column, kind in (("evidence", "value", "float64"), ("candidates", "judged", "bool"), ("limits", "n", "Int64")):
        frame = getattr(empty, name)
        assert len(frame) == 0
        assert str(frame[column].dtype) == kind
    assert list(empty.findings.columns) == ["code", "severity", "section", "statement", "evidence"]
    assert repr(empty) == "<qaudit report of m: no limit set; exit code 1; 'nowhere'>"


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def in_frame(text: str) -> str:
    """The page in the frame of a notebook's output, and that there is no other markup that could do anything."""
    tags = Page(text).tags
    assert [tag for tag, _ in tags] == ["p", "code", "iframe"]
    frame = tags[-1][1]
    assert frame["sandbox"] == ""  # no script, no form, no access to the notebook
    page = frame["srcdoc"]
    assert page is not None
    return page


def test_page_one_in_a_notebook_runs_nothing_and_loads_nothing(report: Report) -> None:
    text = report._repr_html_()
    page = in_frame(text)
    inner = Page(page).tags
    names = {tag for tag, _ in inner}
    assert not names & {"script", "nav", "button", "link", "object", "embed", "iframe", "form", "input"}
    assert not [key for _, attributes in inner for key in attributes if key.startswith("on")]
    assert "default-src 'none'" in html.unescape(page)
    assert "script-src" not in page
    targets = [attributes["href"] for tag, attributes in inner if tag == "a" and "href" in attributes]
    assert all(f'id="{str(target).removeprefix("#")}"' in page for target in targets)
    assert "Model audit report" in page
    assert "What to do next" in page
    assert "<h1>" in page
    assert 'id="precision"' not in page
    assert len(text) < 150_000
    assert "@font-face" not in page
    # what is left where the frame is taken away
    line = html.unescape(re.sub(r"<[^>]+>", "", text[: text.index("<iframe")]))
    assert "exit code 1. The whole report: " in line
    assert line.strip().endswith("/nowhere/report.json")
    assert len(repr(report)) < 200


def test_hostile_names_stay_text_in_a_notebook() -> None:
    content = golden()
    content["subject"]["name"] = "</p><script>alert(1)</script>\"><img src=x onerror='y'>\x1b[31m"
    report = finished(content, Path("a<b&c"))
    page = in_frame(report._repr_html_())
    assert not {"script", "img"} & {tag for tag, _ in Page(page).tags}
    assert "\x1b" not in repr(report) + report._repr_html_()


def test_a_page_too_large_for_a_notebook_is_left_to_its_file(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_report, "LARGEST_PAGE", 1000)
    assert [tag for tag, _ in Page(report._repr_html_()).tags] == ["p", "code"]


@pytest.mark.slow
def test_an_earlier_report_is_given_as_an_object_a_folder_or_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
    model = LogisticRegression().fit(X, X["a"] > 0)
    few: dict[str, Any] = {
        "explainers": (),
        "formats": "html",
        "quantizers": "symmetric",
        "bits": 3,
        "judge": "symmetric(axis='tensor',bits=3)",
    }

    def audited(name: str, **more: Any) -> Any:
        return qaudit.audit(model, X, X["a"] > 0, positive="True", output=tmp_path / name, id=name, **few, **more)

    first = audited("first")
    assert first.content["previous"] is None
    made = [audited(f"then{place}", previous=given) for place, given in enumerate((first, first.folder, str(first.json)))]
    for each in made:
        assert each.content["previous"]["id"] == "first"
        assert each.content["previous"]["inputs"] == []
        assert "previous" in each.evidence.dropna(subset="previous").columns
        assert (each.evidence.dropna(subset="previous")["previous"] == each.evidence.dropna(subset="previous")["value"]).all()
        assert "What changed since" in each._repr_html_()
    assert json.loads(made[0].json.read_text())["previous"] == made[2].content["previous"]
    with pytest.raises(qaudit.Refused, match=r"previous: int found, the path of a report.json is wanted"):
        audited("no", previous=3)
    with pytest.raises(qaudit.Refused, match="none: the report cannot be read"):
        audited("no", previous=tmp_path / "none")
