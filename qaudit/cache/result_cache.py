"""The result store: answers of units by key, and the journal of the runs that made them.

<folder>/results/<key>/<sha256>.json   the answer, named by its own digest; it holds the key, and where each array lies
<folder>/results/<key>/<sha256>.npy    the arrays of one dtype, one behind the other; they last before the JSON file is written
<folder>/journals/<command>.jsonl      what the last run of the same command finished, a line a unit

What is read is held to its digest and parsed as JSON and plain numbers; nothing is unpickled. An entry that is damaged, swapped
or a link counts as absent. Only successes are kept. An entry says what a unit answered, never whether a file may be trusted.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import io
import json
import math
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qaudit.cache import atomic_io
from qaudit.errors import Refused
from qaudit.sandbox.ipc import BrokenAnswer, array_in, open_regular
from qaudit.sandbox.job import Arrays, Outcome

CAP = 4 * 2**30
"""Bytes the store may hold; beyond it the entries that were used longest ago go first."""
LARGEST = 2**30
"""Bytes of arrays of one result; a larger one is made anew each time, since it would be in memory twice."""
_JSON_BYTES = 256 * 2**20
_JOURNAL_DAYS = 30


def home() -> Path:
    """$QAUDIT_HOME/store, else qaudit in the XDG cache folder. Raises Refused where there is no home folder."""
    if given := os.environ.get("QAUDIT_HOME"):
        return Path(given) / "store"
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
            atomic_io.make_folder(self.folder, 0o700)
            found = os.stat(folder)
        except OSError as error:
            raise Refused(f"{folder}: {error.strerror}") from error
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Refused(f"{folder}: others may write to it")

    def get(self, key: str) -> Outcome | None:
        """The outcome kept under `key`, every byte of it held to its digest; None where there is none."""
        folder = self.folder / key
        if not os.path.lexists(folder):
            return None
        try:
            outcome = _read(folder, key)
            os.utime(folder)
        except (BrokenAnswer, OSError, ValueError, TypeError, KeyError, RecursionError, MemoryError):
            self.damaged += 1
            _discard(folder)
            return None
        if outcome is not None:
            self.used.add(key)
        return outcome

    def put(self, key: str, outcome: Outcome) -> bool:
        """Keep a success; whether it lasts now: what is too large or no plain JSON is made anew each time. Raises Refused."""
        if sum(array.nbytes for array in outcome.arrays.values()) > LARGEST:
            return False
        try:
            files, places = _packed(outcome.arrays)
            entry = {"key": key, "answer": outcome.answer, "arrays": places}
            text = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode()
        except ValueError:
            return False
        self._write(self.folder / key, files, f"{hashlib.sha256(text).hexdigest()}.json", text)
        self.used.add(key)
        return True

    def _write(self, folder: Path, arrays: Mapping[str, bytes], told: str, text: bytes) -> None:
        """The arrays, and when they last the JSON that names them. Raises Refused."""
        try:
            atomic_io.make_folder(folder, 0o700)
        except OSError as error:
            raise Refused(f"{folder}: cannot be written: {error.strerror}") from error
        if arrays:
            atomic_io.write_files(folder, arrays, 0o600)
        atomic_io.write_bytes(folder / told, text, 0o600)
        for old in folder.glob("*.json"):
            if old.name != told:
                atomic_io.remove(old)

    def sizes(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, folder) of every entry, oldest first."""
        found = []
        for folder in self.folder.iterdir():
            with contextlib.suppress(OSError):
                size = sum(file.lstat().st_size for file in folder.iterdir())
                found.append((folder.lstat().st_mtime, size, folder))
        return sorted(found)

    def trim(self, cap: int = CAP) -> None:
        """Remove entries that were used longest ago until at most `cap` bytes are left; this run's own stay."""
        entries = self.sizes()
        left = sum(size for _, size, _ in entries)
        for _, size, folder in entries:
            if left <= cap:
                return
            if folder.name not in self.used:
                _discard(folder)
                left -= size


Place = tuple[str, str, int, Sequence[int], str]
"""Of an array: its name, the sha256 of its file, the first of its numbers there, its shape and memory order."""


def _packed(arrays: Arrays) -> tuple[dict[str, bytes], list[Place]]:
    """Files by name, one a dtype since every file is waited for, and the place of each array in them."""
    kinds: dict[str, list[str]] = {}
    for name, array in arrays.items():
        kinds.setdefault(array.dtype.str, []).append(name)
    files, places = {}, {}
    for names in kinds.values():
        data = _npy(np.concatenate([arrays[name].ravel(_order(arrays[name])) for name in names]))
        digest, start = hashlib.sha256(data).hexdigest(), 0
        files[f"{digest}.npy"] = data
        for name in names:
            places[name] = (name, digest, start, arrays[name].shape, _order(arrays[name]))
            start += arrays[name].size
    return files, [places[name] for name in arrays]


def _order(array: NDArray[Any]) -> Literal["F", "C"]:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _read(folder: Path, key: str) -> Outcome | None:
    """The entry in `folder`; None where its writer has not finished. Raises BrokenAnswer and what parsing raises."""
    if folder.is_symlink():
        raise BrokenAnswer("an entry is a link")
    told = sorted(folder.glob("*.json"))
    if not told:
        return None
    text = _held(told[0])
    entry = json.loads(text)
    if entry["key"] != key:
        raise BrokenAnswer("an entry of another key")
    arrays, files = {}, dict[str, NDArray[Any]]()
    for name, digest, start, shape, order in entry["arrays"]:
        if digest not in files:
            data = _held(folder / f"{digest}.npy")
            files[digest] = array_in(io.BytesIO(data), len(data))
        arrays[name] = files[digest][start : start + math.prod(shape)].reshape(shape, order=order)
    return Outcome(entry["answer"], arrays)


def _held(path: Path) -> bytes:
    """The bytes of a regular file that is named by their sha256. Raises BrokenAnswer."""
    with open_regular(path) as file:
        data = file.read(_JSON_BYTES + 1 if path.suffix == ".json" else -1)
    if hashlib.sha256(data).hexdigest() != path.stem:
        raise BrokenAnswer("an entry is damaged")
    return data


def _discard(folder: Path) -> None:
    with contextlib.suppress(OSError):
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


class Journal:
    """What the runs of one command finished: a line a unit, made to last at once. A torn last line is passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def broken_off(self) -> tuple[str, int] | None:
        """(began, finished units) of the last run where it never came to its end; None where it did, or there is none."""
        began, units = None, 0
        try:
            with open_regular(self.path) as file:
                lines = file.read().decode("utf-8", "replace").splitlines()
        except BrokenAnswer:
            return None
        for line in lines:
            try:
                record = json.loads(line)
                began = record.get("began", began)
                units = 0 if "began" in record else units + ("unit" in record)
                began = None if "ended" in record else began
            except (ValueError, AttributeError, RecursionError):
                continue
        return (str(began), units) if began is not None else None

    def begin(self) -> None:
        """Start anew: the last run came to its end, or is told of already. Raises OSError."""
        atomic_io.make_folder(self.path.parent, 0o700)
        self.path.unlink(missing_ok=True)
        now = datetime.datetime.now(datetime.UTC)
        for old in self.path.parent.glob("*.jsonl"):
            if old.lstat().st_mtime < now.timestamp() - _JOURNAL_DAYS * 86400:
                old.unlink(missing_ok=True)
        self.note(began=f"{now:%Y-%m-%d %H:%M:%S} UTC", process=os.getpid())
        atomic_io.sync_folder(self.path.parent)

    def note(self, **record: Any) -> None:
        """Add a line. Raises OSError."""
        atomic_io.append_line(self.path, json.dumps(record))
