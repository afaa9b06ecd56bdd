"""What stops an audit: one clear line, exit code 2; and what such a line says of an unknown name or of data that do not fit."""

from __future__ import annotations

import difflib
import os
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # help and lists of plugins do not wait for pydantic
    from pydantic import ValidationError

_KINDS = {"missing": "is missing", "extra_forbidden": "unknown key", "unexpected_keyword_argument": "unknown key"}
_LISTED = 20
"""Known names that a message lists; a table may have thousands of columns."""


class Refused(Exception):
    """Bad input. The message names the file, column or key, what was found and what is wanted; it is printed as it stands."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook prints instead of a traceback: the message says what to do, the frames would not."""
        return [f"qaudit: {self}"]


class PluginConflict(Refused):
    """Two distributions offer one name."""


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The end of a message about an unknown name: "did you mean 'b'?", or "known: a, b, c" where no name is similar."""
    if similar := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {similar[0]!r}?"
    more = f" ... ({len(known)} in all)" if len(known) > _LISTED else ""
    return f"known: {', '.join(list(known)[:_LISTED]) or 'none'}{more}"


def unknown(what: str, name: str, known: Collection[str]) -> str:
    """The whole message: "unknown key 'limits'; did you mean 'limit'?"."""
    return f"unknown {what} {name!r}; {did_you_mean(name, known)}"


def unexpected(error: Exception) -> str:
    """The one line for an error that no part of the program foresaw. With QAUDIT_TRACE=1 it is raised again."""
    if os.environ.get("QAUDIT_TRACE"):
        raise error
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    what = f"{type(error).__name__}: {error}".removesuffix(": ")
    return f"unexpected error, a fault of qaudit and not of the input: {what}{where}; QAUDIT_TRACE=1 shows the traceback"


def first_problem(error: ValidationError) -> str:
    """The first problem that pydantic found in data: its place, what is wrong or wanted, and the value found; cut where long."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:200]
    kind, message = first["type"], first["msg"].removeprefix("Value error, ")[:300]
    if kind in _KINDS:
        return f"{place}: {_KINDS[kind]}"
    if kind == "value_error":
        return f"{place}: {message}" if place else message
    return f"{place}: {message[:1].lower()}{message[1:]}, {repr(first['input'])[:60]} found"
