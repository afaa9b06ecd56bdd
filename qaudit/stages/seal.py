"""seal.json: the digests of every input and output, written last. `verify` repeats them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from qaudit import store
from qaudit.errors import Refused

NAME = "seal.json"
SEALED = ("report.json", "report.html", "report.pdf")
UNSEALED = ("timings.json", "log.txt", "seal.json", ".lock", "signoff.json", "report.signed.pdf")
_LIMIT = 2**20
Status = Literal["verified", "does not match", "could not verify"]
EXITS: Mapping[Status, int] = {"verified": 0, "does not match": 1, "could not verify": 2}


class Digest(BaseModel):
    """One sealed file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    sha256: str
    size: int


class Seal(BaseModel):
    """The whole of seal.json. `inputs` are digests by role; `outputs` are the files beside the seal."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    format: Literal[1]
    qaudit: str
    audit: str
    inputs: dict[str, str]
    outputs: dict[str, Digest]


class _Unreadable(Exception):
    """The seal cannot be read; the message says why."""


def seal(folder: Path, inputs: Mapping[str, str], *, audit: str, version: str) -> Path:
    """Write seal.json over the report files in `folder`. `inputs` are sha256 hex digests by role. Raises Refused."""
    for role, given in inputs.items():
        if not re.fullmatch(r"[0-9a-f]{64}", given):
            raise Refused(f"seal: {role}: {given!r} found, wanted: 64 hex digits")
    outputs = {name: _digest(folder / name) for name in SEALED if (folder / name).is_file()}
    if "report.json" not in outputs:
        raise Refused(f"{folder}: no report.json to seal")
    value = Seal(format=1, qaudit=version, audit=audit, inputs=dict(inputs), outputs=outputs)
    store.write_json(folder / NAME, value.model_dump())
    return folder / NAME


def unseal(folder: Path) -> None:
    """Remove the seal before anything that it speaks of changes."""
    store.remove(folder / NAME)


def verify(target: Path) -> tuple[Status, list[str]]:
    """Repeat the digests of a report folder (or of the folder of one of its files). Never raises for what it reads.

    verified: every sealed file is there, unchanged, and no unsealed report lies beside them. A seal without signatures says that
    the files belong together and are unchanged since the seal; whoever can write the folder can write another seal.
    """
    folder = target if target.is_dir() else target.parent
    try:
        found = read_seal(folder / NAME)
        wrong = _differences(folder, found)
        if not wrong and target.is_file() and target.name not in found.outputs:
            return "does not match", [f"{_shown(target.name)}: not among the sealed files"]
    except (_Unreadable, OSError, ValueError, RecursionError) as error:
        return "could not verify", [_shown(str(error))]
    if wrong:
        return "does not match", wrong
    lines = [f"{name}: sha256 {value.sha256}" for name, value in sorted(found.outputs.items())]
    return "verified", [*lines, "matches its seal; the seal bears no signature"]


def read_seal(path: Path) -> Seal:
    """The seal at `path`, by its strict schema; doubled JSON keys are refused. Raises _Unreadable or OSError."""
    if path.is_symlink() or not path.is_file():
        raise _Unreadable(f"no {NAME} in {path.parent}")
    with open(path, "rb") as file:
        raw = file.read(_LIMIT + 1)
    if len(raw) > _LIMIT:
        raise _Unreadable(f"{NAME}: larger than {_LIMIT} bytes")
    try:
        found = Seal.model_validate(json.loads(raw.decode("utf-8"), object_pairs_hook=_single, parse_constant=_no_constant))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _Unreadable(f"{NAME}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"{NAME}: not readable: {error}") from error
    if "report.json" not in found.outputs:
        raise _Unreadable(f"{NAME}: names no report.json")
    return found


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
            wrong.append(f"{_shown(name)}: no name of a report file")
        elif path.is_symlink() or not path.is_file():
            wrong.append(f"{name}: missing")
        elif _digest(path) != wanted:
            wrong.append(f"{name}: changed since the seal")
    wrong += [f"{name}: not sealed" for name in SEALED if name not in found.outputs and (folder / name).exists()]
    if not wrong:
        wrong += _contradictions(folder, found)
    return wrong


def _contradictions(folder: Path, found: Seal) -> list[str]:
    """Where the sealed report speaks of another audit or another model than its seal."""
    report = json.loads((folder / "report.json").read_bytes())
    audit = report.get("audit") if isinstance(report, dict) else None
    if not isinstance(audit, dict) or audit.get("id") != found.audit:
        return [f"report.json: is not the report of audit {_shown(found.audit)}"]
    subject = report.get("subject")
    model = found.inputs.get("model")
    if model is not None and (not isinstance(subject, dict) or str(subject.get("digest")).removeprefix("sha256:") != model):
        return ["report.json: is the report of another model than the seal's"]
    return []


def _digest(path: Path) -> Digest:
    return Digest(sha256=store.digest(path), size=path.stat().st_size)


def _shown(text: str) -> str:
    """Text of a stranger's file on a terminal: no control characters."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:300])
