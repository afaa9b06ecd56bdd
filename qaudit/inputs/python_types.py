"""The types of the arguments of `qaudit.register` and `qaudit.audit`, as protocols, so that no library is imported for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Estimator(Protocol):
    """A fitted scikit-learn estimator or pipeline."""

    @property
    def fit(self) -> Any:
        """Every estimator has it; it is not called on this object."""

    def predict(self, X: Any, /) -> Any:
        """Labels, or numbers for a regression."""


class EarlierReport(Protocol):
    """What `qaudit.audit` returns."""

    @property
    def json(self) -> Path:
        """The report as data."""


class Pandas(Protocol):
    """A pandas frame or series."""

    @property
    def iloc(self) -> Any:
        """Rows by position."""


class Array(Protocol):
    """A numpy array, or what becomes one."""

    def __array__(self, *args: Any, **options: Any) -> Any:
        """The values."""


Rows = Pandas | Array | Sequence[Sequence[Any]]
"""Inputs of a model: a pandas frame, or an array (n, d) whose columns are then named x0, x1 ..."""

Values = Pandas | Array | Sequence[Any]
"""One value a row, such as the target."""
