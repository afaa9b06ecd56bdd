"""Names in the code are words of the field, so that a reader needs no dictionary of ours; docs/glossary.md has the words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DIALECT = frozenset((
    "found", "given", "told", "held", "road", "door", "guest",
    "ground", "conduct", "manners", "keeping", "making", "remembered", "placing",
    "bench", "culprit", "deeds", "law", "laws", "lossy", "opened", "shelf", "strangers",
))  # fmt: skip

# What follows the rule already. A folder stands for all that is in it; the list grows until it is ("qaudit", "plugins").
FINISHED = (
    "plugins",
    "qaudit/cache",
    "qaudit/core/contract.py",
    "qaudit/core/decision.py",
    "qaudit/core/inference",
    "qaudit/core/json_values.py",
    "qaudit/core/plugin_settings.py",
    "qaudit/core/printable.py",
    "qaudit/core/records.py",
    "qaudit/core/table.py",
    "qaudit/core/tensor.py",
    "qaudit/core/catalogue/complete.py",
    "qaudit/core/catalogue/explanation_kind.py",
    "qaudit/core/catalogue/explanations.py",
    "qaudit/core/catalogue/steps.py",
    "qaudit/core/explanation.py",
    "qaudit/core/explanation_contract.py",
    "qaudit/core/measures/agreement.py",
    "qaudit/core/measures/surrogate.py",
    "qaudit/core/program.py",
    "qaudit/engine",
    "qaudit/errors.py",
    "qaudit/inputs/data.py",
    "qaudit/inputs/policy.py",
    "qaudit/plugin_host",
    "qaudit/registry",
    "qaudit/rendering",
    "qaudit/report",
    "qaudit/sandbox",
    "qaudit/seal",
    "qaudit/storage",
    "qaudit/testing/__init__.py",
    "qaudit/testing/checks/catalogue.py",
    "qaudit/testing/checks/contract.py",
    "qaudit/testing/checks/formats.py",
    "qaudit/testing/checks/quantized_tensors.py",
    "qaudit/testing/checks/quantizer_calls.py",
    "qaudit/testing/checks/results.py",
    "qaudit/testing/checks/runner.py",
    "qaudit/testing/checks/side_effect_watch.py",
    "qaudit/testing/checks/side_effects.py",
    "qaudit/testing/checks/task.py",
    "qaudit/testing/checks/toy_subjects.py",
    "tools",
)
# Files inside a finished folder that still have to follow.
WAITING = frozenset((
    "qaudit/sandbox/pack_program.py",
    "qaudit/sandbox/tasks/explain.py",
))  # fmt: skip


def finished() -> list[str]:
    """The Python files of FINISHED, relative to the root of the repository."""
    files = [file for name in FINISHED for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))]
    return sorted({str(file.relative_to(ROOT)) for file in files} - WAITING)


def dialect(source: str) -> Iterator[str]:
    """Each refused name with its line: functions, classes, parameters and assigned variables; `one` as a variable only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name, words = node.name.lower(), DIALECT
        elif isinstance(node, ast.arg):
            name, words = node.arg, DIALECT
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name, words = node.id, DIALECT | {"one"}
        else:
            continue
        if name.lstrip("_") in words:
            yield f"line {node.lineno}: {name}"


@pytest.mark.parametrize("path", finished())
def test_no_name_is_a_word_of_a_private_dialect(path: str) -> None:
    assert list(dialect((ROOT / path).read_text(encoding="utf-8"))) == []


def test_the_rule_sees_every_kind_of_name() -> None:
    source = "class Door: ...\ndef told(given, *, one): ...\nfound = 1\nfor one in ():\n    _held: int = 2\nprint(found, one)\n"
    assert list(dialect(source)) == [
        "line 1: door", "line 2: told", "line 3: found", "line 4: one", "line 2: given", "line 5: _held",
    ]  # fmt: skip


def test_the_lists_name_files_that_exist() -> None:
    assert [name for name in (*FINISHED, *sorted(WAITING)) if not (ROOT / name).exists()] == []
