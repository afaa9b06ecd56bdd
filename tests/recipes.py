"""Carries out a recipe of docs/develop in a copy of the tree: the edits that it shows, its commands, and the audit at its end.

In a recipe a heading of the second level names the file that the blocks under it change. A `diff` block is an edit: its lines
with " " and "-" stand in the file exactly once and are replaced by those with " " and "+"; where all lines begin with "+", the
file is new. A `sh` block is run in the copy. The `python` block is an audit that leaves the folder `report`, and each line of the
`text` block is then read on its page.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "develop"
PARTS = ("qaudit", "plugins", "report_templates", "docs", "tools", "pyproject.toml")
BLOCK = re.compile(
    r"^(?:## [^`\n]*(?:`(?P<file>[\w./-]+)`)?[^\n]*|```(?P<kind>\w+)\n(?P<text>.*?)^```)$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Step:
    """A block of a recipe, and the file that the heading above it names."""

    kind: str
    text: str
    file: str


def steps(recipe: Path) -> Iterator[Step]:
    """The blocks of a recipe in their order."""
    file = ""
    for match in BLOCK.finditer(recipe.read_text(encoding="utf-8")):
        if match["kind"] is None:
            file = match["file"] or ""
        else:
            yield Step(match["kind"], match["text"], file)


def files(recipe: Path) -> list[str]:
    """The files that a recipe changes by hand, each once, in order."""
    return list(dict.fromkeys(step.file for step in steps(recipe) if step.kind == "diff"))


def copied(folder: Path) -> Path:
    """A copy of what an audit and the tools of docs/ need."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "sample"))
        else:
            shutil.copy2(ROOT / part, folder)
    return folder


def edited(before: str, block: str) -> str:
    """The text of a file after an edit. Raises ValueError where the edit's old lines do not stand in it exactly once."""
    lines = [line if line else " " for line in block.splitlines()]
    if wrong := [line for line in lines if line[0] not in " +-"]:
        raise ValueError(f"a line of an edit begins with ' ', '+' or '-': {wrong[0]!r}")
    old, new = ([line[1:] for line in lines if line[0] in signs] for signs in (" -", " +"))
    if not old:
        raise ValueError("an edit of a file that exists shows a line that stands there")
    text = before.splitlines()
    places = [at for at in range(len(text)) if text[at : at + len(old)] == old]
    if len(places) != 1:
        raise ValueError(f"stands there {len(places)} times, expected once:\n" + "\n".join(old))
    return "\n".join([*text[: places[0]], *new, *text[places[0] + len(old) :], ""])


def outcome(recipe: Path, tree: Path) -> dict[str, str]:
    """The files that a recipe changes, with its edits of those in `tree`. Raises AssertionError where one does not fit."""
    texts: dict[str, str] = {}
    for step in steps(recipe):
        if step.kind == "diff":
            texts[step.file] = _with(step, texts.get(step.file), tree / step.file, recipe.name)
    return texts


def _with(step: Step, text: str | None, file: Path, name: str) -> str:
    if text is None and not file.exists():
        assert all(line.startswith("+") for line in step.text.splitlines()), f"{name}: {step.file} does not exist"
        return "".join(f"{line[1:]}\n" for line in step.text.splitlines())
    try:
        return edited(file.read_text(encoding="utf-8") if text is None else text, step.text)
    except ValueError as error:
        raise AssertionError(f"{name}: {step.file}: {error}") from None


def carry_out(recipe: Path, copy: Path) -> None:
    """Make the edits of a recipe in the copy and run its commands there."""
    for file, text in outcome(recipe, copy).items():
        (copy / file).write_text(text, encoding="utf-8")
    for step in steps(recipe):
        if step.kind == "sh":
            for line in step.text.splitlines():
                ran(line.split(), copy, copy)


def ran(command: list[str], copy: Path, folder: Path) -> str:
    """What a command prints that sees the copy instead of this checkout; `python` is this interpreter."""
    words = [sys.executable if command[0] == "python" else command[0], *command[1:]]
    env = {key: value for key, value in os.environ.items() if not key.startswith("QAUDIT")}
    env |= {"PYTHONPATH": os.pathsep.join([str(copy), str(copy / "plugins")]), "QAUDIT_HOME": str(copy / "home")}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def page(recipe: Path, copy: Path, folder: Path) -> str:
    """What the page of the recipe's audit says: its text without tags, in which a run of blanks is one."""
    for step in steps(recipe):
        if step.kind in ("python", "toml"):
            script = folder / (step.file or "audit.py")
            script.write_text(step.text, encoding="utf-8")
            if not step.file:
                ran(["python", str(script)], copy, folder)
    text = re.sub(r"<(style|script).*?</\1>", "", (folder / "report" / "report.html").read_text("utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def expected(recipe: Path) -> list[str]:
    """The lines that the page must show."""
    return [line for step in steps(recipe) if step.kind == "text" for line in step.text.splitlines()]
