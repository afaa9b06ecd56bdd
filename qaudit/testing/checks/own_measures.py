"""A8: the measures that a plugin declares, and whether it records them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qaudit.core.catalogue.plugin_measures import declaration_problems


def measure_problems(measures: Any, recorded: Callable[[], Iterable[str]]) -> list[str]:
    """What is wrong with declared measures; `recorded` gives the names of those that were recorded on the toy subjects."""
    if problems := declaration_problems(measures):
        return problems
    if not measures:
        return []
    names = set(recorded())
    return [f"measure {each.name!r} is declared and was never recorded" for each in measures if each.name not in names]
