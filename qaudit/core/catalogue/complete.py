"""Checks that a catalogue has exactly one record for each member of its union; otherwise its module cannot be imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, get_args


class Kind(Protocol):
    """A catalogue record: the name by which JSON knows the kind, and the class of its values."""

    @property
    def name(self) -> str:
        """The name in JSON."""

    @property
    def record(self) -> type[Any]:
        """The class of the values."""


K = TypeVar("K", bound=Kind)


def by_name(kinds: Sequence[K], union: Any, names: Any) -> dict[str, K]:
    """The kinds by name. Raises TypeError unless they are exactly the members of `union` and of the Literal `names`."""
    records, known = {kind.record for kind in kinds}, {kind.name for kind in kinds}
    if records != set(get_args(union)) or known != set(get_args(names)) or len(known) != len(kinds):
        listed = ", ".join(f"{kind.name}: {kind.record.__name__}" for kind in kinds)
        raise TypeError(f"the catalogue lists {listed}; the union is {union}, the names are {get_args(names)}")
    return {kind.name: kind for kind in kinds}
