"""The runner of mutation tests: what it changes, that code in units is reached, that it goes on, and its exit code."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from mutant_sources import mutants  # noqa: E402

TOY = '''
"""A toy with 10 % of everything."""
from __future__ import annotations
from typing import TYPE_CHECKING
import numpy as np
if TYPE_CHECKING:
    LIMIT = 1
__all__ = ["f"]
HALF: float = 0.5

def f(values: np.ndarray, low: int = 3) -> int | None:
    """Not 1 < 2."""
    total = np.rint(values.sum(axis=1))
    total += 2.0
    total = abs(total)
    if not low >= 0 and len(values) > 1:
        raise ValueError(f"low: {low + 1}")
    return None if low else min(total)
'''


def changes(text: str) -> set[tuple[str, str, str]]:
    return {(mutant.function, mutant.before, mutant.after) for mutant in mutants(text, "toy.py")}


def test_every_kind_of_change_is_made_and_words_are_left_alone() -> None:
    condition = "not low >= 0 and len(values) > 1"
    total = "total = np.rint(values.sum(axis=1))"
    assert changes(TOY) == {
        ("<module>", "HALF: float = 0.5", "HALF: float = 0.25"),
        ("<module>", "HALF: float = 0.5", "HALF: float = 1.0"),
        ("f", "3", "4"),
        ("f", "3", "2"),
        ("f", total, "total = np.floor(values.sum(axis=1))"),
        ("f", total, "total = np.rint(values.max(axis=1))"),
        ("f", total, "total = np.rint(values.sum(axis=0))"),
        ("f", "total += 2.0", "pass"),
        ("f", "total += 2.0", "total -= 2.0"),
        ("f", "total += 2.0", "total += 1.0"),
        ("f", "total += 2.0", "total += 4.0"),
        ("f", "total = abs(total)", "pass"),
        ("f", "total = abs(total)", "total = total"),
        ("f", condition, "not low >= 0 or len(values) > 1"),
        ("f", condition, "low >= 0 and len(values) > 1"),
        ("f", condition, "not low > 0 and len(values) > 1"),
        ("f", condition, "not low < 0 and len(values) > 1"),
        ("f", condition, "not low >= 1 and len(values) > 1"),
        ("f", condition, "not low >= 0 and len(values) >= 1"),
        ("f", condition, "not low >= 0 and len(values) <= 1"),
        ("f", condition, "not low >= 0 and len(values) > 2"),
        ("f", condition, "not low >= 0 and len(values) > 0"),
        ("f", "raise ValueError(f'low: {low + 1}')", "pass"),
        ("f", "return None if low else min(total)", "return None"),
        ("f", "return None if low else min(total)", "return None if not low else min(total)"),
        ("f", "return None if low else min(total)", "return None if low else max(total)"),
    }


def test_names_of_mutants_do_not_move_with_lines_and_tell_repeats_apart() -> None:
    text = "def f(x):\n    return (x + 1) * 1000000000 + 22222222222 * (x + 1)\n\n\ndef g(x):\n    return x + 1\n"
    made = [mutant.id for mutant in mutants(text, "toy.py")]
    assert len(set(made)) == len(made)
    assert [mutant.id for mutant in mutants("# a line\n\n" + text, "toy.py")] == made
    assert "toy.py::g::return x + 1 -> return x - 1" in made
    long = f"def f(x):\n    return g(x + 1, {'9' * 60}, x + 1, {'9' * 60})\n"
    assert {"toy.py::f::x + 1 -> x - 1", "toy.py::f::x + 1 -> x - 1 #2"} <= {mutant.id for mutant in mutants(long, "toy.py")}


def test_what_stands_inside_a_function_belongs_to_it() -> None:
    """The trace of calls names the outer function: a mutant under another name would be run against no test."""
    inner = "        def g(x):\n            def h(y):\n                return y + 1\n            return h(x)\n"
    text = f"class A:\n    def f(self):\n{inner}        return g(1)\n\n    k = 3\n"
    assert {mutant.function for mutant in mutants(text, "toy.py")} == {"A.f", "A"}


TWICE = "def twice(value: int) -> int:\n    return value * 2\n"
CAPPED = "def capped(value: int) -> int:\n    return min(value, 10)\n"
LOOSE = "def positive(value: int) -> bool:\n    return value > 0\n"
TESTS = '''
from qaudit.core.toy import capped, positive
from qaudit.sandbox.job import PluginRef
from qaudit.sandbox.runner import run

PLUGIN = """
from qaudit.core.toy import twice
from qaudit import Quantizer, hookimpl
if twice(3) != 6:
    raise ArithmeticError(twice(3))

@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("probe", "keeps everything", lambda values, calibration: None)
"""


def test_unit(tmp_path):
    file = tmp_path / "probe.py"
    file.write_text(PLUGIN)
    outcome = run("echo", {}, plugins=[PluginRef("quantizer", "probe", "probe.py", "unpackaged", "", "", str(file))])
    assert outcome.failure is None, outcome.failure


def test_host():
    assert [capped(3), capped(10), capped(20)] == [3, 10, 10]


def test_loose():
    assert positive(5) is True and positive(-5) is False
'''
RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from mutants import Project, mutation_test
sys.exit(mutation_test(Project(Path(sys.argv[2]), ("core/toy.py",), ("tests/core",)), workers=1))
"""
SURVIVORS = [
    "core/toy.py::positive::return value > 0 -> return value >= 0",
    "core/toy.py::positive::return value > 0 -> return value > 1",
]


def run(tree: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(ROOT / "tools"), str(tree)], capture_output=True, text=True, timeout=280, cwd=tree
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def explain(tree: Path, reasons: Sequence[str]) -> None:
    entries = [
        f"[[mutant]]\nid = {json.dumps(name)}\nreason = {json.dumps(why)}\n" for name, why in zip(SURVIVORS, reasons, strict=True)
    ]
    (tree / "tools" / "mutants_explained.toml").write_text("\n".join(entries))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_mutants_in_units_die_and_a_run_goes_on_until_all_survivors_have_reasons(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for folder in ("qaudit", "plugins", "report_templates"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    (tree / "qaudit" / "core" / "toy.py").write_text("\n\n".join((TWICE, CAPPED, LOOSE)))
    (tree / "tests" / "core").mkdir(parents=True)
    (tree / "tests" / "core" / "test_toy.py").write_text(TESTS)
    (tree / "tools").mkdir()

    code, out = run(tree)
    assert code == 1
    assert "12 mutants, 0 decided before, 12 to run" in out
    assert [line.strip() for line in out.splitlines() if line.startswith("    core")] == SURVIVORS
    lines = [json.loads(line) for line in (tree / "build" / "mutants" / "results.jsonl").read_text().splitlines()]
    by = {line["id"]: line["by"] for line in lines}
    in_unit = {name: test for name, test in by.items() if "::twice::" in name}
    assert len(in_unit) == 4
    assert set(in_unit.values()) == {"tests/core/test_toy.py::test_unit"}  # nothing but the unit calls it
    recorded = json.loads((tree / "build" / "mutants" / "tests.json").read_text())["tests/core/test_toy.py"]["tests"]
    assert "core/toy.py::twice" in recorded["tests/core/test_toy.py::test_unit"]["functions"]
    assert "core/toy.py::twice" not in recorded["tests/core/test_toy.py::test_host"]["functions"]

    explain(tree, ["zero is not asked for", ""])
    results = tree / "build" / "mutants" / "results.jsonl"
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:-3]))  # as if it had been broken off
    code, out = run(tree)
    assert (code, "12 mutants, 9 decided before, 3 to run" in out) == (1, True)  # a reason may not be empty

    explain(tree, ["zero is not asked for", "nor is one"])
    code, out = run(tree)
    assert (code, "12 mutants, 12 decided before, 0 to run" in out) == (0, True)

    (tree / "tests" / "core" / "test_toy.py").write_text(TESTS.replace("positive(5)", "positive(1)"))
    code, out = run(tree)
    assert (code, f"no survivor any more: {SURVIVORS[1]}" in out) == (0, True)


def test_tests_of_folders_inside_folders_are_found() -> None:
    # tests/ has a module of the same name
    spec = importlib.util.spec_from_file_location("mutants_of_tools", ROOT / "tools/mutants.py")
    assert spec is not None
    assert spec.loader is not None
    runner = sys.modules["mutants_of_tools"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    near = runner.Project(ROOT).test_files(near=True)
    assert {"tests/core/test_tensor.py", "tests/core/inference/test_auc.py"} <= {*near}
    assert all(file.startswith("tests/") and (ROOT / file).exists() for file in near)


def test_numbers_that_only_order_the_catalogue_are_left_alone() -> None:
    assert not mutants("M = Measure(places={'key': 10})\n", "core/x.py")
    assert mutants("M = Measure(digits=10)\n", "core/x.py")
