"""The folder of a report: checked to be writable before any work, made durably, and written by one process at a time."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qaudit.errors import Refused
from qaudit.storage.durable_files import make_folder, missing_folders


def check_writable(path: Path) -> None:
    """Check that the folder can be written, or made where it is absent; nothing is left behind. Raises Refused."""
    existing = path.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"probe")
    except OSError as error:
        raise _unusable(path, error) from error


def output_folder(path: Path) -> Path:
    """Make the folder. Raises Refused."""
    check_writable(path)
    try:
        make_folder(path)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def _unusable(path: Path, error: OSError) -> Refused:
    return Refused(f"{path}: cannot be used as output folder: {error.strerror}")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with this process. Raises Refused naming the process that holds it and since when.

    An absent folder is made, and removed again if it is still empty at the end, so that a refused run leaves nothing behind.
    """
    made = missing_folders(folder)
    output_folder(folder)
    path = folder / ".lock"
    handle = _lock_file(path, folder)
    try:
        _say_who(handle, path)
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)
        # only empty folders can be removed this way, so a folder with files stays
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()


def _say_who(handle: int, path: Path) -> None:
    """Write process and time into the lock file; the refusal of a second process names them. Raises Refused."""
    now = datetime.datetime.now(datetime.UTC)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()}, started {now:%Y-%m-%d %H:%M:%S} UTC".encode())
    except OSError as error:
        raise Refused(f"{path}: cannot be written: {error.strerror}") from error


def _lock_file(path: Path, folder: Path) -> int:
    """A locked handle on the file that has the name `path` now. The previous holder removes its file at the end, so the file may
    have been replaced while this process waited for the lock."""
    while True:
        try:
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
