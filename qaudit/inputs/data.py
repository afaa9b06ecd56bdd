"""Reads columns of CSV and Parquet files by name and by declared type.

Types are never inferred from the values, since one odd value would change the type of a column; what does not fit is refused.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import math
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from qaudit.core.table import Kind, Table
from qaudit.errors import Refused, did_you_mean

LARGEST = 4 * 2**30
"""The largest file in bytes that is read."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A data file that was read once.

    `columns` has every column as an Arrow array: text for CSV, the types of the file for Parquet. `digest` is the sha256 of the
    bytes that were read; `missing` are the texts that the author declared to mean a missing value.
    """

    file: str
    digest: str
    data: bytes
    form: Literal["csv", "parquet"]
    columns: pa.Table
    missing: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in file order."""
        return tuple(self.columns.column_names)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.columns.num_rows)

    def texts(self, name: str) -> NDArray[Any]:
        """The column (n,) as str, None where missing. Numbers and booleans are written as Python writes them."""
        column = self._column(name)
        if pa.types.is_nested(column.type) or _is_bytes(column.type):
            raise Refused(f"{self.file}: column {name!r} holds {column.type}; one text or number a row is wanted")
        try:
            values = column.to_pylist()
        except UnicodeDecodeError as error:
            raise Refused(f"{self.file}: column {name!r} holds a text that is not UTF-8") from error
        texts = np.empty(len(values), dtype=object)
        missing = {"", *self.missing}
        for row, value in enumerate(values):
            text = None if value is None or value != value else value if isinstance(value, str) else str(value)
            texts[row] = None if text in missing else text
        return texts

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The column (n,) as float64, NaN where missing.

        Raises Refused for text, infinities, dates, and integers beyond 2^53, which float64 cannot represent exactly.
        """
        column = self._column(name)
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return self._parsed(name, column)
        if pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
            scalar = not (pa.types.is_nested(kind) or _is_bytes(kind))
            remedy = 'declare it in [data.types] as "text", or give numbers' if scalar else "one number a row is wanted"
            raise Refused(f"{self.file}: column {name!r} holds {kind}; {remedy}")
        try:
            values = column.cast(pa.float64())
        except pa.ArrowInvalid as error:
            raise Refused(
                f'{self.file}: column {name!r}: an integer beyond 2^53 does not fit a number; declare it "text"'
            ) from error
        numbers = np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)
        return self._finite(name, numbers)

    def column(self, name: str, kind: Kind) -> NDArray[Any]:
        """The column (n,) as numbers or as texts."""
        return self.numbers(name) if kind == "number" else self.texts(name)

    def where(self, row: int) -> str:
        """A data row (0-based) in words: its number from 1, and its line in a CSV file."""
        if self.form != "csv":
            return f"row {row + 1}"
        reader = csv.reader(io.StringIO(self.data.decode("utf-8-sig"), newline=""))
        rows_read = -2
        with contextlib.suppress(csv.Error):  # a cell may be too long for this reader, though not for Arrow
            for cells in reader:
                rows_read += bool(cells)
                if rows_read == row:
                    return f"row {row + 1} (line {reader.line_num})"
        return f"row {row + 1}"

    def _column(self, name: str) -> Any:
        need((name,), self.names, self.file)
        column = self.columns.column(name).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column

    def _parsed(self, name: str, column: Any) -> NDArray[np.float64]:
        text = pc.utf8_trim_whitespace(column)
        empty = pc.is_in(text, value_set=pa.array(["", *self.missing], type=text.type))
        text = pc.if_else(empty, None, text)
        try:
            values = text.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            values = self._one_by_one(name, text.to_pylist())
        numbers = np.array(values, dtype=np.float64)
        not_numbers = np.flatnonzero(np.isnan(numbers) & np.asarray(pc.is_valid(text).to_numpy(zero_copy_only=False), dtype=bool))
        if not_numbers.size:
            raise self._no_number(name, int(not_numbers[0]), text[int(not_numbers[0])].as_py())
        for row in np.flatnonzero(np.abs(numbers) >= 2**53):
            self._check_exact(name, int(row), text[int(row)].as_py(), float(numbers[row]))
        return self._finite(name, numbers)

    def _check_exact(self, name: str, row: int, value: str, number: float) -> None:
        """Raise Refused for an integer that float64 cannot represent exactly."""
        if math.isfinite(number) and value.lstrip("+-").isdecimal() and int(value) != int(number):
            raise Refused(
                f"{self.file}: column {name!r}, {self.where(row)}: {value[:80]} is an integer beyond 2^53 "
                'that does not fit a number; declare it "text"'
            )

    def _one_by_one(self, name: str, values: list[str | None]) -> list[float]:
        numbers = []
        for row, value in enumerate(values):
            try:
                if value is not None and "_" in value:
                    raise ValueError
                numbers.append(math.nan if value is None else float(value))
            except ValueError:
                raise self._no_number(name, row, value) from None
        return numbers

    def _no_number(self, name: str, row: int, value: str | None) -> Refused:
        return Refused(f"{self.file}: column {name!r}, {self.where(row)}: {str(value)[:80]!r} is not a number{_hint(str(value))}")

    def _finite(self, name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        if (infinite := np.flatnonzero(np.isinf(numbers))).size:
            raise Refused(
                f"{self.file}: column {name!r}, {self.where(int(infinite[0]))}: {numbers[infinite[0]]} is not a finite number"
            )
        return numbers


def _hint(value: str) -> str:
    """A remedy for a text in a number column, according to its likely meaning; empty where none is known."""
    if value.lower() in ("na", "n/a", "nan", "null", "none", "?"):
        return "; if it means missing, declare [data] missing"
    if value.lower() in ("true", "false"):
        return "; write 1 and 0"
    if value.replace(",", "", 1).lstrip("+-").isdecimal():
        return "; a decimal point is wanted, not a comma"
    return ""


def _is_bytes(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _value_type(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, which is opened and read once.

    Raises Refused for a missing or empty file, a folder, a pipe, a device, or a file that grows while it is read.
    """
    link = "a symlink to " if path.is_symlink() else ""
    try:
        with open(path, "rb", opener=_open_without_blocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused(f"{path}: is {link}something that is not a regular file; a file is wanted")
            if status.st_size > LARGEST:
                raise Refused(f"{path}: has {status.st_size} bytes; at most {LARGEST} are read")
            data = file.read(status.st_size + 1)
    except IsADirectoryError as error:
        raise Refused(f"{path}: is {link}a folder; a file is wanted") from error
    except FileNotFoundError as error:
        raise Refused(f"{path}: {'is a symlink to nothing' if link else 'no such file'}") from error
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(data) != status.st_size:
        raise Refused(f"{path}: changed while it was read")
    if not data:
        raise Refused(f"{path}: is empty")
    return data


def _open_without_blocking(path: str, flags: int) -> int:
    """Open without blocking: opening a pipe would wait until another process opens its other end."""
    return os.open(path, flags | os.O_NONBLOCK)


def need(names: Iterable[str], known: Sequence[str], file: str) -> None:
    """Raise Refused for a column that does not exist, with the most similar name."""
    for name in names:
        if name not in known:
            raise Refused(f"{file}: no column {name!r}; {did_you_mean(name, known)}")


def open_source(path: Path, missing: Sequence[str] = (), shown: str | None = None) -> Source:
    """Read a CSV or Parquet file, recognised by its content and not by its extension. Raises Refused.

    `shown` is the name of the file in messages.
    """
    data = read_bytes(path)
    file = shown or path.name
    form: Literal["csv", "parquet"] = "parquet" if data[:4] == b"PAR1" else "csv"
    columns = _parquet(data, file) if form == "parquet" else _csv(data, file)
    if columns.num_rows == 0:
        raise Refused(f"{file}: has a header and no rows")
    return Source(file, f"sha256:{hashlib.sha256(data).hexdigest()}", data, form, columns, tuple(missing))


def _parquet(data: bytes, file: str) -> pa.Table:
    try:
        _unique(pa.parquet.read_schema(pa.BufferReader(data)).names, file)
        return pa.parquet.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Refused(f"{file}: not a readable Parquet file ({str(error).splitlines()[0][:200]})") from error


def _unique(names: Sequence[str], file: str) -> None:
    used: set[str] = set()
    for name in names:
        if name in used:
            raise Refused(f"{file}: two columns are named {name!r}; names must be unique")
        used.add(name)


def _csv(data: bytes, file: str) -> pa.Table:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{file}: not UTF-8 at byte {error.start} (0x{data[error.start]:02x})") from error
    if "\x00" in text:
        raise Refused(f"{file}: byte {data.index(0)} is NUL; neither CSV nor Parquet")
    try:
        header = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error as error:
        raise Refused(f"{file}: the first line is not readable as CSV ({error})") from error
    if not any(name.strip() for name in header):
        raise Refused(f"{file}: the first line holds no column names")
    _unique(header, file)
    if len(header) == 1 and (other := next((separator for separator in ";\t|" if separator in header[0]), None)):
        raise Refused(f"{file}: one column, named {header[0][:80]!r}; values separated by commas are wanted, not by {other!r}")
    try:
        return pa.csv.read_csv(
            pa.BufferReader(text.encode()),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=max(1 << 20, len(data))),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types={name: pa.string() for name in header}, strings_can_be_null=False, null_values=[]
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        raise _csv_refusal(text, len(header), file, error) from error


def _csv_refusal(text: str, width: int, file: str, error: Exception) -> Refused:
    reader = csv.reader(io.StringIO(text, newline=""))
    with contextlib.suppress(csv.Error):
        for cells in reader:
            if not cells or len(cells) == width:
                continue
            return Refused(f"{file}: line {reader.line_num} has {len(cells)} values, the header {width}")
    return Refused(f"{file}: not readable as CSV ({str(error).splitlines()[0][:200]})")


def read_columns(source: Source, wanted: Sequence[str], kinds: Mapping[str, Kind | None], declared: Mapping[str, Kind]) -> Table:
    """The wanted columns in that order. The kind of a column is the declared one, else the model's, else number."""
    need(wanted, source.names, source.file)
    return Table({name: source.column(name, declared.get(name) or kinds.get(name) or "number") for name in wanted})


def mean_of(values: NDArray[np.float64]) -> float:
    """The mean, also of values so large that their sum overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean())
    return mean if np.isfinite(mean) else float((values / len(values)).sum())


def summary(name: str, values: NDArray[Any], role: str) -> dict[str, Any]:
    """One entry of report.data.columns: kind, role, missing, distinct, and range and mean or the ten most frequent values."""
    entry: dict[str, Any] = {"name": name, "role": role, "low": None, "mean": None, "high": None, "top": []}
    if values.dtype.kind == "f":
        present = values[~np.isnan(values)]
        entry |= {"kind": "number", "missing": int(len(values) - len(present)), "distinct": len(np.unique(present))}
        if present.size:
            entry |= {"low": float(present.min()), "mean": mean_of(present), "high": float(present.max())}
        return entry
    counts: dict[str, int] = {}
    for value in values:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]
    missing = len(values) - sum(counts.values())
    return entry | {"kind": "text", "missing": missing, "distinct": len(counts), "top": [list(item) for item in top]}


def row_digests(table: Table, target: NDArray[Any]) -> list[bytes]:
    """A 16-byte digest of the values and the target of each row, to count the rows that two roles have in common."""
    columns = [*table.columns.values(), target]
    return [
        hashlib.blake2b(repr([_plain(c[row]) for c in columns]).encode(), digest_size=16).digest() for row in range(len(target))
    ]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
