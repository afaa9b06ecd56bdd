"""Rows as named raw columns, in the form that explainers and the model's own encoder receive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "text"]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns (n,) by name, all of the same length: numbers as float64 with NaN for missing, text as objects (str or None)."""

    columns: Mapping[str, NDArray[Any]]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.columns)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def kind(self, name: str) -> Kind:
        """The kind of a column: number or text."""
        return "number" if self.columns[name].dtype == np.float64 else "text"

    def take(self, rows: NDArray[Any] | slice) -> Table:
        """The table with only those rows."""
        return Table({name: values[rows] for name, values in self.columns.items()})

    def select(self, names: tuple[str, ...]) -> Table:
        """The table with only those columns, in that order."""
        return Table({name: self.columns[name] for name in names})

    def replaced(self, **columns: NDArray[Any]) -> Table:
        """The table with some columns replaced."""
        return Table({**self.columns, **columns})
