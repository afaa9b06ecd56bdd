"""Writes files of reports and of the registry: under its final name a file is complete or absent, also after a power cut.

The bytes are written under a temporary name in the same folder and synced (fsync); then the file is renamed (os.replace) and the
folder is synced. The results of units are written without fsync: see qaudit.cache.result_cache.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from qaudit.core.evidence import canonical_json
from qaudit.errors import Refused

PARTIAL = ".qaudit-"
"""Temporary names begin so. A process that was killed may leave one behind; the next writer of a report folder removes it."""


def write_bytes(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write one file durably, and replace an existing one of that name.

    Raises Refused with path and cause; then nothing has changed.
    """
    partial = None
    try:
        partial = _write_partial(path, data, mode)
        os.replace(partial, path)
        sync_folder(path.parent)
    except OSError as error:
        raise Refused(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        _discard(partial)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON and a final newline as `write_bytes` does."""
    write_text(path, canonical_json(value) + "\n")


def replace_all(folder: Path, contents: Mapping[str, bytes], removed: Collection[str], last: str) -> None:
    """Write several files of a folder as one change, and remove those in `removed`. Raises Refused with path and cause.

    Everything is written under temporary names first, so that a full disk changes nothing. Then the file `last` is removed,
    the others are renamed, and `last` is renamed at the end: while it exists, all files belong together.
    """
    partial: dict[str, str] = {}
    path = folder
    try:
        for name, data in contents.items():
            path = folder / name
            partial[name] = _write_partial(path, data, 0o644)
        remove(folder / last)
        sync_folder(folder)
        for name in removed:
            remove(folder / name)
        for name in sorted(contents, key=lambda name: name == last):
            path = folder / name
            if name == last:
                sync_folder(folder)
            os.replace(partial[name], path)
        sync_folder(folder)
    except OSError as error:
        raise Refused(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        for each in partial.values():
            _discard(each)


def _write_partial(path: Path, data: bytes, mode: int) -> str:
    """Write and sync a temporary file beside `path`, and return its name. Raises OSError and then leaves no file."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f"{PARTIAL}{path.name[:80]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, mode)
    except OSError:
        _discard(partial)
        raise
    return partial


def _discard(partial: str | None) -> None:
    """Remove a temporary file, unless it has taken its final name."""
    if partial is not None:
        with contextlib.suppress(OSError):
            os.unlink(partial)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that new names in it survive a power cut, where the file system supports it. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder and its missing parents durably, each with that mode. Raises OSError."""
    missing = missing_folders(path)
    for each in [*reversed(missing[1:]), path]:
        each.mkdir(mode, exist_ok=True)
    # one that is there may be of a writer that was killed before it waited for the disk
    for each in missing or [path]:
        with contextlib.suppress(PermissionError):  # a folder that may be written but not read cannot be waited for
            sync_folder(each.parent)


def missing_folders(path: Path) -> list[Path]:
    """The folder and its parents as far as they do not exist, deepest first."""
    return [each for each in (path, *path.parents) if not each.exists()]


def remove(path: Path) -> None:
    """Remove a file that may be absent. Raises Refused."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(f"{path}: cannot be removed: {error.strerror}") from error


def remove_partial_files(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; only for the holder of the folder's lock."""
    for path in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            path.unlink()
