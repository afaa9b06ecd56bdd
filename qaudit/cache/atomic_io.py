"""The one write path: a final name is whole or absent. And the lock on an output folder."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from qaudit.core.evidence import canonical_json
from qaudit.errors import Refused

PARTIAL = ".qaudit-"
"""Temporary names begin so; a process that was killed may leave one behind, which the next writer removes."""


def _nothing_fails(step: str, path: Path) -> None:
    """Storage works."""


fault: Callable[[str, Path], None] = _nothing_fails
"""Called before every step of a write; tests put a full disk or a sudden end here."""


def write_bytes(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write one file as `write_files` does."""
    write_files(path.parent, {path.name: data}, mode)


def write_files(folder: Path, contents: Mapping[str, bytes], mode: int = 0o644) -> None:
    """Write each to a temporary name in the folder, then to its final name; all last when this returns.

    Raises Refused with path and cause; what has its final name by then is whole.
    """
    path, partial = folder, None
    try:
        for name, data in contents.items():
            path = folder / name
            partial = _staged(path, data, mode)
            fault("replace", path)
            os.replace(partial, path)
        sync_folder(folder)
    except OSError as error:
        raise Refused(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        _gone(partial)


def replace_all(folder: Path, contents: Mapping[str, bytes], gone: Collection[str], last: str) -> None:
    """Give the files of a folder their new contents; those named in `gone` go. Raises Refused with path and cause.

    Everything is written under temporary names first, so that a full disk changes nothing. Then `last` is removed, the others
    take their names, and `last` comes back at the end: while it is there, all are of one making.
    """
    partial: dict[str, str] = {}
    path = folder
    try:
        for name, data in contents.items():
            path = folder / name
            partial[name] = _staged(path, data, 0o644)
        remove(folder / last)
        sync_folder(folder)
        for name in gone:
            remove(folder / name)
        for name in sorted(contents, key=lambda name: name == last):
            path = folder / name
            if name == last:
                sync_folder(folder)
            fault("replace", path)
            os.replace(partial[name], path)
        sync_folder(folder)
    except OSError as error:
        raise Refused(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        for each in partial.values():
            _gone(each)


def _staged(path: Path, data: bytes, mode: int) -> str:
    """Write under a temporary name beside `path`, wait for the disk, and return that name. Raises OSError and leaves nothing."""
    fault("open", path)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f"{PARTIAL}{path.name[:80]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            fault("write", path)
            file.write(data)
            file.flush()
            fault("fsync", path)
            os.fsync(file.fileno())
        os.chmod(partial, mode)
    except OSError:
        _gone(partial)
        raise
    return partial


def _gone(partial: str | None) -> None:
    if partial is not None:
        with contextlib.suppress(OSError):
            os.unlink(partial)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON and a final newline as `write_bytes` does."""
    write_text(path, canonical_json(value) + "\n")


def append_line(path: Path, text: str) -> None:
    """Add one line to a file and make it last. A line that an earlier end tore stays behind a line break. Raises OSError."""
    fault("append", path)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(handle).st_size
        start = "\n" if size and os.pread(handle, 1, size - 1) != b"\n" else ""
        os.write(handle, f"{start}{text}\n".encode())
        fault("fsync", path)
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder last beyond a power cut, where the file system can. Raises OSError."""
    fault("sync folder", folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder and what is missing above it, each with that mode and lasting beyond a power cut. Raises OSError."""
    fault("mkdir", path)
    missing = _missing(path)
    for each in [*reversed(missing[1:]), path]:
        each.mkdir(mode, exist_ok=True)
    for each in missing or [path]:  # one that is there may be of a writer that was killed before it lasted
        with contextlib.suppress(PermissionError):  # what may be written but not read cannot be waited for
            sync_folder(each.parent)


def remove(path: Path) -> None:
    """Remove a file that may be absent. Raises Refused."""
    try:
        fault("remove", path)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(f"{path}: cannot be removed: {error.strerror}") from error


def sweep(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; only for who holds the folder's lock."""
    for path in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def digest(path: Path) -> str:
    """sha256 of a file as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def probe(path: Path) -> None:
    """Prove before any long work that the folder can be written, or made where it is absent; nothing is left. Raises Refused."""
    existing = path.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        fault("probe", path)
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"probe")
    except OSError as error:
        raise Refused(f"{path}: cannot be used as output folder: {error.strerror}") from error


def output_folder(path: Path) -> Path:
    """Make the folder. Raises Refused."""
    probe(path)
    try:
        make_folder(path)
    except OSError as error:
        raise Refused(f"{path}: cannot be used as output folder: {error.strerror}") from error
    return path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with this process. Raises Refused naming the process that holds it and since when.

    A folder that is not there is made, and removed again if it is empty in the end: who is refused leaves nothing behind.
    """
    made = _missing(folder)
    output_folder(folder)
    path = folder / ".lock"
    handle = _lock_file(path, folder)
    try:
        now = datetime.datetime.now(datetime.UTC)
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()}, started {now:%Y-%m-%d %H:%M:%S} UTC".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()


def _missing(folder: Path) -> list[Path]:
    """The folder and its parents as far as they are not there, deepest first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def _lock_file(path: Path, folder: Path) -> int:
    """An open, locked handle on the file that bears the name `path` now: its last holder removes it, then another is made."""
    while True:
        try:
            fault("lock", path)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(handle, 100).decode("ascii", "replace").strip() or "another process"
            os.close(handle)
            raise Refused(f"{folder}: in use by {holder}; wait for it or choose another folder with -o") from error
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        os.close(handle)
