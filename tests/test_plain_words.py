"""Names in the code are words of the field, so that a reader needs no dictionary of ours; docs/glossary.md has the words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("qaudit", "plugins", "tools")
DIALECT = frozenset((
    "found", "given", "told", "held", "road", "door", "guest",
    "ground", "conduct", "manners", "keeping", "making", "remembered", "placing",
    "bench", "culprit", "deeds", "law", "lawful", "laws", "lossy", "opened", "said", "shelf", "spoken", "strangers",
))  # fmt: skip
"""Words that no part of a name may be: `found`, `_found` and `found_rows` are refused, `background` is not."""
FILES = sorted(str(file.relative_to(ROOT)) for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))


def parts(name: str) -> set[str]:
    """The words of a name: `_found_rows` and `FoundRows` have "found" and "rows"."""
    return set(re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().strip("_").split("_"))


def dialect(source: str) -> Iterator[str]:
    """Each refused name with its line: functions, classes, parameters, assigned variables and attributes.

    `one` is refused only as a whole variable: it stands for anything.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name, variable = node.name, False
        elif isinstance(node, ast.arg):
            name, variable = node.arg, False
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name, variable = node.id, True
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            name, variable = node.attr, False
        else:
            continue
        if parts(name) & DIALECT or (variable and name == "one"):
            yield f"line {node.lineno}: {name}"


@pytest.mark.parametrize("path", FILES)
def test_no_name_is_a_word_of_a_private_dialect(path: str) -> None:
    assert list(dialect((ROOT / path).read_text(encoding="utf-8"))) == []


def test_the_rule_sees_every_kind_of_name() -> None:
    source = (
        "class FrontDoor: ...\ndef told(given, *, one): ...\nfound_rows = 1\nfor one in ():\n    _held: int = 2\n"
        "self.road = background = 1\nprint(found, one)\n"
    )
    assert list(dialect(source)) == [
        "line 1: FrontDoor", "line 2: told", "line 3: found_rows",
         "line 4: one", "line 6: road", "line 2: given", "line 5: _held",
    ]  # fmt: skip


def test_the_files_are_those_of_the_program() -> None:
    assert len(FILES) > 200
    assert {"qaudit/pipeline/run.py", "plugins/qaudit_quantizers/affine.py", "tools/mutants.py"} <= set(FILES)
