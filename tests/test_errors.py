"""How a message answers a name that is not known: in one form everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from qaudit.errors import did_you_mean, unknown

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "known", "wanted"),
    [
        ("bit", ["axis", "bits"], "did you mean 'bits'?"),
        ("zzz", ["b", "a"], "known: b, a"),
        ("zzz", [], "known: none"),
        ("zzz", [f"f{number}" for number in range(20)], "known: " + ", ".join(f"f{number}" for number in range(20))),
        ("zzz", [f"f{n}" for n in range(5000)], "known: " + ", ".join(f"f{n}" for n in range(20)) + " ... (5000 in all)"),
    ],
)
def test_the_most_similar_name_or_what_there_is(name: str, known: list[str], wanted: str) -> None:
    assert did_you_mean(name, known) == wanted
    assert unknown("key", name, known) == f"unknown key {name!r}; {wanted}"


def test_no_other_file_looks_for_similar_names() -> None:
    files = [path for folder in ("qaudit", "plugins") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in files if "difflib" in path.read_text("utf-8")] == ["errors.py"]
