"""What stops an audit: one clear line, exit code 2; and how such a line answers a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_LISTED = 20
"""Known names that a message lists; a table may have thousands of columns."""


class Refused(Exception):
    """Bad input. The message names the file, column or key, what was found and what is wanted; it is printed as it stands."""


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
