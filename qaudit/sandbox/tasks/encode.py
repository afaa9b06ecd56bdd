"""Encodes the rows of each role with the model's own encoder and predicts them with the model itself."""

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
    """request: model, tables {role: packed}; the arrays of each table under its role.

    The answer has the arrays native.<role> (n, k), encoded.<role> (n, width) where the model has a program, and leaves.holdout,
    raw.holdout and decided.holdout (n,) where the model provides them. `ties` says which of several largest classes it decides.
    Raises Refused with role, row, column and value that the model rejects.
    """
    model = open_model(job)
    arrays: dict[str, NDArray[Any]] = {}
    for role, packed in job.request["tables"].items():
        table = unpack_table(packed, job.arrays, role)
        arrays |= _arrays_of_role(job, model, role, table)
    return {"roles": sorted(job.request["tables"]), "ties": model.ties}, arrays


def _arrays_of_role(job: Job, model: Loaded, role: str, table: Table) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    if model.encode is not None:
        job.phase("encode")
        arrays[f"encoded.{role}"] = _applied(model.encode, model, role, table)
    job.phase("predict")
    # Predict before asking for leaves and raw outputs: only `_applied` names the bad value where the model rejects a row.
    arrays[f"native.{role}"] = _applied(model.predict, model, role, table)
    if role == "holdout" and model.decide is not None:
        arrays[f"decided.{role}"] = np.asarray(model.decide(frame(table)), dtype=np.int64)
    if role == "holdout" and model.encode is not None:
        for name, ask in (("leaves", model.leaves), ("raw", model.raw)):
            if ask is not None:
                arrays[f"{name}.{role}"] = ask(arrays[f"encoded.{role}"])
    return arrays


def _applied(step: Callable[[Any], Any], model: Loaded, role: str, table: Table) -> NDArray[np.float64]:
    """step(rows) as float64. Where it raises, Refused names the first row and the column that the model rejects."""
    try:
        return np.asarray(step(frame(table)), dtype=np.float64)
    except (ValueError, TypeError, KeyError) as error:
        message = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise Refused(_refusal(step, model, role, table, message)) from error


def _accepts(step: Callable[[Any], Any], table: Table) -> bool:
    try:
        step(frame(table))
    except (ValueError, TypeError, KeyError):
        return False
    return True


def _refusal(step: Callable[[Any], Any], model: Loaded, role: str, table: Table, message: str) -> str:
    """One line that names the first rejected row, located by bisection, and the column whose value is the cause."""
    good, bad = 0, table.rows
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if _accepts(step, table.take(slice(0, middle))) else (good, middle)
    row, first = bad - 1, table.take(slice(bad - 1, bad))
    name = _refused_column(step, model, table, first)
    if name is None:
        return f"{role}: row {row + 1}: the model does not take this row ({message})"
    value = first.columns[name][0]
    shown = "a missing value" if value is None or value != value else repr(value)
    return f"{role}: column {name!r}, row {row + 1}: the model does not take {shown} ({message})"


def _refused_column(step: Callable[[Any], Any], model: Loaded, table: Table, row: Table) -> str | None:
    """The column whose value makes the model reject a row; None where no single column does.

    It is the column with which the row is accepted once its value is replaced by that of an accepted row; where there is no such
    row, the first column with a category that the encoder does not know.
    """
    if _accepts(step, row):  # the row fails only together with others, so no single value is the cause
        return None
    accepted = _accepted_row(step, table)
    if accepted is not None:
        for name in table.names:
            if _accepts(step, row.replaced(**{name: accepted.columns[name]})):
                return name
    for name, categories in model.categories.items():
        value = row.columns[name][0] if name in row.columns else None
        if value is not None and value not in categories:
            return name
    return None


def _accepted_row(step: Callable[[Any], Any], table: Table) -> Table | None:
    """The first row among the first 100 that the model accepts on its own; None where there is none."""
    for row in range(min(table.rows, 100)):
        if _accepts(step, single := table.take(slice(row, row + 1))):
            return single
    return None
