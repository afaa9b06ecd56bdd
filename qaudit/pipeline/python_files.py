"""A fitted estimator and its rows as files, for the stages that read files."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qaudit.errors import Refused
from qaudit.inputs.python_types import Estimator, Rows, Values
from qaudit.registry.estimators import save_estimator, save_rows


@contextlib.contextmanager
def as_files(estimator: Estimator, X: Rows, y: Values, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Write the estimator and its rows to files, and yield the options that name them.

    A joblib file that is written here is trusted, since its content comes from this process.
    """
    with tempfile.TemporaryDirectory(prefix="qaudit-") as scratch:
        folder = Path(scratch)
        data, tier, digest = save_estimator(estimator)
        files = {"model": folder / ("model.skops" if tier == "checked" else "model.joblib")}
        files["model"].write_bytes(data)
        target = _target(X, y, options.get("target"))
        extra = options.get("groups")
        if isinstance(extra, pd.Series):
            extra = {str(extra.name or "group"): extra}
        holdout = _with_groups(X, extra) if isinstance(extra, Mapping | pd.DataFrame) else X
        files["holdout"] = _rows(folder / "holdout.parquet", save_rows(holdout, y, target))
        X_train, y_train = _training(options)
        if (X_train is None) != (y_train is None):
            raise Refused("X_train and y_train: give both")
        if X_train is not None:
            files["train"] = _rows(folder / "train.parquet", save_rows(X_train, y_train, target))
            if files["train"].read_bytes() == files["holdout"].read_bytes():
                raise Refused("the training rows are the holdout rows X, y; a holdout has rows that the model has never seen")
        if options.get("calibration") is not None:
            rows = _frame(options["calibration"])
            files["calibration"] = _rows(
                folder / "calibration.parquet", save_rows(rows.iloc[:, 1:], rows.iloc[:, 0], rows.columns[0])
            )
        trust = [*([digest] if tier == "code" else []), *listed(options.get("trust"))]
        yield {role: str(path) for role, path in files.items()} | {"target": target, "groups": columns(extra), "trust": trust}


def _training(options: Mapping[str, Any]) -> tuple[Any, Any]:
    pair = options.get("train")
    if pair is None:
        return options.get("X_train"), options.get("y_train")
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise Refused(f"train: {type(pair).__name__} found, the pair (X, y) is wanted")
    return pair[0], pair[1]


def _rows(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _frame(rows: Rows) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        return rows.reset_index(drop=True)
    values: Any = rows  # the stubs of pandas know fewer kinds of rows than pandas does
    frame = pd.DataFrame(values)
    return frame.set_axis([f"x{number}" for number in range(frame.shape[1])], axis="columns")


def _with_groups(X: Rows, extra: Any) -> pd.DataFrame:
    frame = _frame(X)
    for name in extra:
        if name in frame.columns:
            raise Refused(f"groups: {name!r} is also a column of X; give its name alone, or the values another name")
        if len(extra[name]) != len(frame):
            raise Refused(
                f"groups: {name!r} has {len(extra[name])} values, but X has {len(frame)} rows; one value a row is wanted"
            )
    return frame.assign(**{str(name): pd.Series(list(extra[name]), index=frame.index) for name in extra})


def columns(groups: Any) -> list[str]:
    """The names of columns; for a mapping or a frame, the names of its own columns."""
    return [str(name) for name in listed(groups)]


def _target(X: Rows, y: Any, wanted: str | None) -> str:
    name = wanted or getattr(y, "name", None)
    taken = set(X.columns) if isinstance(X, pd.DataFrame) else set()
    return name if isinstance(name, str) and (wanted is not None or name not in taken) else "target"


def listed(value: Any) -> list[Any]:
    """Several values, one value, or a text with commas as on the command line, as a list; None as an empty one."""
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [plain(each) for each in value] if isinstance(value, Iterable) else [plain(value)]


def plain(value: Any) -> Any:
    """A scalar of numpy as that of Python."""
    return value.item() if isinstance(value, np.generic) else value
