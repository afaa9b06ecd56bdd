"""A new kind of explanation, and a new step, are added to a copy of the tree: mypy names every file that must know of them."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from qaudit.core.explanation import Explanation
from qaudit.core.steps import Step

ROOT = Path(__file__).parent.parent
EXPLANATION = '''

@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The prediction along one column."""

    grid: Floats
    values: Floats


Explanation = Curve | '''
STEP = '''

@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """x * factor; factor (width,)."""

    factor: Floats


Step = Scaling | '''


def edit(file: Path, *replacements: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, f"{file.name}: {old!r}"
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


whole_tree = pytest.mark.slow  # mypy reads the whole package again


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every error of mypy in the copy: file, message."""
    copy = tmp_path_factory.mktemp("copy")
    for part in ("qaudit", "plugins"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", copy)
    # without it mypy looks at numpy and pydantic again
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    core = copy / "qaudit" / "core"
    edit(
        core / "explanation.py",
        ("Name = Literal[", 'Name = Literal["curve", '),
        ("\nExplanation = ", EXPLANATION),
    )
    edit(core / "steps.py", ("StepName = Literal[", 'StepName = Literal["scaling", '), ("\nStep = ", STEP))
    ran = subprocess.run([sys.executable, "-m", "mypy"], cwd=copy, capture_output=True, text=True, check=False)
    found = re.findall(r"^(\S+?):\d+: error: (.*)$", ran.stdout, flags=re.MULTILINE)
    assert found, ran.stdout + ran.stderr
    return found


def files(named: list[tuple[str, str]], *words: str) -> set[str]:
    return {file.removeprefix("qaudit/") for file, message in named if any(word in message for word in words)}


@whole_tree
def test_mypy_names_every_place_that_a_new_kind_of_explanation_is_added_to(named: list[tuple[str, str]]) -> None:
    """Six files with core/explanation.py, where the class and its name stand."""
    assert files(named, "Curve", "curve") == {
        "api.py",
        "core/catalogue/explanations.py",
        "pipeline/stages/explain_kinds.py",
        "rendering/pages/explanations.py",
        "report/explanations.py",
    }


@whole_tree
def test_mypy_names_every_place_that_a_new_step_is_added_to(named: list[tuple[str, str]]) -> None:
    """Six files with core/steps.py, where the class and its name stand."""
    assert files(named, "Scaling", "scaling") == {
        "api.py",
        "core/catalogue/steps.py",
        "engine/rounding.py",
        "engine/sweep.py",
        "testing/checks/toy_subjects.py",
    }


@whole_tree
def test_mypy_says_nothing_else(named: list[tuple[str, str]]) -> None:
    words = ("Curve", "curve", "Scaling", "scaling")
    assert [message for _, message in named if not any(word in message for word in words)] == []


# Where one class is meant and no other could be: trees have leaf numbers, and a pair of explanations is of one kind.
MEANT = {
    "engine/trees.py": {"Trees"},
    "pipeline/stages/load_proof.py": {"Trees"},
    "sandbox/calibration_context.py": {"Trees"},
    "pipeline/stages/explain_kinds.py": {"Importance", "TreeModel"},
}
CLASSES = {record.__name__ for record in (*get_args(Explanation), *get_args(Step))}


def test_no_isinstance_takes_a_kind_for_what_is_left() -> None:
    asked: dict[str, set[str]] = {}
    for file in sorted((ROOT / "qaudit").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
                classes = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)} & CLASSES
                if classes:
                    asked.setdefault(str(file.relative_to(ROOT / "qaudit")), set()).update(classes)
    assert asked == MEANT


NAMED = {"core/explanation.py", "core/steps.py", "core/catalogue/explanations.py", "core/catalogue/steps.py"}
NAMED |= {"pipeline/stages/explain_kinds.py", "rendering/pages/explanations.py", "report/explanations.py"}
NAMED |= {"testing/checks/toy_subjects.py"}


@pytest.mark.parametrize("name", ["local_models", "attributions", "dense"])
def test_the_name_of_a_kind_stands_where_mypy_looks(name: str) -> None:
    """The other names (importance, tree, trees) are also names of sections and of charts."""
    literal = re.compile(rf"""["']{name}["']""")
    sources = {file: file.read_text(encoding="utf-8") for file in (ROOT / "qaudit").rglob("*.py")}
    found = {str(file.relative_to(ROOT / "qaudit")) for file, text in sources.items() if literal.search(text)}
    assert found <= NAMED
    assert found
