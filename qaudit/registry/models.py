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
from typing import Any

from qaudit.core.evidence import canonical_json
from qaudit.errors import Refused, did_you_mean, unknown
from qaudit.inputs.data import read_bytes
from qaudit.storage.durable_files import make_folder, write_bytes

FORMAT = 1
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
ROLES = ("model", "holdout", "training", "calibration")


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a registered model. `files` are paths of the blobs by role; `names` the file names they came with.

    `options` are what `qaudit register` was told: target, positive, cutoff, groups, types, trust, missing ...
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
    if given := os.environ.get("QAUDIT_HOME"):
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME")
    try:
        return (Path(data) if data else Path.home() / ".local" / "share") / "qaudit"
    except RuntimeError as error:
        raise Refused("registry: no home folder; set QAUDIT_HOME") from error


def check_name(name: str) -> str:
    """The name, or Refused: it becomes a folder's name on any system."""
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
    """One writer at a time."""
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


def _blob(data: bytes) -> tuple[Path, str]:
    digest = hashlib.sha256(data).hexdigest()
    path = home() / "blobs" / digest
    if not (path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest):
        _make_folder(path.parent)
        write_bytes(path, data, 0o600)
    return path, digest


def register(
    name: str, files: Mapping[str, Path | tuple[str, bytes]], options: Mapping[str, Any], parent: str | None, created: str
) -> str:
    """Registers files by role ("model" and "holdout" at least) under the next version; returns "name@version".

    A file is a path, or a name with its bytes. The same content, options and parent again give the version that is there.
    `created` is a date given by the caller. Raises Refused for a bad name, an unknown role or parent, an unreadable file.
    """
    check_name(name)
    if other := sorted(set(files) - set(ROLES)):
        raise Refused(f"register: {unknown('role', other[0], ROLES)}")
    if missing := [role for role in ("model", "holdout") if role not in files]:
        raise Refused(f"register: no {missing[0]} file")
    parent = resolve(parent).id if parent is not None else None
    contents = {role: (file.name, read_bytes(file)) if isinstance(file, Path) else file for role, file in sorted(files.items())}
    with _locked(home()):
        content: dict[str, Any] = {"format": FORMAT, "name": name, "parent": parent, "options": dict(options), "files": {}}
        for role, (shown, data) in contents.items():
            _, digest = _blob(data)
            content["files"][role] = {"name": shown, "digest": f"sha256:{digest}", "bytes": len(data)}
        found = _versions(name)
        for version in found:
            card = _card(name, version)
            if _same(card, content):
                return f"{name}@{version}"
        number = max(found, default=0) + 1
        folder = home() / "models" / name
        _make_folder(folder)
        card = content | {"version": number, "created": created}
        write_bytes(folder / f"{number}.json", (canonical_json(card) + "\n").encode())
    return f"{name}@{number}"


def _same(card: Mapping[str, Any], content: Mapping[str, Any]) -> bool:
    return canonical_json({key: card.get(key) for key in content}) == canonical_json(content)


def _versions(name: str) -> list[int]:
    folder = home() / "models" / name
    try:
        return sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit())
    except OSError as error:
        raise Refused(f"{folder}: cannot be read ({error.strerror})") from error


def _card(name: str, version: int) -> dict[str, Any]:
    path = home() / "models" / name / f"{version}.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: the card of {name}@{version} cannot be read") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT or card.get("version") != version:
        raise Refused(f"{path}: not a card of format {FORMAT} for {name}@{version}")
    return card


def resolve(text: str) -> Registered:
    """The registered model "name" (its newest version) or "name@version", every file held to its digest. Raises Refused."""
    name, version = parse(text)
    found = _versions(name)
    if not found:
        known = _names()
        hint = did_you_mean(name, known) if known else "nothing is registered yet"
        raise Refused(f"no registered model {name!r} (and no such file); {hint}")
    if version is not None and version not in found:
        raise Refused(f"{name} has no version {version}; there is {', '.join(str(each) for each in found)}")
    card = _card(name, version or found[-1])
    for role, file in card["files"].items():
        _intact(card, role, file["digest"])
    return _registered(card)


def _path(digest: str) -> Path:
    text = digest.removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise Refused(f"registry: {digest[:80]!r} is no digest")
    return home() / "blobs" / text


def _intact(card: Mapping[str, Any], role: str, digest: str) -> None:
    path = _path(digest)
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != path.name:
        raise Refused(f"{path}: the {role} file of {card['name']}@{card['version']} is not the one that was registered")


def _registered(card: Mapping[str, Any]) -> Registered:
    return Registered(
        name=card["name"],
        version=int(card["version"]),
        parent=card["parent"],
        created=card["created"],
        files={role: _path(file["digest"]) for role, file in card["files"].items()},
        names={role: file["name"] for role, file in card["files"].items()},
        digests={role: file["digest"] for role, file in card["files"].items()},
        options=card["options"],
    )


def _names() -> list[str]:
    folder = home() / "models"
    return sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name)) if folder.is_dir() else []


def models() -> list[Registered]:
    """Every registered version, by name and number. Digests are not recomputed here."""
    return [_registered(_card(name, version)) for name in _names() for version in _versions(name)]
