"""Words that the project's own texts never use of a model, and references that it never prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEVER = re.compile(
    r"\b(compliant|conforms|certified|certifies|guarantee[sd]?|safe|approved|bias-free|free of risk|audit opinion"
    r"|meets annex iv|satisfies sr|passed the audit|validated by)\b",
    re.IGNORECASE,
)
TRACES = re.compile(
    r"Montaner|D\. ?B\. Kale|benefit from human intuition|interpretability: A|Quantization for deep learning: A", re.I
)
SOURCES = sorted([*(ROOT / "qaudit").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
TEXTS = sorted(
    path
    for folder in ("report_templates", "plugins", "qaudit", "docs", "examples")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".html", ".jinja", ".j2", ".po", ".toml", ".md", ".css", ".txt", ".yaml"}
    and "LICENSE" not in path.name
    and "fonts" not in path.parts
    and "sample" not in path.parts
)


def strings(path: Path) -> Iterator[str]:
    """Every text in a Python file, docstrings too; names and comments are left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def plain(path: Path) -> str:
    """The text without Jinja's filter and CSS functions that carry one of the words."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"\|\s*safe\b|\bsafe-area\S*|\bsafe center\b", "", text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_words_in_code(path: Path) -> None:
    assert [text for text in strings(path) if NEVER.search(text)] == []


@pytest.mark.parametrize(
    "path", [*TEXTS, ROOT / "README.md", ROOT / "CHANGELOG.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_words_in_texts(path: Path) -> None:
    assert NEVER.findall(plain(path)) == []


def test_words_on_the_sample_report() -> None:
    page = (ROOT / "docs" / "sample" / "report.html").read_text(encoding="utf-8")
    seen = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert len(seen) > 10_000
    assert NEVER.findall(seen) == []
    assert not TRACES.search(seen)


@pytest.mark.parametrize("path", [*SOURCES, *TEXTS, ROOT / "README.md"], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_wrong_reference(path: Path) -> None:
    """The article's list of references names works that could not be located, and one real paper with a wrong venue."""
    text = path.read_text(encoding="utf-8")
    assert not TRACES.search(text)
    for match in re.finditer(r"Ribeiro", text):
        here = text[match.start() : match.start() + 200]
        assert not re.search(r"NeurIPS|NIPS 2016|Neural Information|4328", here)


def test_the_words_would_be_seen() -> None:
    assert NEVER.search("The model is certified.")
    assert NEVER.search("This build is Approved")
    assert not NEVER.search("unsafe")
    assert TRACES.search("K. Murdoch, S. Montaner")
