"""`qaudit plugins new`: three files that work as they stand, from the templates beside this module. No network, no questions."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from qaudit.errors import Refused
from qaudit.sandbox.plugin_source import main_file

TEMPLATES = Path(__file__).parent
NAME_MARK = "PLUGIN_NAME"


def write_plugin(kind: str, name: str, into: Path) -> list[Path]:
    """Write module, pyproject.toml and test into a folder; returns their paths. Raises Refused where a file exists."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or keyword.iskeyword(name):
        raise Refused(f"NAME {name!r}: a snake_case word is wanted, such as power_of_two")
    if main_file(f"qaudit_{name}") is not None and not (into / f"qaudit_{name}.py").exists():
        raise Refused(f"NAME {name!r}: there is a package qaudit_{name} already; another name is wanted")
    suffix = "toml" if kind == "framework" else "py"
    files = {
        into / f"qaudit_{name}.{suffix}": f"{kind}.{suffix}.txt",
        into / "pyproject.toml": "pyproject_data.toml.txt" if kind == "framework" else "pyproject.toml.txt",
        into / f"test_{name}.py": "test.py.txt",
    }
    if existing := [str(path) for path in files if path.exists()]:
        raise Refused(f"{existing[0]}: exists; a folder without it is wanted (--into DIR)")
    try:
        into.mkdir(parents=True, exist_ok=True)
        for path, template in files.items():
            text = (TEMPLATES / template).read_text("utf-8")
            words = {NAME_MARK: name, "PLUGIN_KIND": kind, "PLUGIN_DASHED": name.replace("_", "-"), "PLUGIN_SUFFIX": suffix}
            for word, value in words.items():
                text = text.replace(word, value)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from error
    return list(files)
