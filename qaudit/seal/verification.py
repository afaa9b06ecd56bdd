"""What a seal says, and whether a folder still holds it. It reads what strangers sent, so it runs in a child (task `verify`)."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qaudit.core.evidence import canonical_json
from qaudit.seal.pdf_attachment import Holds, NotOurs, attached

NAME = "seal.json"
SEALED = ("report.json", "report.html", "report.pdf")
_SEAL_BYTES = 2**20
_REPORT_BYTES = 512 * 2**20
_LINES = 20
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Status = Literal["verified", "does not match", "could not verify"]


class Digest(BaseModel):
    """One sealed file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    sha256: Hash
    size: Annotated[int, Field(ge=0)]


class Seal(BaseModel):
    """The whole of seal.json. `inputs` are digests by role; `outputs` are the files beside the seal.

    `repeat` is what the audit was told, without any path: settings, subject, names of the input files by role. `check` is the
    sha256 of all the rest as canonical JSON.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    format: Literal[1]
    qaudit: str
    audit: str
    inputs: dict[str, Hash]
    outputs: dict[str, Digest]
    repeat: dict[str, Any]
    check: str


class Unreadable(Exception):
    """The seal, or what it seals, cannot be read; the message says why."""


class _Changed(Unreadable):
    """A file is not what was sealed; the message says how."""


def checked(content: Mapping[str, Any]) -> str:
    """The `check` of a seal's content: sha256 of its canonical JSON without `check`."""
    rest = {key: value for key, value in content.items() if key != "check"}
    return hashlib.sha256(canonical_json(rest).encode("utf-8", "surrogatepass")).hexdigest()


def check(target: Path) -> tuple[Status, list[str]]:
    """Repeat the digests of a report folder, or of the folder of one of its files. Never raises for what it reads.

    verified: every sealed file is there and unchanged, no unsealed report lies beside them, and the PDF holds the same
    report.json and nothing that acts. A seal without signatures says that the files belong together and are unchanged since the
    seal; whoever can write the folder can write another seal. A file without its seal cannot be verified.
    """
    try:
        folder = _folder(target)
        found, wrong = read_seal(folder / NAME)
        wrong = wrong or _differences(folder, found)
        if not wrong and target != folder and target.name not in {NAME, *found.outputs}:
            wrong = [f"{shown(target.name)}: not among the sealed files"]
        beside = _beside(folder, found)
    except OSError as error:
        name = Path(os.fsdecode(error.filename)).name if error.filename else ""
        return "could not verify", [shown(f"{name}: {error.strerror}" if name else str(error))]
    except MemoryError:
        return "could not verify", ["needs more memory than it may use"]
    except (Unreadable, ValueError, RecursionError) as error:
        return "could not verify", [shown(str(error)) or type(error).__name__]
    if wrong:
        return "does not match", wrong[:_LINES] + [f"and {len(wrong) - _LINES} more"] * (len(wrong) > _LINES)
    lines = [f"{name}: sha256 {value.sha256}" for name, value in sorted(found.outputs.items())]
    return "verified", [*lines, *beside, "matches its seal; the seal bears no signature"]


def _folder(target: Path) -> Path:
    """The folder that is meant. Raises Unreadable for what is neither a folder nor a file in one with a seal."""
    try:
        kind = target.stat().st_mode
    except FileNotFoundError as error:
        raise Unreadable(f"{target}: no such file or folder") from error
    if stat.S_ISDIR(kind):
        return target
    if not stat.S_ISREG(kind):
        raise Unreadable(f"{target}: neither a folder nor a file")
    if not os.path.lexists(target.parent / NAME):
        raise Unreadable(f"{target}: no {NAME} beside it; a file is verified in the folder it was sealed in")
    return target.parent


def read_seal(path: Path) -> tuple[Seal, list[str]]:
    """The seal at `path`, by its strict schema, and what shows that it is not as it was written.

    Doubled JSON keys are refused. Raises Unreadable or OSError.
    """
    if not os.path.lexists(path):
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


def _bytes(path: Path, limit: int, wanted: Digest | None = None) -> bytes:
    """A file, read once; it must be as `wanted`. What is no regular file is not opened. Raises _Changed, Unreadable, OSError."""
    try:
        found = path.lstat()
    except FileNotFoundError as error:
        raise _Changed(f"{path.name}: missing") from error
    if not stat.S_ISREG(found.st_mode):
        raise _Changed(f"{path.name}: {'a link' if stat.S_ISLNK(found.st_mode) else 'not a regular file'}")
    if wanted is not None and found.st_size != wanted.size:
        raise _Changed(f"{path.name}: changed since the seal")
    with open(path, "rb", opener=_no_link) as file:
        raw = file.read(limit + 1) if found.st_size <= limit else b""
    if max(found.st_size, len(raw)) > limit:
        raise Unreadable(f"{path.name}: larger than {limit} bytes")
    if wanted is not None and (len(raw), hashlib.sha256(raw).hexdigest()) != (wanted.size, wanted.sha256):
        raise _Changed(f"{path.name}: changed since the seal")
    return raw


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


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
    wrong = [f"{shown(name)}: no name of a report file" for name in sorted(found.outputs) if name not in SEALED]
    kept: dict[str, bytes] = {}
    for name in SEALED if not wrong else ():
        try:
            if name in found.outputs:
                kept[name] = _bytes(folder / name, _REPORT_BYTES, found.outputs[name])
        except _Changed as error:
            wrong.append(str(error))
    wrong += [f"{shown(name)}: not sealed" for name in _unsealed(folder, found) if name.lower().startswith("report.")]
    return wrong or _contradictions(kept["report.json"], found) or _attachment(kept.get("report.pdf"), kept["report.json"])


def read_report(folder: Path, found: Seal) -> Any:
    """The sealed report.json, if it is as the seal says. Raises Unreadable or OSError."""
    return _parsed(_bytes(folder / "report.json", _REPORT_BYTES, found.outputs["report.json"]), "report.json")


def _unsealed(folder: Path, found: Seal) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name not in {NAME, *found.outputs})


def _beside(folder: Path, found: Seal) -> list[str]:
    """Whoever reads that a folder is verified must not think so of the other files in it."""
    names = _unsealed(folder, found)
    more = f" and {len(names) - _LINES} more" if len(names) > _LINES else ""
    return [f"not sealed, not verified: {', '.join(shown(name) for name in names[:_LINES])}{more}"] if names else []


def _contradictions(report: bytes, found: Seal) -> list[str]:
    """Where the sealed report speaks of another audit, model, data or policy than its seal."""
    content = _parsed(report, "report.json")
    if _at(content, "audit", "id") != found.audit:
        return [f"report.json: is not the report of audit {shown(found.audit)}"]
    places: dict[str, tuple[str, ...]] = {"model": ("subject", "digest"), "policy": ("policy", "digest")}
    places |= {role: ("data", "roles", role, "digest") for role in ("holdout", "training", "calibration")}
    wrong = [] if "model" in found.inputs else [f"{NAME}: names no model"]
    for role, place in places.items():
        told = _at(content, *place)
        if found.inputs.get(role) != (None if told is None else str(told).removeprefix("sha256:")):
            wrong.append(f"report.json: is the report of another {role} than the seal's")
    return wrong


def _attachment(pdf: bytes | None, report: bytes) -> list[str]:
    """Where the PDF holds another report than the one beside it, a second attachment, or something that acts."""
    if pdf is None:
        return []
    try:
        inside = attached(pdf, len(report))
    except Holds as error:
        return [f"report.pdf: {error}"]
    except NotOurs as error:
        raise Unreadable(f"report.pdf: {error}") from error
    same = inside in (report, report.removesuffix(b"\n"))  # the renderer attaches the report without its last line break
    return [] if same else ["report.pdf: the report.json attached to it is another than the one beside it"]


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
