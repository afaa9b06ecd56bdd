"""The HTML: whole without a network or a script, every name escaped, nothing vanishes."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from reports import GOLDEN, golden, smallest, typed

from qaudit.core.catalogue.sections import SECTIONS
from qaudit.core.catalogue.verdicts import VERDICTS
from qaudit.errors import Refused
from qaudit.rendering.assets import templates
from qaudit.rendering.html import page
from qaudit.rendering.pages.candidates import short_names
from qaudit.rendering.pages.page_one import key_numbers
from qaudit.rendering.table import EvidenceTable, title
from qaudit.report.model import Candidate

BANNED = ("compliant", "certified", "guaranteed", "safe", "approved")
RENDERING = Path(sys.modules[page.__module__].__file__ or "").parent


class Seen(HTMLParser):
    """What a reader meets."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.headings: list[int] = []
        self.text: dict[str, list[str]] = {"": [], "style": [], "script": []}
        self.where = ""
        self.bdi = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append(tag)
        self.attributes |= set(named)
        if named.get("id"):
            self.ids.append(named["id"] or "")
        if tag == "a":
            self.links.append(named.get("href") or "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag in ("style", "script"):
            self.where = tag
            self.text[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.where:
            self.where = ""

    def handle_data(self, data: str) -> None:
        if self.where:
            self.text[self.where][-1] += data
        else:
            self.text[""].append(data)


def seen(text: str) -> Seen:
    parser = Seen()
    parser.feed(text)
    return parser


@pytest.fixture(scope="module")
def full() -> str:
    return page(typed(golden()))


def test_every_section_every_rule_every_link(full: str) -> None:
    found = seen(full)
    assert set(SECTIONS) <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    rules = {f"rule-{a['limit']['id']}" for a in golden()["assessments"]}
    assert rules <= set(found.ids)
    first = full[full.index('id="result"') : full.index('id="rules"')]
    assert {link[1:] for link in re.findall(r'href="(#rule-[^"]+)"', first)} <= rules
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    assert all(b - a <= 1 for a, b in itertools.pairwise(found.headings))


def test_no_network_no_style_attribute_hashes_match(full: str) -> None:
    found = seen(full)
    assert "style" not in found.attributes
    assert not any(name.startswith("on") for name in found.attributes)
    assert not {"src", "srcset", "action"} & found.attributes
    assert "link" not in found.tags
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", unquote(full)))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    policy = full[full.index('content="default-src') : full.index('">', full.index('content="default-src'))]
    for kind in ("style", "script"):
        for text in found.text[kind]:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"sha256-{digest}" in policy.replace("&#39;", "'").replace("&#43;", "+")
    assert "unsafe" not in policy
    assert full.index("Content-Security-Policy") < full.index("<style")


def test_small_and_readable_without_a_script(full: str) -> None:
    assert len(full.encode()) < 1_000_000
    words = " ".join(seen(full).text[""])
    for must in (
        "2 of 8 limits not met in policy retail-credit 1.3",
        "HMDA-2026-11",
        "24 November 2026",
        "to be completed by the author",
        "pow2",
    ):
        assert must in " ".join(words.split())
    assert "hidden" not in re.sub(
        r"<style.*?</style>|<script.*?</script>|<button[^>]*>|<div class=\"filters\"[^>]*>", "", full, flags=re.S
    )


def test_names_are_escaped_and_shown() -> None:
    report = golden()
    evil = '"><script>alert(1)</script>\u202e{{ 7*7 }}'
    report["subject"]["name"] = report["policy"]["name"] = report["audit"]["id"] = evil
    report["skipped"][0]["reason"] = report["frameworks"][0]["title"] = evil
    for entry in report["explanations"]:
        if entry["kind"] == "importance":
            entry["rows"][0]["feature"] = evil
        if entry["kind"] == "tree":
            entry["nodes"][0]["feature"] = entry["rules"][0] = evil
    text = page(typed(report))
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "&lt;U+202E&gt;" in text
    assert "49" not in re.findall(r"alert\(1\).{0,60}", text)[0]


@pytest.mark.parametrize("pdf", [False, True])
def test_nothing_measured_is_said_aloud(pdf: bool) -> None:
    text = " ".join(page(typed(smallest()), pdf=pdf).split())
    assert set(SECTIONS) <= set(seen(text).ids)
    assert "No policy: no limit set" in text
    assert text.count("Not assessed:</b>") >= 6
    assert "No earlier report was given" in text
    assert "None" not in " ".join(seen(text).text[""])


def test_each_verdict_has_a_word_and_no_overall_verdict() -> None:
    titles = ("Outside", "Not demonstrable", "Not assessed", "Near", "No limit set", "Within")
    assert tuple(verdict.title for verdict in VERDICTS.values()) == titles
    report = golden()
    for found in report["assessments"]:
        found["verdict"] = "within"
    assert "All 8 limits met in policy retail-credit 1.3" in page(typed(report))
    report["assessments"][0]["verdict"] = "not_assessed"
    report["assessments"][1]["verdict"] = "not_demonstrable"
    text = words_of(report)
    assert "2 of 8 limits not shown to be met in policy retail-credit 1.3" in text
    assert "Not demonstrable: Decisions changed (Q2). Not assessed: Loss of accuracy (Q1). 6 within." in text
    assert "not_demonstrable =" not in text
    outcome = {"not_demonstrable": "pass", "comparisons": 1, "by_interval": 1, "false_outside": 0.025}
    assert 'lets limits that are not demonstrable pass (not_demonstrable = "pass")' in words_of({**report, "outcome": outcome})


def test_a_bound_is_never_printed_as_if_it_was_measured() -> None:
    """Page one, the table of limits and their rows: observed, bound, limit and verdict apart (finding S4)."""
    report = golden()
    report["findings"] = []
    text = words_of(report)
    first = text[: text.index("Every rule, measured")]
    assert re.search(
        r"86\.10% .{0,60} Not demonstrable observed: 238 rows at least 83\.10% in such rows \(95%\) limit at least 85",
        first,
    ), first
    assert "83.10% in such rows" in first
    assert first.count("83.10%") == 1
    table = text[text.index("All rules") if "All rules" in text else 0 :]
    assert "Decisions changed At most 1.74% in such rows (95%)." in table
    assert re.search(r"At least 83\.10% in such rows \(95%\)\. Not demonstrable with 238 rows; 4,078 would do at the obs", table)
    assert re.search(r"Q3 group afam=yes 2\.94% .{0,60}Outside", table), table
    assert re.search(r"Q3 group afam=no 0\.49% .{0,60}Within", table), table


def test_a_sign_off_is_not_counted_by_a_file_that_cannot_record_one() -> None:
    text = words_of(golden())
    assert "of 3 recorded" not in text
    assert "Sign-off by hand in section 9: preparer, independent reviewer, owner of the model. This file records no" in text


def test_banned_words_are_absent_from_our_own_text() -> None:
    files = [*templates().rglob("*.j2"), *templates().glob("*.js"), *RENDERING.glob("*.py")]
    assert len(files) > 20
    for path in files:
        text = re.sub(r"autoescape|unsafe", "", path.read_text(encoding="utf-8").lower())
        for word in BANNED:
            assert not re.search(rf"\b{word}\b", text), f"{path}: {word}"


def test_forty_features_are_capped_and_said() -> None:
    report = golden()
    for entry in report["explanations"]:
        if entry["kind"] == "importance":
            entry["rows"] = [
                {"feature": f"f{i}", "values": [1.0], "mean": 1 / (i + 1), "low": None, "high": None, "rank": i + 1}
                for i in range(40)
            ]
    assert "15 of 40 features, all in report.json." in page(typed(report))


def test_unknown_language_is_refused() -> None:
    with pytest.raises(Refused, match="lang: 'xx'"):
        page(typed(golden()), lang="xx")


def test_same_bytes_under_another_hash_seed_and_time_zone(full: str) -> None:
    code = "import hashlib,sys;from qaudit.rendering.html import page;from qaudit.report.reading import parse_report;"
    code += "print(hashlib.sha256(page(parse_report(open(sys.argv[1],'rb').read())).encode()).hexdigest())"
    environment = {**os.environ, "PYTHONHASHSEED": "99", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    out = subprocess.run([sys.executable, "-c", code, str(GOLDEN)], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == hashlib.sha256(full.encode()).hexdigest()


def test_a_limited_measure_is_never_shown_as_without_limit() -> None:
    """Page one takes five numbers; a measure that a limit speaks of bears that limit's verdict, also where it is within."""
    report = golden()
    limited = {a["limit"]["measure"] for a in report["assessments"] if a["evidence"] is not None}
    report["assessments"] = [{**a, "verdict": "within"} if a["evidence"] is not None else a for a in report["assessments"]]
    names = {title(measure) for measure in limited}
    for number in key_numbers(EvidenceTable(typed(report))):
        if number["name"].split(",")[0] in names:
            assert number["verdict"] == "within"


def test_values_of_cases_are_printed_only_where_they_stand_in_the_report() -> None:
    report = golden()
    assert "they may be personal data" in page(typed(report))
    assert "the author asked for it" not in page(typed(report))
    for entry in report["explanations"]:
        for case in entry.get("cases") or ():
            case["features"][0]["value"] = "retired"
            case["features"][1]["value"] = 52.25
    text = page(typed(report))
    assert ">retired</text>" in text
    assert ">52.25</text>" in text
    assert "the author asked for it" in text


def words_of(report: dict[str, Any]) -> str:
    return " ".join(" ".join(seen(page(typed(report))).text[""]).split())


def test_page_one_spells_out_what_is_compared() -> None:
    report = golden()
    first = words_of(report)
    assert "the registered model, called reference, compared with its quantized candidate" in first
    report["judged"] = None
    assert "no quantized candidate is judged" in words_of(report)
    assert "Main findings" in words_of({**report, "policy": None, "assessments": []})


def test_without_a_judged_candidate_no_empty_columns_are_printed() -> None:
    report = golden()
    report["judged"] = None
    report["explanations"] = [e for e in report["explanations"] if e["candidate"] == "reference"]
    text = words_of(report)
    assert "Metrics of the reference on" in text
    for head in ("Interval of the change", "Of the judged model"):
        assert head not in text


def test_readers_meet_plain_words_not_internal_names() -> None:
    report = golden()
    report["findings"] = []
    text = page(typed(report))
    body = text[text.index('id="precision"') : text.index('id="evidence"')]
    shown = " ".join("".join(re.findall(r">([^<]*)<", body)).split())
    for internal in ("drop_column", "loss_change", "surrogate_tree", "local_surrogate"):
        assert internal not in shown, internal
    assert "Drop column" in shown


def test_candidates_are_named_by_what_varies() -> None:
    def candidate(id: str, by: str, **settings: int | str) -> Candidate:
        rest: dict[str, Any] = {"formulas": {}, "effective_bits": 4.0, "size_bytes": 1, "explained": False, "tensors": ()}
        return Candidate(id=id, by=by, settings=dict(settings), **rest)

    rows = [candidate("a(bits=4,axis='x')", "a_b", bits=4, axis="x"), candidate("a(bits=8,axis='x')", "a_b", bits=8, axis="x")]
    rows.append(candidate("c()", "c"))
    assert short_names(rows, rows) == ["A b: bits 4", "A b: bits 8", "c()"]
    twins = [candidate(row.id, row.by, bits=4) for row in rows[:2]]
    assert short_names(twins, twins) == ["a(bits=4,axis='x')", "a(bits=8,axis='x')"]


def test_what_an_explanation_costs_stands_beside_its_fit() -> None:
    report = golden()
    about = {"candidate": report["judged"], "explainer": "surrogate_tree"}
    report["evidence"].append({**report["evidence"][0], "measure": "explain_cost", "value": 3.25, "unit": "rows", "about": about})
    text = words_of(report)
    assert re.search(r"Surrogate tree 3\.250 .{0,30}% agreement", text)
    assert "What an explanation costs, beside how well it fits" in text
    assert "Effective bits a parameter" in text


def test_a_section_with_a_finding_that_asks_for_attention_does_not_look_fine() -> None:
    report = golden()
    where = {"candidate": report["judged"], "explainer": "surrogate_tree"}
    shares = [("no", 0.981, 657), ("yes", 0.664, 123), ("maybe", None, 0)]
    span = {"low": 0.1, "high": 0.99, "level": 0.95, "method": "clopper-pearson"}
    for kind, (name, share, n) in itertools.product(("class", "leaf"), shares):
        about = {**where, "output": name} | ({"value_of": f"leaf {13 - len(name)}"} if kind == "leaf" else {})
        row = {**report["evidence"][0], "measure": f"{kind}_fidelity", "value": share, "unit": "share", "about": about, "n": n}
        report["evidence"].append({**row, "interval": span if n else None, "reason": None if n else "nothing"})
    report["assessments"] = [each for each in report["assessments"] if each["section"] != "surrogate"]
    finding = {"code": "QA-011", "statement": "Misses yes.", "evidence": [], "section": "surrogate", "severity": "attention"}

    def band(report: dict[str, Any]) -> str:
        text = page(typed(report))
        found = re.search(r'class="band (\w+)"', text[text.index('<section id="surrogate"') :])
        assert found is not None
        return found[1]

    assert band(report) == "no_limit"
    report["findings"].append(finding)
    assert band(report) == "attention"
    text = words_of(report)
    assert "Attention: Misses yes." in text  # before the findings that ask for nothing
    assert re.search(r"Model decides Rows Agrees with model 95% interval no 657 98\.1\d*% 10\.0\d*% to 99\.0\d*% yes 123", text)
    assert re.search(r"yes 123 66\.4\d*% [\d.]+% to [\d.]+% below 80% maybe nothing 0", text)
    assert re.search(
        r"Leaf Rows Agrees with model 95% interval Leaf 8: maybe nothing 0 .{0,20} Leaf 10: yes 123 .* Leaf 11: no 657", text
    )
    report["findings"][-1]["severity"] = "note"
    assert band(report) == "no_limit"


def test_regions_have_names_of_their_own(full: str) -> None:
    labels = re.findall(r'role="region" aria-label="([^"]*)"', full)
    assert len(labels) > 10
    figures = [label for label in labels if label.startswith("Figure")]
    assert len(figures) == len(set(figures))
