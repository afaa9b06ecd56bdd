"""A third-party template as data: the files of its folder, read once, with one digest over them."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from qaudit.core.evidence import canonical_json
from qaudit.errors import Refused

ENTRY = "template.html.j2"
STYLES = "template.css"
MOST_FILES, LONGEST = 20, 256 * 1024


@dataclass(frozen=True, slots=True)
class Guest:
    """`files`: text by name. `digest`: "sha256:" and 64 hex digits over names and bytes."""

    name: str
    digest: str
    files: dict[str, str] = field(repr=False)


def read_guest(folder: Path) -> Guest:
    """The template in `folder`: template.html.j2, template.css where there is one, and .html.j2 files beside them.

    Raises Refused for a link, a file of another kind, and what is too many or too long; nothing below the folder is read.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError as error:
        raise Refused(f"{folder}: template: {error.strerror}; a folder that holds {ENTRY} is wanted") from error
    wanted = [name for name in names if name == STYLES or name.endswith(".html.j2")]
    if ENTRY not in wanted:
        raise Refused(f"{folder}: template: no {ENTRY} in it")
    if len(wanted) > MOST_FILES:
        raise Refused(f"{folder}: template: {len(wanted)} files found, at most {MOST_FILES} are wanted")
    read = {name: _bytes(folder / name) for name in wanted}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in read.items()}
    digest = hashlib.sha256(canonical_json(digests).encode()).hexdigest()
    return Guest(folder.resolve().name, f"sha256:{digest}", {name: _text(folder / name, data) for name, data in read.items()})


def _bytes(path: Path) -> bytes:
    """A regular file, no link, no longer than LONGEST bytes; opened without waiting, since a pipe never answers."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Refused(f"{path}: template: {error.strerror}; a plain file is wanted") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused(f"{path}: template: a plain file is wanted")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(LONGEST + 1)
    finally:
        os.close(handle)
    if len(data) > LONGEST:
        raise Refused(f"{path}: template: longer than {LONGEST} bytes")
    return data


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: template: not UTF-8 text (byte {error.start})") from error
