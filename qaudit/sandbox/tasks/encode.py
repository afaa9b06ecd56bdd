"""Rows through the model's own encoder and its own predictions, role by role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.core.records import Loaded
from qaudit.core.table import Table
from qaudit.errors import Refused
from qaudit.sandbox.job import Job
from qaudit.sandbox.pack_table import unpack_table
from qaudit.sandbox.subject_model import frame, open_model


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """request: model, tables {role: packed}; arrays of each table under its role.

    Answers arrays native.<role> (n, k), encoded.<role> (n, width) where there is a program, and leaves.holdout, raw.holdout
    where the model gives them. Raises Refused naming role, row, column and value where the encoder takes one not.
    """
    model = open_model(job)
    arrays: dict[str, NDArray[Any]] = {}
    for role, packed in job.request["tables"].items():
        table = unpack_table(packed, job.arrays, role)
        arrays |= _role(job, model, role, table)
    return {"roles": sorted(job.request["tables"])}, arrays


def _role(job: Job, model: Loaded, role: str, table: Table) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    if model.encode is not None:
        job.phase("encode")
        found[f"encoded.{role}"] = _named(model.encode, model, role, table)
    job.phase("predict")
    found[f"native.{role}"] = _named(model.predict, model, role, table)  # names a bad value; leaves and raw would not
    if role == "holdout" and model.encode is not None:
        for name, ask in (("leaves", model.leaves), ("raw", model.raw)):
            if ask is not None:
                found[f"{name}.{role}"] = ask(found[f"encoded.{role}"])
    return found


def _named(step: Callable[[Any], Any], model: Loaded, role: str, table: Table) -> NDArray[np.float64]:
    """step(rows); where it raises, the refusal names the first row and the column that it does not take."""
    try:
        return np.asarray(step(frame(table)), dtype=np.float64)
    except (ValueError, TypeError, KeyError) as error:
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise Refused(_blame(step, model, role, table, said)) from error


def _takes(step: Callable[[Any], Any], table: Table) -> bool:
    try:
        step(frame(table))
    except (ValueError, TypeError, KeyError):
        return False
    return True


def _blame(step: Callable[[Any], Any], model: Loaded, role: str, table: Table, said: str) -> str:
    """One line for the first row that is refused, by bisection, and the column whose value is to blame: a text that the
    encoder does not know, else the column that a taken row can lend."""
    good, bad = 0, table.rows
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if _takes(step, table.take(slice(0, middle))) else (good, middle)
    row, first = bad - 1, table.take(slice(bad - 1, bad))
    name = _culprit(step, model, table, first)
    if name is None:
        return f"{role}: row {row + 1}: the model does not take this row ({said})"
    value = first.columns[name][0]
    shown = "a missing value" if value is None or value != value else repr(value)
    return f"{role}: column {name!r}, row {row + 1}: the model does not take {shown} ({said})"


def _culprit(step: Callable[[Any], Any], model: Loaded, table: Table, row: Table) -> str | None:
    if _takes(step, row):  # it fails among others only: no single value is to blame
        return None
    donor = _donor(step, table)
    if donor is not None:
        for name in table.names:
            if _takes(step, row.replaced(**{name: donor.columns[name]})):
                return name
    for name, known in model.categories.items():
        value = row.columns[name][0] if name in row.columns else None
        if value is not None and value not in known:
            return name
    return None


def _donor(step: Callable[[Any], Any], table: Table) -> Table | None:
    """The first single row that the model takes, among the first 100."""
    for row in range(min(table.rows, 100)):
        if _takes(step, single := table.take(slice(row, row + 1))):
            return single
    return None
