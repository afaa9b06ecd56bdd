"""What a plugin's files say of it without being run: digest, contract number, expected failures, what it needs to import."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from qaudit.core.__about__ import SPEC

SPEC_NAME = "qaudit_spec"
EXPECTED_NAME = "qaudit_expected_failures"
_SPEC = re.compile(rf"^{SPEC_NAME}(?:\s*:\s*\w+)?\s*=\s*(\d+)\s*(?:#.*)?$", re.MULTILINE)
_FOLDERS = (".py", ".toml")


def is_data(value: str) -> bool:
    """Whether an entry point names a packaged toml file ("acme.framework.toml") and no module."""
    return value.strip().endswith(".toml")


def data_file(value: str) -> Path | None:
    """The packaged toml file that an entry point names, found without importing its package; None where it is not there."""
    inside = Path(*value.strip().removesuffix(".toml").split(".")).with_suffix(".toml")
    found = (Path(entry or ".") / inside for entry in sys.path)
    return next((file for file in found if file.is_file()), None)


def digest(entry: importlib.metadata.EntryPoint) -> str:
    """sha256 over the plugin's own source and data files, found without importing; empty where there are none to be found.

    Not over the hashes that a distribution records: an editable install records only its link, and the same plugin must bear
    the same digest however it was installed.
    """
    module = entry.value.partition(":")[0].strip()
    return _joined([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in sources(module)])


def _joined(hashes: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join(f"{path} {value}" for path, value in hashes).encode()).hexdigest() if hashes else ""


def sources(module: str) -> list[Path]:
    """The module's file and the data files of its name beside it, found without importing the module or its package."""
    if is_data(module):
        file = data_file(module)
        return [file] if file is not None else []
    origin = main_file(module)
    if origin is None or not origin.is_file():
        return []
    if origin.name == "__init__.py":
        return sorted(file for file in origin.parent.rglob("*") if file.is_file() and file.suffix in _FOLDERS)
    return sorted(file for file in origin.parent.glob(f"{origin.stem}.*") if file.is_file() and file.suffix != ".pyc")


def main_file(module: str) -> Path | None:
    """File of a module; None where it is not there. Only the top level goes through the import system, which does not run a
    top-level module to find it; packages below are folders."""
    if is_data(module):
        return data_file(module)
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or not rest:
        return Path(spec.origin) if spec is not None and spec.origin else None
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    for name in rest[:-1]:
        places = [place / name for place in places if (place / name).is_dir()]
    names = (f"{rest[-1]}/__init__.py", f"{rest[-1]}.py", *(f"{rest[-1]}{suffix}" for suffix in EXTENSION_SUFFIXES))
    return next((place / name for place in places for name in names if (place / name).is_file()), None)


def stated_spec(source: str) -> int:
    """The contract number in a plugin's source, `qaudit_spec = 1` at its top level; this qaudit's own where it states none."""
    found = _SPEC.search(source)
    return int(found[1]) if found else SPEC


def read(file: Path | None) -> str:
    """A source as text; empty where it cannot be read."""
    try:
        return file.read_text("utf-8", "replace") if file is not None else ""
    except OSError:
        return ""


def expected_failures(source: str) -> dict[str, str]:
    """The literal `qaudit_expected_failures = {"B5": "reason"}` in a plugin's source."""
    if EXPECTED_NAME not in source:
        return {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == EXPECTED_NAME for one in node.targets):
            try:
                given = ast.literal_eval(node.value)
            except ValueError:
                return {}
            return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    return {}


def trouble(source: str) -> tuple[str, str] | None:
    """Why importing a module of this source cannot work, and the remedy; None where nothing is known against it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        return f"not Python: {error.args[0]}, line {getattr(error, 'lineno', 0) or 0}", "correct the file"
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        for name in names:
            if not _findable(top := name.partition(".")[0]):
                return f"needs the module {top!r}, which is not installed", f"install what provides {top!r}"
    return None


@cache
def _findable(top: str) -> bool:
    if top in sys.modules or top in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False
