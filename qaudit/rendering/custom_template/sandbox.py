"""Runs a custom template in Jinja's immutable sandbox on plain values, so that it reaches no file, object or markup."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import DictLoader, StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from qaudit.core.numbers import NONE, one, whole
from qaudit.rendering.custom_template.source import ENTRY
from qaudit.rendering.text import harmless

LONGEST = 4_000_000
"""Characters that a template may print."""
FILTERS = (
    *("abs", "batch", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "join"),
    *("last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select"),
    *("selectattr", "slice", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper", "wordcount"),
)
"""The allowed filters of Jinja. Filters that make markup, read attributes of objects or apply a format string are left out."""
_SWITCHES = (nodes.EvalContextModifier, nodes.ScopedEvalContextModifier)


class CustomTemplateError(Exception):
    """A custom template cannot be used; the message names the file, what is wrong and what is expected."""


def checked(files: Mapping[str, str]) -> None:
    """Parse every file of a template without running it. Raises CustomTemplateError."""
    environment = _environment(files)
    for name in (name for name in files if name.endswith(".j2")):
        try:
            tree = environment.parse(files[name], name)
        except (TemplateError, RecursionError) as error:
            raise CustomTemplateError(_error_line(error, name)) from error
        for node in tree.find_all(_SWITCHES):
            raise CustomTemplateError(f"{name}, line {node.lineno}: autoescape is always on and cannot be switched")
        for used in tree.find_all(nodes.Filter):
            if used.name not in environment.filters:
                known = ", ".join(sorted(environment.filters))
                raise CustomTemplateError(f"{name}, line {used.lineno}: filter {harmless(used.name)!r} is not among {known}")


def text_of(files: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The output of the template for `values` (dictionaries, lists, texts, numbers). Raises CustomTemplateError."""
    checked(files)
    chunks, length = [], 0
    try:
        for chunk in _environment(files).get_template(ENTRY).generate(**{key: plain(value) for key, value in values.items()}):
            length += len(chunk)
            if length > LONGEST:
                raise CustomTemplateError(f"{ENTRY}: prints more than {LONGEST} characters")
            chunks.append(chunk)
    except CustomTemplateError:
        raise
    except Exception as error:  # the template is foreign code and may raise anything
        raise CustomTemplateError(_error_line(error, ENTRY)) from error
    return "".join(chunks)


def plain(value: Any) -> Any:
    """A copy of dictionaries, lists, plain texts, numbers, true, false and None. Raises TypeError for anything else."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and not isinstance(value, Markup):
        return str(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} is not a plain value")


def _environment(files: Mapping[str, str]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=DictLoader(files), autoescape=True, undefined=StrictUndefined, finalize=_printed, keep_trailing_newline=True
    )
    environment.filters = {name: environment.filters[name] for name in FILTERS} | _OURS
    environment.globals = {"range": environment.globals["range"]}  # the range of the sandbox, whose length is limited
    return environment


def _printed(value: Any) -> Any:
    """A text with control characters made visible; autoescape then escapes it for HTML."""
    return harmless(value, "\n") if isinstance(value, str) and not isinstance(value, Markup) else value


def _number(value: Any, unit: str = "") -> str:
    return NONE if value is None else one(float(value), str(unit))


def _short(digest: Any) -> str:
    return str(digest).removeprefix("sha256:")[:16]


_OURS: dict[str, Callable[..., Any]] = {
    "number": _number,
    "whole": lambda value: NONE if value is None else whole(value),
    "short": _short,
}


def _error_line(error: BaseException, name: str) -> str:
    """One line: file, line and message."""
    where = getattr(error, "name", None) or name
    line = getattr(error, "lineno", None)
    message = " ".join((getattr(error, "message", None) or str(error)).split())[:300]
    return harmless(f"{where}{f', line {line}' if line else ''}: {type(error).__name__}: {message}")
