"""Packs a table as JSON and numeric arrays: numbers as float64, text as int32 codes with a dictionary of the distinct texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.core.table import Table
from qaudit.sandbox.job import Arrays


def text_codes(values: NDArray[Any]) -> tuple[NDArray[np.int32], list[str]]:
    """Codes (n,) int32 into the sorted distinct texts; -1 where the value is missing."""
    distinct = sorted({value for value in values if value is not None})
    code_of = {value: code for code, value in enumerate(distinct)}
    return np.asarray([-1 if value is None else code_of[value] for value in values], dtype=np.int32), distinct


def pack_table(table: Table, prefix: str) -> tuple[Json, dict[str, NDArray[Any]]]:
    """The JSON of the table (names, kinds, dictionaries) and one array (n,) per column, named `prefix.<column number>`."""
    columns: list[Json] = []
    arrays: dict[str, NDArray[Any]] = {}
    for number, (name, values) in enumerate(table.columns.items()):
        if values.dtype == np.float64:
            columns.append({"name": name, "kind": "number"})
            arrays[f"{prefix}.{number}"] = values
            continue
        codes, distinct = text_codes(values)
        columns.append({"name": name, "kind": "text", "values": distinct})
        arrays[f"{prefix}.{number}"] = codes
    return {"columns": columns}, arrays


def unpack_table(packed: Json, arrays: Arrays, prefix: str) -> Table:
    """The inverse of `pack_table`. Raises ValueError where a code has no entry in its dictionary."""
    columns: dict[str, NDArray[Any]] = {}
    for number, column in enumerate(packed["columns"]):
        values = arrays[f"{prefix}.{number}"]
        if column["kind"] == "number":
            columns[column["name"]] = np.asarray(values, dtype=np.float64)
            continue
        if values.size and (values.min() < -1 or values.max() >= len(column["values"])):
            raise ValueError(f"column {column['name']}: a code outside its dictionary of {len(column['values'])}")
        lookup = np.empty(len(column["values"]) + 1, dtype=object)
        lookup[:-1] = column["values"]
        columns[column["name"]] = lookup[values]
    return Table(columns)
