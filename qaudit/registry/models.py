"""Registered models: name@version -> files, digests, options, parent. A folder of content-addressed blobs; versions never change.

<home>/blobs/<64 hex digits>          every file once, by its sha256
<home>/models/<name>/<version>.json   the card: {format, name, version, parent, created, files, options, tier}
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qaudit.core.evidence import canonical_json
from qaudit.errors import Refused, did_you_mean, first_problem, unknown
from qaudit.inputs.data import read_bytes
from qaudit.storage.durable_files import make_folder, write_bytes, write_json

FORMAT: Literal[1] = 1
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
ROLES = ("model", "holdout", "training", "calibration")


class _File(BaseModel):
    """A file of a registered model: its original name, its sha256, which is the name of its blob, and its size."""

    model_config = ConfigDict(strict=True)
    name: str
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    bytes: int

    @property
    def path(self) -> Path:
        return home() / "blobs" / self.digest.removeprefix("sha256:")


class _Card(BaseModel):
    """The content of a card."""

    model_config = ConfigDict(strict=True)
    format: Literal[1]
    name: str
    version: int
    parent: str | None
    created: str
    files: dict[str, _File]
    options: dict[str, Any]

    def content(self) -> str:
        """The part of a card that identifies a version: cards with equal content are the same version."""
        return canonical_json(self.model_dump(exclude={"version", "created"}))

    def registered(self) -> Registered:
        return Registered(
            name=self.name,
            version=self.version,
            parent=self.parent,
            created=self.created,
            files={role: file.path for role, file in self.files.items()},
            names={role: file.name for role, file in self.files.items()},
            digests={role: file.digest for role, file in self.files.items()},
            options=self.options,
        )


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a registered model. `files` are paths of the blobs by role; `names` the original file names.

    `options` are those of `qaudit register`: target, positive, cutoff, groups, types, trust, missing ...
    """

    name: str
    version: int
    parent: str | None
    created: str
    files: Mapping[str, Path]
    names: Mapping[str, str]
    digests: Mapping[str, str]
    options: Mapping[str, Any]

    @property
    def id(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"


def home() -> Path:
    """$QAUDIT_HOME, else the XDG data folder."""
    if folder := os.environ.get("QAUDIT_HOME"):
        return Path(folder)
    data = os.environ.get("XDG_DATA_HOME")
    try:
        return (Path(data) if data else Path.home() / ".local" / "share") / "qaudit"
    except RuntimeError as error:
        raise Refused("registry: no home folder; set QAUDIT_HOME") from error


def check_name(name: str) -> str:
    """The name, if it can be the name of a folder on any system. Raises Refused."""
    if not NAME.fullmatch(name) or ".." in name or name.lower().split(".")[0] in RESERVED:
        raise Refused(
            f"model name {name[:80]!r}: letters, digits, '-', '_' and single '.' are wanted, at most 64, e.g. credit-scoring"
        )
    return name


def parse(text: str) -> tuple[str, int | None]:
    """ "credit@3" as ("credit", 3); "credit" as ("credit", None). Raises Refused."""
    name, at, version = text.partition("@")
    check_name(name)
    if not at:
        return name, None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
        raise Refused(f"{text!r}: a version is a number, as in {name}@1")
    return name, int(version)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the registry, so that only one process writes at a time."""
    _make_folder(folder)
    try:
        handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise Refused(f"{folder}: the registry cannot be written ({error.strerror})") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make_folder(folder: Path) -> None:
    try:
        make_folder(folder, 0o700)
    except OSError as error:
        raise Refused(f"{folder}: the registry cannot be written ({error.strerror})") from error


def _blob(name: str, data: bytes) -> _File:
    """Store the bytes as a blob that is named by their digest."""
    digest = hashlib.sha256(data).hexdigest()
    file = _File(name=name, digest=f"sha256:{digest}", bytes=len(data))
    # an existing blob that is damaged is written again, since its digest shows what it must be
    if not (file.path.exists() and hashlib.sha256(file.path.read_bytes()).hexdigest() == digest):
        _make_folder(file.path.parent)
        write_bytes(file.path, data, 0o600)
    return file


def register(
    name: str, files: Mapping[str, Path | tuple[str, bytes]], options: Mapping[str, Any], parent: str | None, created: str
) -> str:
    """Registers files by role ("model" and "holdout" at least) under the next version; returns "name@version".

    A file is a path, or a name with its bytes. If content, options and parent are those of an existing version, that version is
    returned. `created` is a date given by the caller. Raises Refused for a bad name, an unknown role or parent, an unreadable
    file.
    """
    check_name(name)
    if other := sorted(set(files) - set(ROLES)):
        raise Refused(f"register: {unknown('role', other[0], ROLES)}")
    if missing := [role for role in ("model", "holdout") if role not in files]:
        raise Refused(f"register: no {missing[0]} file")
    parent = resolve(parent).id if parent is not None else None
    contents = {role: (file.name, read_bytes(file)) if isinstance(file, Path) else file for role, file in sorted(files.items())}
    with _locked(home()):
        kept = {role: _blob(shown, data) for role, (shown, data) in contents.items()}
        versions = _versions(name)
        number = max(versions, default=0) + 1
        card = _Card(format=FORMAT, name=name, version=number, parent=parent, created=created, files=kept, options=dict(options))
        for version in versions:
            if _card(name, version).content() == card.content():
                return f"{name}@{version}"
        folder = home() / "models" / name
        _make_folder(folder)
        write_json(folder / f"{number}.json", card.model_dump())
    return f"{name}@{number}"


def _versions(name: str) -> list[int]:
    folder = home() / "models" / name
    try:
        return sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit())
    except OSError as error:
        raise Refused(f"{folder}: cannot be read ({error.strerror})") from error


def _card(name: str, version: int) -> _Card:
    path = home() / "models" / name / f"{version}.json"
    try:
        card = _Card.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise Refused(f"{path}: not a card of format {FORMAT} for {name}@{version}: {first_problem(error)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{path}: the card of {name}@{version} cannot be read") from error
    if (card.name, card.version) != (name, version):
        raise Refused(f"{path}: not a card for {name}@{version}: it is that of {card.name}@{card.version}")
    return card


def resolve(text: str) -> Registered:
    """The registered model "name" (its newest version) or "name@version", each file checked by its digest. Raises Refused."""
    name, version = parse(text)
    versions = _versions(name)
    if not versions:
        known = _names()
        hint = did_you_mean(name, known) if known else "nothing is registered yet"
        raise Refused(f"no registered model {name!r} (and no such file); {hint}")
    if version is not None and version not in versions:
        raise Refused(f"{name} has no version {version}; there is {', '.join(str(each) for each in versions)}")
    card = _card(name, version or versions[-1])
    for role in card.files:
        _check_intact(card, role)
    return card.registered()


def _check_intact(card: _Card, role: str) -> None:
    """Raises Refused where the blob's bytes are not those that were registered."""
    path = card.files[role].path
    if hashlib.sha256(read_bytes(path)).hexdigest() != path.name:
        raise Refused(f"{path}: the {role} file of {card.name}@{card.version} is not the one that was registered")


def _names() -> list[str]:
    folder = home() / "models"
    return sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name)) if folder.is_dir() else []


def models() -> list[Registered]:
    """Every registered version, by name and number. Digests are not recomputed here."""
    return [_card(name, version).registered() for name in _names() for version in _versions(name)]
