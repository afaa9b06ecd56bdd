"""Each recipe of docs/develop is carried out in a copy of the tree, and its result is seen on the page of an audit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from recipes import FOLDER, ROOT, carry_out, copied, edited, expected, files, outcome, page, ran, steps

RECIPES = sorted(FOLDER.glob("add-*.md"))
NAMES = [recipe.stem for recipe in RECIPES]

# Files that are changed by hand to add one: what the recipe's reader has to know of.
MOST = {
    "add-a-chart": 3,
    "add-a-kind-of-explanation": 6,
    "add-a-measure": 2,
    "add-a-section": 3,
    "add-a-step": 6,
    "add-a-verdict": 3,
    "add-an-estimator": 1,
    "add-an-option": 5,
}


def recipe(name: str) -> Path:
    return FOLDER / f"{name}.md"


@pytest.fixture(scope="module", params=NAMES)
def carried_out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recipe and the copy in which it was carried out."""
    copy = copied(tmp_path_factory.mktemp(request.param))
    carry_out(recipe(request.param), copy)
    return recipe(request.param), copy


@pytest.mark.slow
def test_the_page_shows_what_was_added(carried_out: tuple[Path, Path], tmp_path: Path) -> None:
    path, copy = carried_out
    said = page(path, copy, tmp_path)
    assert expected(path), "the recipe names what the page shows"
    assert [line for line in expected(path) if line not in said] == []


@pytest.mark.slow
def test_mypy_accepts_it(carried_out: tuple[Path, Path]) -> None:
    copy = carried_out[1]
    # without it mypy looks at numpy and pydantic again
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    assert "Success: no issues found" in ran(["python", "-m", "mypy"], copy, copy)


@pytest.mark.parametrize("name", NAMES)
def test_every_edit_fits_the_tree_as_it_stands(name: str) -> None:
    """What the slow tests carry out, without running it: a renamed function is seen at once."""
    changed = outcome(recipe(name), ROOT)
    assert list(changed) == files(recipe(name))
    for file, text in changed.items():
        if file.endswith(".py"):
            compile(text, file, "exec")


def test_no_recipe_asks_for_more_files_than_the_design_allows() -> None:
    assert {path.stem: len(files(path)) for path in RECIPES} == MOST


@pytest.mark.parametrize("name", NAMES)
def test_without_the_recipe_the_page_does_not_show_it(name: str) -> None:
    """The recipe must not be one for something that is there already."""
    for step in steps(recipe(name)):
        if step.kind == "diff" and (ROOT / step.file).exists():
            added = "".join(f"{line[1:]}\n" for line in step.text.splitlines() if line.startswith("+"))
            assert added not in (ROOT / step.file).read_text(encoding="utf-8"), step.file


def test_the_index_lists_every_recipe() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in RECIPES if f"({path.name})" not in index] == []


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (" b\n+c\n", "2 times"),
        (" d\n+c\n", "0 times"),
        ("+c\n", "shows a line"),
        ("a\n+c\n", "begins with"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(block: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        edited("a\nb\nb\n", block)


def test_an_edit_replaces_whole_lines() -> None:
    assert edited("a\nba\nb\n", "-a\n+c\n") == "c\nba\nb\n"
    assert edited("x\n\ny\n", " x\n\n-y\n+z\n") == "x\n\nz\n"
