"""What the catalogue says is what the pages show: a new measure, verdict or section is one change, and a gap is an error."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from reports import golden, typed

from qaudit.core.catalogue import measures
from qaudit.core.catalogue.measures import MEASURES, Measure
from qaudit.core.catalogue.sections import SECTIONS
from qaudit.core.catalogue.verdicts import VERDICTS
from qaudit.rendering import table, verdict_marks
from qaudit.rendering.assets import templates
from qaudit.rendering.html import missing_templates, page

ROOT = Path(__file__).parents[2]
JUDGED = "symmetric(axis='tensor',bits=8)"


def pages(*more: dict[str, Any]) -> str:
    """The HTML of the golden report with more rows of evidence."""
    report = golden()
    plain = {"interval": None, "n": None, "by": "evaluate", "topic": "metrics.performance", "reason": None}
    report["evidence"] += [{**plain, **row} for row in more]
    return page(typed(report))


def text_of(html: str, anchor: str) -> str:
    """The words of one section."""
    (found,) = re.findall(rf'<section id="{anchor}".*?</section>', html, re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", found).split())


@pytest.mark.parametrize(
    ("places", "shown"),
    [({"changes": 15}, "Gini coefficient 0.4321"), ({"further": 0}, "Gini coefficient judged 0.4321")],
    ids=["in a list of the page", "nowhere else"],
)
def test_a_new_measure_is_shown_by_its_record_alone(
    monkeypatch: pytest.MonkeyPatch, places: dict[measures.Place, int], shown: str
) -> None:
    gini = Measure("gini", "Gini coefficient", "", "precision", "high", places=places)
    more = MappingProxyType({**MEASURES, "gini": gini})
    monkeypatch.setattr(measures, "MEASURES", more)
    monkeypatch.setattr(table, "MEASURES", more)
    row = {"measure": "gini", "value": 0.4321, "unit": "", "about": {"candidate": JUDGED, "against": "reference"}}
    html = pages(row)
    assert shown in text_of(html, "precision")
    assert "Gini" not in text_of(html, "drift")


def test_the_further_table_is_absent_without_rows_and_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Further measures" not in pages()
    gini = Measure("gini", "Gini coefficient", "", "surrogate")
    monkeypatch.setattr(measures, "MEASURES", MappingProxyType({**MEASURES, "gini": gini}))
    rows = [
        {"measure": "gini", "value": float(i), "unit": "", "about": {"candidate": who, "repeat": str(i)}}
        for who in (JUDGED, "another")
        for i in range(50)
    ]
    html = pages(*rows)
    assert "40 of 50 values, all in report.json." in html
    assert "those of a plugin" not in html


def test_every_section_of_a_measure_has_the_table_for_further_ones() -> None:
    sections = {measure.section for measure in MEASURES.values()} | {each.anchor for each in SECTIONS.values() if each.topic}
    for anchor in sorted(sections):
        assert "further(section)" in (templates() / "sections" / f"{anchor}.html.j2").read_text(encoding="utf-8"), anchor


def test_a_section_without_a_template_is_named() -> None:
    assert missing_templates(SECTIONS) == []
    assert missing_templates([*SECTIONS, "fairness"]) == ["fairness"]


def test_a_section_without_a_template_stops_the_import() -> None:
    code = (
        "from qaudit.core.catalogue import sections as s\n"
        "s.SECTIONS = {**s.SECTIONS, 'fairness': s.Section('fairness', 'Fairness')}\n"
        "import qaudit.rendering.html\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: report_templates/sections: no template for fairness" in done.stderr


def test_every_verdict_has_its_icon_its_fill_and_its_rules_in_both_themes() -> None:
    html = pages()
    for word, verdict in VERDICTS.items():
        name = f"--{word.replace('_', '-')}"
        for rule in (f".v.{word}{{", f".verdict.{word},.band.{word}{{", f".key.{word}{{"):
            assert html.count(rule) == 1
        # paper and light; dark where the system asks for it, and where the reader chose it
        assert html.count(f"{name}:{verdict.light.word};") == 1
        assert html.count(f"{name}:{verdict.dark.word};") == 2
        assert html.count(f"svg .{word}{{fill:{verdict.dark.mark}}}") == 2
        assert html.count(f".i.{word}{{background-image") == 3
        assert verdict_marks.marker(word)
    assert len(set(verdict_marks.icons("light", "#fff", "#999").values())) == len(VERDICTS)


@pytest.mark.slow
def test_mypy_names_every_place_that_a_new_verdict_or_section_needs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "qaudit", tmp_path / "qaudit", ignore=shutil.ignore_patterns("__pycache__"))
    changes = {
        "verdicts.py": [('"not_assessed"]', '"not_assessed", "unproven"]'), ('"barred ring"]', '"barred ring", "star"]')],
        "sections.py": [('"signoff"\n', '"signoff", "fairness"\n')],
    }
    for name, replaced in changes.items():
        path = tmp_path / "qaudit" / "core" / "catalogue" / name
        text = path.read_text(encoding="utf-8")
        for before, after in replaced:
            assert text.count(before) == 1
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
    asked = ["qaudit/rendering/view.py", "qaudit/rendering/verdict_marks.py"]
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *asked]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if "assert_never" in line]
    assert [line.partition(":")[0] for line in sorted(lines)] == sorted([*asked, asked[1]]), done.stdout
