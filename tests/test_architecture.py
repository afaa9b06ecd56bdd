"""The arrows of docs/architecture.md, imports inside functions counted; what the host may not know; how long a file may be."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOST = sorted((ROOT / "qaudit").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
LIBRARIES_OF_CORE = {"numpy", "scipy.special", "scipy.stats"}

# A part imports lower parts and itself. From the lowest up:
ORDER = (
    ("core", "errors"),
    ("hookspecs", "engine", "inputs", "report", "storage"),
    ("rendering", "seal"),
    ("sandbox",),
    ("cache",),
    ("registry", "plugin_host"),
    ("testing",),
    ("pipeline.types",),
    ("pipeline.stages",),
    ("pipeline",),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
# Arrows between parts of one rank.
SIDEWAYS = {("core", "errors")}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at any depth; `from qaudit import errors` counts as qaudit.errors."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in modules() or base == "scipy" else base


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> frozenset[str]:
    return frozenset(module_name(path) for path in HOST)


def part(module: str) -> str:
    """qaudit.engine.dense -> engine, qaudit.pipeline.stages.load -> pipeline.stages; qaudit and qaudit.api -> api."""
    names = module.split(".")
    inner = ".".join(names[1:3])
    return "api" if len(names) == 1 else inner if inner in RANK else names[1]


def below(importer: str, imported: str) -> bool:
    if "api" in (importer, imported):
        # It reaches core at import, the engine and the pipeline when called; nobody in the host asks it for anything.
        reached = {"core", "errors", "hookspecs", "inputs", "engine", "pipeline"}
        return importer == imported or (importer == "api" and imported in reached)
    return importer == imported or RANK[imported] < RANK[importer] or (importer, imported) in SIDEWAYS


@pytest.mark.parametrize("path", HOST, ids=module_name)
def test_every_part_of_the_host_is_placed(path: Path) -> None:
    assert part(module_name(path)) in {*RANK, "api"}


def test_arrows_go_down() -> None:
    wrong = [
        f"{module_name(path)} -> {imported}"
        for path in HOST
        for imported in imports(path)
        if imported.split(".")[0] == "qaudit" and not below(part(module_name(path)), part(imported))
    ]
    assert wrong == []


def test_no_ring() -> None:
    edges = {module_name(path): {name for name in imports(path) if name in modules()} - {module_name(path)} for path in HOST}
    while free := [name for name, targets in edges.items() if not targets & set(edges)]:
        for name in free:
            del edges[name]
    assert edges == {}, "these modules import each other"


def test_a_ring_and_an_upward_arrow_would_be_seen() -> None:
    assert not below("core", "engine")
    assert not below("engine", "sandbox")
    assert not below("cache", "registry")
    assert not below("pipeline.stages", "pipeline")
    assert below("pipeline", "pipeline.stages")
    inner = ast.parse("def f():\n    from qaudit.pipeline.run import run\n")
    assert any(isinstance(node, ast.ImportFrom) for node in ast.walk(inner))


@pytest.mark.parametrize("path", sorted((ROOT / "qaudit" / "core").rglob("*.py")), ids=module_name)
def test_core_knows_numbers_only(path: Path) -> None:
    foreign = {
        name
        for name in imports(path)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "qaudit"}
        and not any(name == library or name.startswith(f"{library}.") for library in LIBRARIES_OF_CORE)
    }
    assert foreign == set()


def test_one_file_imports_numexpr() -> None:
    importers = {module_name(path) for path in HOST + PLUGINS if "numexpr" in {name.split(".")[0] for name in imports(path)}}
    assert importers == {"qaudit.engine.formula"}


@pytest.mark.parametrize("library", ["sklearn", "skops", "joblib", "weasyprint"])
def test_foreign_code_is_imported_in_children_only(library: str) -> None:
    """The host process loads no model and draws no PDF: only tasks of units, and plugins, know these libraries."""
    importers = {module_name(path) for path in HOST if library in {name.split(".")[0] for name in imports(path)}}
    allowed = {name for name in importers if name.startswith(("qaudit.sandbox.", "qaudit.rendering."))}
    # qaudit.register is handed a fitted estimator by its caller, and writes it with skops or joblib.
    writers = {"qaudit.registry.estimators"} if library in {"skops", "joblib", "sklearn"} else set()
    assert importers - allowed <= writers


@pytest.mark.parametrize("path", HOST, ids=module_name)
def test_the_host_names_no_plugin(path: Path) -> None:
    assert not re.search(r"qaudit_(quantizers|explainers|formats|frameworks)", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_plugins_see_what_a_stranger_sees(path: Path) -> None:
    """From qaudit its top level only; from each other what lies in their own package."""
    own = path.parent.name
    reached = {name for name in imports(path) if name.split(".")[0].startswith("qaudit")}
    assert {name for name in reached if name != "qaudit" and name.split(".")[0] != own} == set()


@pytest.mark.parametrize("path", HOST + PLUGINS, ids=module_name)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", HOST + PLUGINS, ids=module_name)
def test_no_function_is_long(path: Path) -> None:
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= 80
    }
    assert long == {}


def test_the_top_of_the_package_is_short() -> None:
    """What is loose at the top has no package whose name says what it is."""
    loose = {path.stem for path in (ROOT / "qaudit").glob("*.py")}
    assert loose == {"__init__", "__main__", "api", "errors", "hookspecs"}
