"""Ends of what the catalogue allows, and the import errors of a catalogue that contradicts itself."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

import pytest

from qaudit.core.catalogue import measures, sections, verdicts
from qaudit.core.catalogue.measures import Measure, is_signed
from qaudit.core.catalogue.plugin_measures import LONGEST_TITLE, MOST_MEASURES, declaration_problems


def import_with(module: ModuleType, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the text of a module in which the first literal `old` is `new`."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    literals = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value == old]
    min(literals, key=lambda node: (node.lineno, node.col_offset)).value = new
    changed = ModuleType("changed_catalogue")
    monkeypatch.setitem(sys.modules, changed.__name__, changed)
    exec(compile(tree, "changed_catalogue.py", "exec"), changed.__dict__)


@pytest.mark.parametrize(
    ("module", "old", "new", "said"),
    [
        (measures, "roc_auc", "accuracy", "a name occurs twice"),
        (measures, "local", "nowhere", "a section or a unit that is not declared"),
        (measures, "distance", "width", "a section or a unit that is not declared"),
        (sections, "rules", "rule", "the anchors of the type and of the records differ"),
        (verdicts, "outside", "beyond", "the words of the type and of the records differ"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_not_imported(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, old: str, new: str, said: str
) -> None:
    with pytest.raises(ImportError, match=said):
        import_with(module, old, new, monkeypatch)
    import_with(module, old, old, monkeypatch)


def test_signs_are_asked_for_by_name() -> None:
    assert is_signed("accuracy_change") is True
    assert is_signed("accuracy") is False
    assert is_signed("pow2.codebook_use") is False


def declared(count: int, title: str = "M") -> tuple[Measure, ...]:
    return tuple(Measure(f"m{number}", title, "", "precision") for number in range(count))


def test_as_many_measures_and_as_long_titles_as_are_said_to_be_allowed() -> None:
    assert declaration_problems(declared(MOST_MEASURES)) == []
    assert declaration_problems(declared(1, "t" * LONGEST_TITLE)) == []


def test_names_declared_twice_are_told_in_their_order() -> None:
    twice = declared(9) * 2
    assert declaration_problems(twice) == [f"measure 'm{number}' is declared twice" for number in range(9)]
