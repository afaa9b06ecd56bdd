"""What a seal says, and whether a folder still holds it. It reads what strangers sent, so it runs in a child (task `verify`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from qaudit.core.evidence import canonical_json

NAME = "seal.json"
SEALED = ("report.json", "report.html", "report.pdf")
_SEAL_BYTES = 2**20
_REPORT_BYTES = 512 * 2**20
Status = Literal["verified", "does not match", "could not verify"]


class Digest(BaseModel):
    """One sealed file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    sha256: str
    size: int


class Seal(BaseModel):
    """The whole of seal.json. `inputs` are digests by role; `outputs` are the files beside the seal.

    `repeat` is what the audit was told, without any path: settings, subject, names of the input files by role. `check` is the
    sha256 of all the rest as canonical JSON.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    format: Literal[1]
    qaudit: str
    audit: str
    inputs: dict[str, str]
    outputs: dict[str, Digest]
    repeat: dict[str, Any]
    check: str


class Unreadable(Exception):
    """The seal, or what it seals, cannot be read; the message says why."""


def checked(content: Mapping[str, Any]) -> str:
    """The `check` of a seal's content: sha256 of its canonical JSON without `check`."""
    rest = {key: value for key, value in content.items() if key != "check"}
    return hashlib.sha256(canonical_json(rest).encode("utf-8", "surrogatepass")).hexdigest()


def check(target: Path) -> tuple[Status, list[str]]:
    """Repeat the digests of a report folder (or of the folder of one of its files). Never raises for what it reads.

    verified: every sealed file is there, unchanged, and no unsealed report lies beside them. A seal without signatures says that
    the files belong together and are unchanged since the seal; whoever can write the folder can write another seal.
    """
    folder = target if target.is_dir() else target.parent
    try:
        found, wrong = read_seal(folder / NAME)
        if not wrong:
            wrong = _differences(folder, found)
        if not wrong and target.is_file() and target.name not in found.outputs:
            wrong = [f"{shown(target.name)}: not among the sealed files"]
    except (Unreadable, OSError, ValueError, RecursionError, MemoryError) as error:
        return "could not verify", [shown(str(error)) or type(error).__name__]
    if wrong:
        return "does not match", wrong
    lines = [f"{name}: sha256 {value.sha256}" for name, value in sorted(found.outputs.items())]
    return "verified", [*lines, "matches its seal; the seal bears no signature"]


def read_seal(path: Path) -> tuple[Seal, list[str]]:
    """The seal at `path`, by its strict schema, and what shows that it is not as it was written.

    Doubled JSON keys are refused. Raises Unreadable or OSError.
    """
    if path.is_symlink() or not path.is_file():
        raise Unreadable(f"no {NAME} in {path.parent}")
    raw = _bytes(path, _SEAL_BYTES)
    content = _parsed(raw, NAME)
    try:
        found = Seal.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Unreadable(f"{NAME}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if "report.json" not in found.outputs:
        raise Unreadable(f"{NAME}: names no report.json")
    same = found.check == checked(content) and raw == (canonical_json(content) + "\n").encode("utf-8", "surrogatepass")
    return found, [] if same else [f"{NAME}: changed since it was written"]


def _bytes(path: Path, limit: int) -> bytes:
    with open(path, "rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise Unreadable(f"{path.name}: larger than {limit} bytes")
    return raw


def _parsed(raw: bytes, name: str) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_single, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name}: not readable: {error}") from error


def _single(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice")
    return table


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _differences(folder: Path, found: Seal) -> list[str]:
    wrong: list[str] = []
    for name, wanted in sorted(found.outputs.items()):
        path = folder / name
        if name not in SEALED:
            wrong.append(f"{shown(name)}: no name of a report file")
        elif path.is_symlink() or not path.is_file():
            wrong.append(f"{name}: missing")
        elif digest(path) != wanted:
            wrong.append(f"{name}: changed since the seal")
    wrong += [f"{name}: not sealed" for name in SEALED if name not in found.outputs and (folder / name).exists()]
    return wrong or _contradictions(folder, found)


def _contradictions(folder: Path, found: Seal) -> list[str]:
    """Where the sealed report speaks of another audit, model, data or policy than its seal."""
    report = _parsed(_bytes(folder / "report.json", _REPORT_BYTES), "report.json")
    if _at(report, "audit", "id") != found.audit:
        return [f"report.json: is not the report of audit {shown(found.audit)}"]
    wrong = []
    places: dict[str, tuple[str, ...]] = {"model": ("subject", "digest"), "policy": ("policy", "digest")}
    places |= {role: ("data", "roles", role, "digest") for role in ("holdout", "training", "calibration")}
    for role, place in places.items():
        told = _at(report, *place)
        if role in found.inputs and told is not None and str(told).removeprefix("sha256:") != found.inputs[role]:
            wrong.append(f"report.json: is the report of another {role} than the seal's")
    return wrong


def _at(value: Any, *place: str) -> Any:
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def digest(path: Path) -> Digest:
    """sha256 and size of a file."""
    with open(path, "rb") as file:
        return Digest(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)


def shown(text: str) -> str:
    """Text of a stranger's file on a terminal: no control characters."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:300])
