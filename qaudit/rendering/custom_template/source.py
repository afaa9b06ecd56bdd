"""Reads the files of a custom template once, with one digest over all of them."""

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
class CustomTemplate:
    """A custom template. `files` has the text by file name; `digest` is "sha256:" and 64 hex digits over names and contents."""

    name: str
    digest: str
    files: dict[str, str] = field(repr=False)


def read_custom_template(folder: Path) -> CustomTemplate:
    """The template in `folder`: template.html.j2, template.css where there is one, and .html.j2 files beside them.

    Raises Refused for a link, a file of another kind, too many files or a file that is too long. Subfolders are not read.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError as error:
        raise Refused(f"{folder}: template: {error.strerror}; a folder that holds {ENTRY} is wanted") from error
    selected = [name for name in names if name == STYLES or name.endswith(".html.j2")]
    if ENTRY not in selected:
        raise Refused(f"{folder}: template: no {ENTRY} in it")
    if len(selected) > MOST_FILES:
        raise Refused(f"{folder}: template: {len(selected)} files found, at most {MOST_FILES} are wanted")
    contents = {name: _bytes(folder / name) for name in selected}
    # hashed by file, so that no bytes can move from one file to the next under the same digest
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    digest = hashlib.sha256(canonical_json(digests).encode()).hexdigest()
    return CustomTemplate(
        folder.resolve().name, f"sha256:{digest}", {name: _text(folder / name, data) for name, data in contents.items()}
    )


def _bytes(path: Path) -> bytes:
    """The bytes of a regular file that is no link and at most LONGEST bytes long. Raises Refused for any other.

    It is opened without blocking, since opening a pipe would wait for ever.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Refused(f"{path}: template: {error.strerror}; a plain file is wanted") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused(f"{path}: template: a plain file is wanted")
        with os.fdopen(handle, "rb", closefd=False) as file:
            # one byte too many shows that the file is too long, however long it is
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
