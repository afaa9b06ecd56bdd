"""The result of a check, and the place in the plugin's source where its author should look."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

Status = Literal["passed", "failed", "not run", "expected"]
SHOWN = 3
"""Lines shown of one failure; further ones are only counted."""


class NotRun(Exception):
    """Raised where a check does not apply to this plugin; the text says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check of one plugin.

    `seen` says what was observed, or why the check did not run; `look` is "file:line" or empty; `digest` identifies the
    results of a reproducibility check; `more` counts the observations that are not listed.
    """

    id: str
    status: Status
    seen: tuple[str, ...] = ()
    look: str = ""
    digest: str = ""
    more: int = 0


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The result of one check in the child, before it is known whether a failure was expected."""

    status: Literal["passed", "failed", "not run"]
    seen: list[str] = field(default_factory=list)
    look: str = ""
    digest: str = ""


def source_of(function: Any) -> str:
    """ "file:line" of the function below decorators and partials; empty where it has no source."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        code = inspect.unwrap(function).__code__
    except (AttributeError, ValueError):
        return ""
    return f"{code.co_filename}:{code.co_firstlineno}"


def raised_at(error: BaseException, files: set[str]) -> str:
    """ "file:line" of the innermost frame of an exception that lies in one of `files`; empty where none does."""
    trace: TracebackType | None = error.__traceback__
    frames = [frame for frame in traceback.extract_tb(trace) if frame.filename in files]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def run_check(check: Callable[[], list[str]], function: Any, files: set[str]) -> CheckOutcome:
    """Run one check. An exception of the plugin becomes a failure of the check."""
    try:
        problems = list(dict.fromkeys(check()))
    except NotRun as why:
        return CheckOutcome("not run", [str(why)])
    except Exception as error:
        return CheckOutcome("failed", [f"raised {type(error).__name__}: {error}"], raised_at(error, files) or source_of(function))
    return CheckOutcome("failed", problems, source_of(function)) if problems else CheckOutcome("passed")
