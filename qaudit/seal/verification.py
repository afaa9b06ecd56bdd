"""The schema of a seal, and the verification of a folder against it.

The files may come from anybody, so the verification runs in a child process (task `verify`).
"""

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
from qaudit.errors import Refused, first_problem
from qaudit.report.formats import upgraded
from qaudit.seal.pdf_attachment import ForbiddenContent, UnknownLayout, attached

NAME = "seal.json"
SEALED = ("report.json", "report.html", "report.pdf", "report.md", "report.junit.xml")
_SEAL_BYTES = 2**20
_REPORT_BYTES = 512 * 2**20
_LINES = 20
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Status = Literal["verified", "does not match", "could not verify"]


class Digest(BaseModel):
    """sha256 and size in bytes of one sealed file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    sha256: Hash
    size: Annotated[int, Field(ge=0)]


class Seal(BaseModel):
    """The content of seal.json. `inputs` are digests by role; `outputs` are the files beside the seal.

    `repeat` has the configuration of the audit without paths: settings, subject, and names of the input files by role. It allows
    the audit to be repeated. `check` is the sha256 of all other fields as canonical JSON.
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
    """The seal or a sealed file cannot be read; the message says why."""


class _Changed(Unreadable):
    """A file differs from the sealed one; the message says how."""


def checked(content: Mapping[str, Any]) -> str:
    """The `check` of a seal's content: sha256 of its canonical JSON without `check`."""
    rest = {key: value for key, value in content.items() if key != "check"}
    return hashlib.sha256(canonical_json(rest).encode("utf-8", "surrogatepass")).hexdigest()


def check(target: Path) -> tuple[Status, list[str]]:
    """Compute the digests of a report folder again, and compare them with its seal. No content of the files raises an exception.

    `target` is the folder or one of its files. "verified" means: every sealed file is there and unchanged, no unsealed report
    lies beside them, and the PDF has the same report.json attached and no active content. A seal without a signature shows that
    the files belong together and are unchanged since it was written; whoever can write the folder can also write another seal.
    A file without its seal cannot be verified.
    """
    try:
        folder = _folder(target)
        seal, problems = read_seal(folder / NAME)
        problems = problems or _differences(folder, seal)
        if not problems and target != folder and target.name not in {NAME, *seal.outputs}:
            problems = [f"{shown(target.name)}: not among the sealed files"]
        notes = _beside(folder, seal)
    except OSError as error:
        name = Path(os.fsdecode(error.filename)).name if error.filename else ""
        return "could not verify", [shown(f"{name}: {error.strerror}" if name else str(error))]
    except MemoryError:
        return "could not verify", ["needs more memory than it may use"]
    except (Unreadable, ValueError, RecursionError) as error:
        return "could not verify", [shown(str(error)) or type(error).__name__]
    if problems:
        return "does not match", problems[:_LINES] + [f"and {len(problems) - _LINES} more"] * (len(problems) > _LINES)
    lines = [f"{name}: sha256 {value.sha256}" for name, value in sorted(seal.outputs.items())]
    return "verified", [*lines, *notes, "matches its seal; the seal bears no signature"]


def _folder(target: Path) -> Path:
    """The report folder of `target`. Raises Unreadable where it is neither a folder nor a file in a folder with a seal."""
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
    """The seal at `path`, read by its strict schema, and a list of the signs that it was changed since it was written.

    Duplicate JSON keys are refused, since programs differ in which one they read. Raises Unreadable or OSError.
    """
    if not os.path.lexists(path):
        raise Unreadable(f"no {NAME} in {path.parent}")
    raw = _bytes(path, _SEAL_BYTES)
    content = _parsed(raw, NAME)
    try:
        seal = Seal.model_validate(content)
    except ValidationError as error:
        raise Unreadable(f"{NAME}: {first_problem(error)}") from error
    if "report.json" not in seal.outputs:
        raise Unreadable(f"{NAME}: names no report.json")
    same = seal.check == checked(content) and raw == (canonical_json(content) + "\n").encode("utf-8", "surrogatepass")
    return seal, [] if same else [f"{NAME}: changed since it was written"]


def _bytes(path: Path, limit: int, expected: Digest | None = None) -> bytes:
    """The content of a regular file, read once, so that checked and used bytes are the same; it must be as `expected`.

    Raises _Changed, Unreadable or OSError. A link, a pipe or a device is not opened.
    """
    try:
        status = path.lstat()
    except FileNotFoundError as error:
        raise _Changed(f"{path.name}: missing") from error
    if not stat.S_ISREG(status.st_mode):
        raise _Changed(f"{path.name}: {'a link' if stat.S_ISLNK(status.st_mode) else 'not a regular file'}")
    if expected is not None and status.st_size != expected.size:
        raise _Changed(f"{path.name}: changed since the seal")
    with open(path, "rb", opener=_no_link) as file:
        raw = file.read(limit + 1) if status.st_size <= limit else b""
    if max(status.st_size, len(raw)) > limit:
        raise Unreadable(f"{path.name}: larger than {limit} bytes")
    if expected is not None and (len(raw), hashlib.sha256(raw).hexdigest()) != (expected.size, expected.sha256):
        raise _Changed(f"{path.name}: changed since the seal")
    return raw


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _parsed(raw: bytes, name: str) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name}: not readable: {error}") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice")
    return table


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _differences(folder: Path, seal: Seal) -> list[str]:
    problems = [f"{shown(name)}: no name of a report file" for name in sorted(seal.outputs) if name not in SEALED]
    read: dict[str, bytes] = {}
    for name in SEALED if not problems else ():
        try:
            if name in seal.outputs:
                read[name] = _bytes(folder / name, _REPORT_BYTES, seal.outputs[name])
        except _Changed as error:
            problems.append(str(error))
    problems += [f"{shown(name)}: not sealed" for name in _unsealed(folder, seal) if name.lower().startswith("report.")]
    return problems or _contradictions(read["report.json"], seal) or _attachment(read.get("report.pdf"), read["report.json"])


def sealed_report(folder: Path, seal: Seal) -> bytes:
    """The bytes of the sealed report.json, if they are unchanged since the seal. Raises Unreadable or OSError."""
    return _bytes(folder / "report.json", _REPORT_BYTES, seal.outputs["report.json"])


def _unsealed(folder: Path, seal: Seal) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name not in {NAME, *seal.outputs})


def _beside(folder: Path, seal: Seal) -> list[str]:
    """A line with the files that the seal does not cover, so that nobody takes them for verified; empty where there are none."""
    names = _unsealed(folder, seal)
    more = f" and {len(names) - _LINES} more" if len(names) > _LINES else ""
    return [f"not sealed, not verified: {', '.join(shown(name) for name in names[:_LINES])}{more}"] if names else []


def _contradictions(report: bytes, seal: Seal) -> list[str]:
    """The contradictions between the sealed report and its seal: another audit, model, data file or policy."""
    content = _upgraded(_parsed(report, "report.json"))
    if _lookup(content, "audit", "id") != seal.audit:
        return [f"report.json: is not the report of audit {shown(seal.audit)}"]
    places: dict[str, tuple[str, ...]] = {"model": ("subject", "digest"), "policy": ("policy", "digest")}
    places |= {role: ("data", "roles", role, "digest") for role in ("holdout", "training", "calibration")}
    problems = [] if "model" in seal.inputs else [f"{NAME}: names no model"]
    for role, place in places.items():
        stated = _lookup(content, *place)
        if seal.inputs.get(role) != (None if stated is None else str(stated).removeprefix("sha256:")):
            problems.append(f"report.json: is the report of another {role} than the seal's")
    return problems


def _upgraded(report: Any) -> Any:
    """A report of an older format with its parts where today's has them. Raises Unreadable for a format of a later version.

    The shape of the rest is not checked: verify says whether files belong together and are unchanged, nothing else.
    """
    if not isinstance(report, dict) or "format" not in report:
        return report
    try:
        return upgraded(report)
    except Refused as error:
        raise Unreadable(f"report.json: {error}") from error


def _attachment(pdf: bytes | None, report: bytes) -> list[str]:
    """The problems of the PDF: another report.json attached than the one beside it, other attachments, or active content."""
    if pdf is None:
        return []
    try:
        inside = attached(pdf, len(report))
    except ForbiddenContent as error:
        return [f"report.pdf: {error}"]
    except UnknownLayout as error:
        raise Unreadable(f"report.pdf: {error}") from error
    same = inside in (report, report.removesuffix(b"\n"))  # the renderer attaches the report without the final line break
    return [] if same else ["report.pdf: the report.json attached to it is another than the one beside it"]


def _lookup(value: Any, *place: str) -> Any:
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def digest(path: Path) -> Digest:
    """sha256 and size of a file."""
    with open(path, "rb") as file:
        return Digest(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)


def shown(text: str) -> str:
    """Text from an untrusted file made harmless for a terminal: control characters are escaped, and at most 300 are kept."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:300])
