"""Reads a plugin's source files without running them: digest, contract version, expected failures, missing imports."""

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
    """Whether an entry point names a packaged toml file ("acme.framework.toml") and not a module."""
    return value.strip().endswith(".toml")


def data_file(value: str) -> Path | None:
    """The packaged toml file that an entry point names, found without importing its package; None where it is not there."""
    relative = Path(*value.strip().removesuffix(".toml").split(".")).with_suffix(".toml")
    candidates = (Path(entry or ".") / relative for entry in sys.path)
    return next((file for file in candidates if file.is_file()), None)


def digest(entry: importlib.metadata.EntryPoint) -> str:
    """sha256 over the plugin's own source and data files, located without importing it; empty where none are located.

    The hashes that a distribution records are not used: an editable install records only a link, and the same plugin must have
    the same digest however it was installed.
    """
    module = entry.value.partition(":")[0].strip()
    return _joined([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in sources(module)])


def _joined(hashes: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join(f"{path} {value}" for path, value in hashes).encode()).hexdigest() if hashes else ""


def sources(module: str) -> list[Path]:
    """The file of a module and the data files of the same name beside it, located without importing the module or its package."""
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
    """The file of a module; None where it does not exist.

    Only the top-level name is looked up by the import system, which does not run it. For a dotted name the import system would
    import the parent packages, so the parts below the top level are looked up as folders and files.
    """
    if is_data(module):
        return data_file(module)
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or not rest:
        return Path(spec.origin) if spec is not None and spec.origin else None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    for name in rest[:-1]:
        folders = [folder / name for folder in folders if (folder / name).is_dir()]
    names = (f"{rest[-1]}/__init__.py", f"{rest[-1]}.py", *(f"{rest[-1]}{suffix}" for suffix in EXTENSION_SUFFIXES))
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def stated_spec(source: str) -> int:
    """The contract version that a source states by `qaudit_spec = 1` at its top level; the current one where it states none."""
    match = _SPEC.search(source)
    return int(match[1]) if match else SPEC


def read(file: Path | None) -> str:
    """The text of a source file; empty where it cannot be read."""
    try:
        return file.read_text("utf-8", "replace") if file is not None else ""
    except OSError:
        return ""


def expected_failures(source: str) -> dict[str, str]:
    """The literal `qaudit_expected_failures = {"B5": "reason"}` in a plugin's source."""
    # most sources do not have the name, and parsing them all would slow the list of plugins down
    if EXPECTED_NAME not in source:
        return {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(name, ast.Name) and name.id == EXPECTED_NAME for name in node.targets):
            try:
                declared = ast.literal_eval(node.value)
            except ValueError:
                return {}
            return {str(key): str(value) for key, value in declared.items()} if isinstance(declared, dict) else {}
    return {}


def trouble(source: str) -> tuple[str, str] | None:
    """Why importing a module with this source must fail, and the remedy; None where no reason is known."""
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
