"""The result cache: answers of units by key, and the journal of the runs that made them.

<folder>/results/<key>               an answer: a line of JSON, the bytes of its arrays one behind the other, the sha256 of both
<folder>/journals/<command>.jsonl    what the last run of the same command finished, a line a unit

An entry is written under a temporary name and then takes its own; nothing waits for the disk. A power cut may therefore lose or
tear entries, and a unit whose entry is lost is run again. Whatever is torn, altered, swapped or a link does not match its digest,
its key or its kind, and counts as absent. Arrays are plain numbers; nothing is unpickled. Only successes are kept. An entry says
what a unit answered, never whether a file may be trusted.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qaudit.errors import Refused
from qaudit.sandbox.ipc import KINDS, BrokenAnswer, open_regular
from qaudit.sandbox.job import Outcome

CAP = 4 * 2**30
"""Bytes the cache may hold; beyond it the entries that were used longest ago are removed first."""
LARGEST = 2**30
"""Bytes of arrays of one result; a larger one is made anew each time, since it would be in memory twice."""
_DIGEST_BYTES = 32
_JOURNAL_DAYS = 30


def home() -> Path:
    """$QAUDIT_HOME/store, else qaudit in the XDG cache folder. Raises Refused where there is no home folder."""
    if folder := os.environ.get("QAUDIT_HOME"):
        return Path(folder) / "store"
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(cache) if cache else Path.home() / ".cache") / "qaudit"
    except RuntimeError as error:
        raise Refused("no home folder; set QAUDIT_HOME") from error


class ResultCache:
    """Outcomes by key in a private folder. A result that cannot be read is absent; `damaged` counts those."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, or make it (mode 0700). Raises Refused where it cannot be used or others may write to it."""
        self.folder = folder / "results"
        self.damaged = 0
        self.used: set[str] = set()
        try:
            _make_private(self.folder)
            status = os.stat(folder)
        except OSError as error:
            raise Refused(f"{folder}: {error.strerror}") from error
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Refused(f"{folder}: others may write to it")

    def get(self, key: str) -> Outcome | None:
        """The outcome kept under `key`, if every byte of it matches its digest; else None."""
        path = self.folder / key
        if not os.path.lexists(path):
            return None
        try:
            outcome = _read(path, key)
            os.utime(path)
        except (BrokenAnswer, OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError, MemoryError):
            self.damaged += 1
            _remove(path)
            return None
        self.used.add(key)
        return outcome

    def put(self, key: str, outcome: Outcome) -> bool:
        """Keep a success. False where it is not kept, since it is too large or no plain JSON and numbers. Raises Refused."""
        arrays = outcome.arrays.values()
        if sum(array.nbytes for array in arrays) > LARGEST or any(array.dtype.kind not in KINDS for array in arrays):
            return False
        places = [(name, array.dtype.str, array.shape, _order(array)) for name, array in outcome.arrays.items()]
        try:
            entry = {"key": key, "answer": outcome.answer, "arrays": places}
            header = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        except ValueError:
            return False
        self._write(key, header, outcome)
        self.used.add(key)
        return True

    def _write(self, key: str, header: bytes, outcome: Outcome) -> None:
        """Write the entry under a temporary name, then give it its own. Raises Refused."""
        partial = None
        try:
            handle, partial = tempfile.mkstemp(dir=self.folder)
            with os.fdopen(handle, "wb") as file:
                digest = hashlib.sha256()
                for data in chain([header], (array.tobytes(_order(array)) for array in outcome.arrays.values())):
                    digest.update(data)
                    file.write(data)
                file.write(digest.digest())
            os.replace(partial, self.folder / key)
        except OSError as error:
            raise Refused(f"{self.folder / key}: cannot be written: {error.strerror}") from error
        finally:
            if partial is not None:
                with contextlib.suppress(OSError):
                    os.unlink(partial)

    def sizes(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, path) of every entry, least recently used first.

        A temporary file of a killed writer and the folder of an entry of release 0.1 are listed too, so that both are removed in
        their turn.
        """
        entries = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                size = sum(each.lstat().st_size for each in ([path] if path.is_file() else path.iterdir()))
                entries.append((path.lstat().st_mtime, size, path))
        return sorted(entries)

    def trim(self, cap: int = CAP) -> None:
        """Remove entries that were used longest ago until at most `cap` bytes are left; this run's own stay."""
        entries = self.sizes()
        left = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if left <= cap:
                return
            if path.name not in self.used:
                _remove(path)
                left -= size


def _make_private(folder: Path) -> None:
    """Make a folder and what is missing above it, each readable by the user alone. Raises OSError."""
    for each in reversed([folder, *folder.parents]):
        if not each.exists():
            each.mkdir(0o700, exist_ok=True)


def _order(array: NDArray[Any]) -> Literal["F", "C"]:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def _read(path: Path, key: str) -> Outcome:
    """The entry at `path`. Raises BrokenAnswer, and what parsing raises, where it is not an entry of that key."""
    with open_regular(path) as file:
        data = file.read()
    body = memoryview(data)[:-_DIGEST_BYTES]
    if hashlib.sha256(body).digest() != data[-_DIGEST_BYTES:]:
        raise BrokenAnswer("an entry is damaged")
    start = data.index(b"\n") + 1
    entry = json.loads(data[:start])
    if entry["key"] != key:
        raise BrokenAnswer("an entry of another key")
    arrays = {}
    for name, dtype, shape, order in entry["arrays"]:
        arrays[name] = _array(body[start:], np.dtype(dtype), shape, order)
        start += arrays[name].nbytes
    return Outcome(entry["answer"], arrays)


def _array(data: memoryview, dtype: np.dtype[Any], shape: list[int], order: Literal["F", "C"]) -> NDArray[Any]:
    """The array at the beginning of `data`. A copy: its memory is aligned as that of any other array. Raises BrokenAnswer."""
    if dtype.kind not in KINDS:
        raise BrokenAnswer(f"array of dtype {dtype}, expected numbers or booleans")
    array = np.frombuffer(data, dtype, math.prod(shape)).reshape(shape, order=order).copy(order="K")
    array.setflags(write=False)
    return array


def _remove(path: Path) -> None:
    """Remove an entry, be it a file, a link or a folder."""
    with contextlib.suppress(OSError):
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


class Journal:
    """What the runs of one command finished: a line a unit, written at once. A torn last line is passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def broken_off(self) -> tuple[str, int] | None:
        """(began, finished units) of the last run if it did not come to its end; None where it did, or there is none."""
        began, units = None, 0
        for record in self._records():
            began = record.get("began", began)
            units = 0 if "began" in record else units + ("unit" in record)
            began = None if "ended" in record else began
        return (str(began), units) if began is not None else None

    def _records(self) -> Iterator[dict[str, Any]]:
        """The lines that are JSON objects."""
        try:
            with open_regular(self.path) as file:
                lines = file.read().decode("utf-8", "replace").splitlines()
        except BrokenAnswer:
            return
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError):
                record = json.loads(line)
                if isinstance(record, dict):
                    yield record

    def begin(self) -> None:
        """Begin anew; what an earlier run finished has been read by now. Journals of long ago are removed. Raises OSError."""
        _make_private(self.path.parent)
        self.path.unlink(missing_ok=True)
        now = datetime.datetime.now(datetime.UTC)
        for old in self.path.parent.glob("*.jsonl"):
            if old.lstat().st_mtime < now.timestamp() - _JOURNAL_DAYS * 86400:
                old.unlink(missing_ok=True)
        self.note(began=f"{now:%Y-%m-%d %H:%M:%S} UTC", process=os.getpid())

    def note(self, **record: Any) -> None:
        """Append a line, on a line of its own also where the last one is torn. Raises OSError."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            size = os.fstat(handle).st_size
            start = "\n" if size and os.pread(handle, 1, size - 1) != b"\n" else ""
            os.write(handle, f"{start}{json.dumps(record)}\n".encode())
        finally:
            os.close(handle)
