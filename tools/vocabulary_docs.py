"""Write docs/vocabulary.md, the reference of what `from qaudit import ...` gives, from the code: signatures, docstrings, fields.

`python tools/vocabulary_docs.py` rewrites the page; tests/test_docs.py fails where it differs from the code.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin

import qaudit
from qaudit import hookspecs

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "vocabulary.md"
INTRO = f"""# The public vocabulary

What `from qaudit import ...` gives, in version {qaudit.SPEC} of the interface between host and plugins. Everything else in the
package is internal and may change with any release. This page is written by tools/vocabulary_docs.py from the code.

Arrays are numpy's; `Floats` is an array of float64. A record is frozen; a field with a default may be left out.
"""
MODULES = {
    "qaudit.core.records": "Records that plugins yield, and what they are given",
    "qaudit.core.tensor": "Quantized tensors",
    "qaudit.core.program": "Programs",
    "qaudit.core.steps": "Steps of a program",
    "qaudit.core.catalogue.measures": "Measures",
    "qaudit.core.explanation": "Explanations",
    "qaudit.errors": "Errors",
    "qaudit.api": "Functions",
}
"""The headings, by the module in which a name is defined."""
OTHER = frozenset({"SPEC", "__version__", "hookimpl"})
"""Names that are values: the version of the interface, of the package, and the marker of a hook's implementation."""


def hooks() -> Iterator[str]:
    """Each hook with its signature and docstring."""
    yield "## Hooks\n"
    yield "A plugin marks one of these functions with `@hookimpl` and is found by an entry point of the group.\n"
    groups = {f"qaudit_offer_{group.removeprefix('qaudit.')}": group for group in hookspecs.GROUPS.values()}
    for name, group in groups.items():
        function = getattr(hookspecs, name)
        yield f"### {name}\n"
        yield f"Entry point group `{group}`.\n"
        yield f"```python\n{_signature(name, function)}\n```\n"
        yield f"{_docstring(function)}\n"


def names_of(module: str) -> list[str]:
    """The public names that are defined in a module, in the order of their definition."""
    own = [name for name in qaudit.__all__ if name not in OTHER and getattr(qaudit, name).__module__ == module]
    return sorted(own, key=lambda name: inspect.getsourcelines(inspect.unwrap(getattr(qaudit, name)))[1])


def entry(name: str) -> Iterator[str]:
    """Heading, signature, docstring, fields and methods of one name."""
    value = getattr(qaudit, name)
    yield f"### {name}\n"
    if inspect.isclass(value):
        if not dataclasses.is_dataclass(value):
            yield f"An exception ({', '.join(base.__name__ for base in value.__bases__)}).\n"
        yield f"{_docstring(value)}\n"
        yield from _fields(value)
        yield from _methods(value)
    else:
        yield f"```python\n{_signature(name, value)}\n```\n"
        text, keywords, _ = _docstring(value).partition("Keywords, ")
        yield f"{' '.join(text.split())}\n"
        if keywords:
            yield "The options are those of [options.md](options.md).\n"


def _signature(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    options = [each for each in signature.parameters.values() if each.kind is each.KEYWORD_ONLY]
    parts = [str(each).replace("'", "") for each in signature.parameters.values() if each not in options]
    parts += ["**options"] if options else []
    after = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    line = f"{name}({', '.join(parts)}){after}"
    return line if len(line) <= 100 else f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){after}"


def _docstring(value: Any) -> str:
    return inspect.getdoc(value) or ""


def _fields(value: Any) -> Iterator[str]:
    if not dataclasses.is_dataclass(value):
        return
    yield "| field | type | default |\n| --- | --- | --- |"
    for field in dataclasses.fields(value):
        yield f"| `{field.name}` | `{str(field.type).replace('|', chr(92) + '|')}` | {_default(field)} |"
    yield ""


def _default(field: dataclasses.Field[Any]) -> str:
    if inspect.isfunction(field.default):
        return f"`{field.default.__name__}`"
    if field.default is not dataclasses.MISSING:
        return f"`{field.default!r}`" if not dataclasses.is_dataclass(field.default) else f"`{type(field.default).__name__}()`"
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    return "must be given"


def _methods(value: Any) -> Iterator[str]:
    lines = list(_method_lines(value))
    yield "\n".join([*lines, ""]) if lines else ""


def _method_lines(value: Any) -> Iterator[str]:
    for name, each in vars(value).items():
        function = each.fget if isinstance(each, property) else getattr(each, "__func__", each)
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        shown = f".{name}" if isinstance(each, property) else f".{_signature(name, function)}"
        yield f"- `{shown}`: {' '.join(_docstring(function).split())}"


def words() -> Iterator[str]:
    """The closed lists of words that fields of the vocabulary take."""
    yield "## Words\n"
    yield "Where a field's type is one of these names, its value is one of the words.\n"
    yield "| type | words |\n| --- | --- |"
    for module in map(importlib.import_module, MODULES):
        for name, value in _literals(module):
            yield f"| `{name}` | {', '.join(f'`{word}`' for word in get_args(value))} |"


def _literals(module: ModuleType) -> Iterator[tuple[str, Any]]:
    source = inspect.getsource(module)
    for name, value in vars(module).items():
        if str(get_origin(value)) == "typing.Literal" and f"\n{name} = Literal" in source:
            yield name, value


def page() -> str:
    """The whole page."""
    lines = [INTRO, *hooks()]
    for module, heading in MODULES.items():
        lines.append(f"## {heading}\n")
        for name in names_of(module):
            lines += entry(name)
    text = "\n".join([*lines, *words(), ""])
    return re.sub(r"\n{3,}", "\n\n", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
