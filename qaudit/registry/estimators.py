"""Writes fitted estimators and rows from Python to files, such that the same object gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import skops.io

from qaudit.core.records import Tier
from qaudit.errors import Refused

# Types that the checked format builds in addition to the defaults of skops. Other estimators are written by joblib, and are
# loaded only where their digest is trusted.
REVIEWED = frozenset(
    {
        "numpy.dtype",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
    }
)
UNREADABLE = frozenset({"MethodNode", "OperatorFuncNode", "PartialNode", "ConstructorFromReduceNode"})
DATE = (1980, 1, 1, 0, 0, 0)


def save_estimator(estimator: Any) -> tuple[bytes, Tier, str]:
    """The bytes of the estimator's file, its tier ("checked": skops; "code": joblib) and its digest ("sha256:...").

    It is skops in canonical form where all types in it are reviewed; otherwise joblib, which the caller may trust by the digest.
    Raises Refused for an object that is not an estimator or cannot be written.
    """
    if isinstance(estimator, type) or not hasattr(estimator, "predict") or not hasattr(estimator, "fit"):
        raise Refused(f"estimator: a fitted scikit-learn estimator is wanted, this is {type(estimator).__name__}")
    written = _skops(estimator)
    tier: Tier = "checked" if written is not None else "code"
    data = written if written is not None else _joblib(estimator)
    return data, tier, f"sha256:{hashlib.sha256(data).hexdigest()}"


def _skops(estimator: Any) -> bytes | None:
    try:
        data = skops.io.dumps(estimator)
        unknown = set(skops.io.get_untrusted_types(data=data)) - REVIEWED
    except Exception:  # skops raises many kinds of exceptions on objects that it cannot write, but joblib can
        return None
    return None if unknown else canonical(data)


def _joblib(estimator: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        joblib.dump(estimator, buffer)
    except Exception as error:  # pickling runs the estimator's own code
        raise Refused(f"estimator: {type(estimator).__name__} cannot be written ({type(error).__name__}: {error})") from error
    return buffer.getvalue()


def canonical(data: bytes) -> bytes | None:
    """A skops file in canonical form: object ids numbered by first appearance, members in that order, one date, no compression.

    skops derives ids from memory addresses and dates from the clock, so the same estimator would give other bytes each time. Ids
    of plain values, which only avoid a second copy of a text or a number, are dropped. None where the file has a kind of node
    that the checked format does not read.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))
        renaming = _Renumbering()
        if not renaming.visit(schema):
            return None
        members = [(new, _without_padding(archive.read(old))) for old, new in renaming.files.items()]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in [*members, ("schema.json", json.dumps(schema, separators=(",", ":")).encode())]:
            info = zipfile.ZipInfo(name, DATE)
            info.create_system, info.external_attr = 3, 0o600 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def _without_padding(data: bytes) -> bytes:
    """A .npy member with zeros between the fields of a structured array, where the nodes of a tree have arbitrary bytes."""
    if not data.startswith(b"\x93NUMPY"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


class _Renumbering:
    """Renumbers object ids and array files of a skops schema by first appearance, in place."""

    def __init__(self) -> None:
        self.ids: dict[Any, int] = {}
        self.files: dict[str, str] = {}

    def visit(self, node: Any) -> bool:
        if isinstance(node, list):
            return all(self.visit(item) for item in node)
        if not isinstance(node, dict):
            return True
        kind = node.get("__loader__")
        if kind in UNREADABLE:
            return False
        if "__id__" in node:
            if kind in ("JsonNode", "TypeNode"):
                del node["__id__"]
            else:
                node["__id__"] = self.ids.setdefault(node["__id__"], len(self.ids) + 1)
        if isinstance(node.get("file"), str) and kind is not None:
            old = node["file"]
            suffix = old.rpartition(".")[2]
            node["file"] = self.files.setdefault(old, f"{len(self.files) + 1}.{suffix}")
        if kind == "SetNode" and isinstance(node.get("content"), list):
            node["content"].sort(key=lambda item: json.dumps(item.get("content"), sort_keys=True))
        return all(self.visit(item) for item in node.values())


def save_rows(X: Any, y: Any, target: str) -> bytes:
    """Rows and target as a Parquet file, with the same bytes for the same values.

    X is a DataFrame, or an array (n, d) whose columns are named x0, x1, ...; y is (n,) or (n, 1). Raises Refused where their
    lengths differ, a column name is not text, or the target's name is also a column of X.
    """
    frame = X if isinstance(X, pd.DataFrame) else _as_frame(X)
    if not all(isinstance(name, str) for name in frame.columns):
        raise Refused("X: column names must be text; use X.columns = X.columns.astype(str)")
    if not frame.columns.is_unique:
        raise Refused(f"X: two columns are named {frame.columns[frame.columns.duplicated()][0]!r}; names must be unique")
    if target in frame.columns:
        raise Refused(f"X: has a column {target!r}, the name of the target; pass target='another name'")
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or len(values) != len(frame):
        raise Refused(f"y: shape {values.shape}, but X has {len(frame)} rows; one value a row is wanted")
    columns = {name: _arrow(frame[name], name) for name in frame.columns} | {target: _arrow(pd.Series(values), target)}
    buffer = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


def _as_frame(X: Any) -> pd.DataFrame:
    values = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    if values.ndim != 2:
        raise Refused(f"X: shape {values.shape}; a table of rows and columns is wanted")
    return pd.DataFrame({f"x{number}": values[:, number] for number in range(values.shape[1])})


def _arrow(values: Any, name: str) -> pa.Array:
    series = values.astype(object) if isinstance(values.dtype, pd.CategoricalDtype) else values
    missing = series.isna().to_numpy()
    items = [
        None if is_missing else value.item() if isinstance(value, np.generic) else value
        for value, is_missing in zip(series, missing, strict=True)
    ]
    try:
        array = pa.array(items)
    except OverflowError as error:
        raise Refused(f"column {name!r}: holds an integer beyond 64 bits; numbers or text are wanted") from error
    except UnicodeEncodeError as error:
        raise Refused(f"column {name!r}: holds text that is not Unicode ({error.reason})") from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        kinds = sorted({type(item).__name__ for item in items if item is not None})
        raise Refused(f"column {name!r}: mixes {', '.join(kinds)}; one kind a column is wanted") from error
    if pa.types.is_duration(array.type):  # Parquet has no durations: they would be read as numbers of an unknown unit
        raise Refused(f"column {name!r}: holds durations; numbers are wanted, such as .dt.total_seconds()")
    return array
