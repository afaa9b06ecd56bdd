"""The pages in docs/ and the README: snippets run, plugin pages are those of the plugins, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
from reports import golden, typed
from test_architecture import ORDER

import qaudit
from qaudit.cli import plugins
from qaudit.cli.main import main
from qaudit.core.catalogue.sections import SECTIONS
from qaudit.core.catalogue.verdicts import VERDICTS
from qaudit.core.evidence import TOPICS
from qaudit.plugin_host.discovery import Kind, from_file
from qaudit.rendering.custom_template.markup import ELEMENTS
from qaudit.rendering.custom_template.sandbox import FILTERS
from qaudit.rendering.custom_template.source import read_custom_template
from qaudit.rendering.custom_template.styles import PROPERTIES
from qaudit.rendering.html import page
from qaudit.testing.checks.runner import check_plugin

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
THIRD = ROOT / "examples" / "third_party_quantizer"


def snippets(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def generator(name: str = "plugin_docs") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("page", "count"), [("write-a-quantizer", 6), ("write-an-explainer", 4)])
def test_snippets_of_a_page_for_authors_run(page: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code = snippets(ROOT / "docs" / f"{page}.md", "python")
    assert len(code) == count
    names: dict[str, object] = {}
    for number, snippet in enumerate(code):
        exec(compile(snippet, f"snippet {number}", "exec"), names)


@pytest.mark.slow
def test_the_python_block_of_the_readme_runs_from_standard_input(tmp_path: Path) -> None:
    code = next(code for code in snippets(ROOT / "README.md", "python") if "qaudit.audit" in code)
    # once more after it: the module of the road must not take the place of the function
    again = (
        'report = qaudit.audit(model, X_held, y_held, positive="1", quantizers=["symmetric"], explainers=[], formats=["html"])\n'
    )
    done = subprocess.run([sys.executable, "-"], input=code + again, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "report.html").exists()
    assert "report.html" in done.stdout
    assert len(done.stdout.splitlines()) > 5


def test_the_plugin_of_the_readme_is_the_documented_one_and_has_14_lines() -> None:
    readme = next(code for code in snippets(ROOT / "README.md", "python") if "pow2" in code)
    assert readme == snippets(ROOT / "docs" / "write-a-quantizer.md", "python")[0]
    assert len(readme.splitlines()) == 14


def test_the_toml_of_write_a_quantizer_is_whole() -> None:
    (text,) = snippets(ROOT / "docs" / "write-a-quantizer.md", "toml")
    assert tomllib.loads(text)["project"]["entry-points"]["qaudit.quantizers"] == {"pow2": "qaudit_pow2"}


def test_the_toml_of_the_other_pages_is_whole(tmp_path: Path) -> None:
    (text,) = snippets(ROOT / "docs" / "write-an-explainer.md", "toml")
    assert tomllib.loads(text)["project"]["entry-points"]["qaudit.explainers"] == {"swap": "qaudit_swap"}
    listed, project = snippets(ROOT / "docs" / "write-a-framework.md", "toml")
    assert tomllib.loads(project)["project"]["entry-points"]["qaudit.frameworks"] == {"house_standard": "house_standard.toml"}
    (tmp_path / "house_standard.toml").write_text(listed, encoding="utf-8")
    assert check_plugin(*from_file(tmp_path / "house_standard.toml")).passed


def test_the_explainer_of_the_page_passes_its_checks(tmp_path: Path) -> None:
    (tmp_path / "qaudit_swap.py").write_text(snippets(ROOT / "docs" / "write-an-explainer.md", "python")[0], encoding="utf-8")
    assert check_plugin(*from_file(tmp_path / "qaudit_swap.py")).passed


def test_the_evidence_fields_of_write_a_framework_are_all_of_them() -> None:
    text = (ROOT / "docs" / "write-a-framework.md").read_text(encoding="utf-8")
    assert [topic for topic in TOPICS if topic not in text] == []


@pytest.mark.parametrize("kind", ["quantizers", "explainers"])
def test_plugin_pages_are_written_from_the_plugins(kind: str) -> None:
    page = (ROOT / "docs" / f"{kind}.md").read_text(encoding="utf-8")
    assert page == generator().page(kind), "run: python tools/plugin_docs.py"
    for name in generator().entry_points(kind):
        assert f"\n## {name}\n" in page


def test_the_vocabulary_page_is_written_from_the_code() -> None:
    assert (ROOT / "docs" / "vocabulary.md").read_text(encoding="utf-8") == generator("vocabulary_docs").page(), (
        "run: python tools/vocabulary_docs.py"
    )


def test_the_vocabulary_page_has_every_public_name_under_a_heading() -> None:
    vocabulary = generator("vocabulary_docs")
    listed = [name for module in vocabulary.MODULES for name in vocabulary.names_of(module)]
    assert sorted([*listed, *vocabulary.OTHER]) == sorted(qaudit.__all__)


def test_the_page_of_measures_is_written_from_the_catalogue() -> None:
    page = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
    assert page == generator("catalogue_docs").page(), "run: python tools/catalogue_docs.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_names_the_commands_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(r"(?:^    |`)make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    assert set(named) <= targets


def test_every_option_of_the_readme_is_an_option_of_the_program() -> None:
    commands = [*main.commands.values(), *plugins.group.commands.values()]
    known = {word for command in commands for each in command.params for word in (*each.opts, *each.secondary_opts)}
    known |= set(main.context_settings["help_option_names"])  # click adds these to every command
    calls = re.compile(r"`qaudit (?:register|run|verify|plugins|render|store)[^`]*`|^qaudit (?:register|run|verify)[^`]*?$", re.M)
    for each in PAGES:
        for line in calls.findall(each.read_text(encoding="utf-8")):
            for option in re.findall(r"--[a-z]+[a-z-]*", line):
                assert option in known, f"{each.name}: {option}"


def test_the_documented_plugin_is_the_one_that_is_packaged() -> None:
    packaged = (THIRD / "qaudit_pow2.py").read_text(encoding="utf-8")
    assert snippets(ROOT / "docs" / "write-a-quantizer.md", "python")[0] == packaged


def test_the_template_page_is_a_template_and_lists_what_there_is(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "write-a-template.md").read_text(encoding="utf-8")
    folder = tmp_path / "memo"
    folder.mkdir()
    for name, language in (("template.html.j2", "jinja"), ("template.css", "css")):
        (folder / name).write_text(snippets(ROOT / "docs" / "write-a-template.md", language)[0], encoding="utf-8")
    assert "Memo to the committee" in page(typed(golden()), custom_template=asdict(read_custom_template(folder)))
    words = set(re.findall(r"[a-z0-9-]+", text))
    assert {*ELEMENTS, *FILTERS, *SECTIONS} - {"d", "result"} <= words
    pattern = r"(margin|padding|border)(-(top|right|bottom|left))?(-(color|style|width))?|(min|max)-(width|height)"
    told = {each for each in PROPERTIES if not re.fullmatch(pattern, each)}
    assert len(told) > 50
    assert told <= words


def test_the_glossary_is_alphabetical_and_has_every_verdict_and_kind_of_plugin() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = [term.lower() for term in re.findall(r"^- \*\*(.+?)\*\*: ", text, re.MULTILINE)]
    assert len(terms) == text.count("\n- ") > 50
    assert terms == sorted(set(terms))
    assert {verdict.replace("_", " ") for verdict in VERDICTS} | set(get_args(Kind)) <= set(terms)


MADE_BY_READERS = {
    *("pow2.py", "qaudit_swap.py", "repro.py"),
    *("qaudit/rendering/charts/shares.py", "qaudit_scaled.py", "qaudit_curves.py"),
}


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT or page.name in ("README.md", "CONTRIBUTING.md")])
def test_the_modules_that_a_page_names_exist(page: Path) -> None:
    """A module is named by its path in the repository, in qaudit or in tests, or by the end of it."""
    text = page.read_text(encoding="utf-8")
    known = [f"/{file.relative_to(ROOT)}" for folder in TREES for file in (ROOT / folder).rglob("*.py")]
    named = {name.removeprefix("./") for name in re.findall(r"[A-Za-z0-9_/.*-]*\w\.py\b", text)} - MADE_BY_READERS
    assert [name for name in named if "*" not in name and not any(path.endswith(f"/{name}") for path in known)] == []


TREES = ("qaudit", "plugins", "tests", "tools", "examples", "benchmarks")


def test_the_house_is_drawn_as_it_stands() -> None:
    """Every package and module at the top of qaudit, every package of the pipeline, and every folder of the repository."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = text.partition("## Where things are")[2].partition("## Arrows")[0]
    top = {path.name + "/" * path.is_dir() for path in (ROOT / "qaudit").iterdir() if path.suffix == ".py" or path.is_dir()}
    drawn = set(re.findall(r"^      ([a-z_]+(?:\.py|/)) ", drawing, re.MULTILINE))
    assert drawn == top - {"__pycache__/", "__main__.py"}
    assert set(re.findall(r"^    ([a-z_]+)/ ", drawing, re.MULTILINE)) == {*TREES, "report_templates"}
    arrows = text.partition("## Arrows")[2].partition("## The border")[0]
    assert {name.split(".")[0] for names in ORDER for name in names} - {"__main__"} <= set(re.findall(r"[a-z_]+", arrows))
