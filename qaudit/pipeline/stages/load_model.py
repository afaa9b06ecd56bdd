"""Reads the model file: a private copy, the format that recognises it, trust, and its content."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from qaudit.core.evidence import Skipped
from qaudit.core.json_values import Json
from qaudit.core.program import Program
from qaudit.core.records import Feature, Tier
from qaudit.errors import Refused
from qaudit.inputs.data import read_bytes
from qaudit.plugin_host.hooks import Hooks
from qaudit.sandbox.answers import MALFORMED, broken
from qaudit.sandbox.job import Call, Outcome, PluginRef
from qaudit.sandbox.pack_program import unpack_program
from qaudit.sandbox.runner import keep_unit

TIERS: tuple[Tier, ...] = ("data", "checked", "code")


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """A model file that was read: the private copy, its digest, the format that read it, and its content."""

    path: Path
    shown: str
    digest: str
    size: int
    format: PluginRef
    tier: Tier
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    output: str
    family: str
    width: int
    program: Program | None
    why_not: str | None
    refittable: bool
    categories: Mapping[str, Sequence[str]]
    skipped: tuple[Skipped, ...] = ()


def private_copy(path: Path, shown: str, folder: Path | None = None) -> tuple[Path, str, int]:
    """The file read once into a 0700 folder: the copy, its digest ("sha256:...") and its size. From then on only the copy is
    used.

    Without `folder` one is made and removed when the process ends. Raises Refused for anything but a non-empty regular file.
    """
    data = read_bytes(path)
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="qaudit-model-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = folder / shown
    copy.unlink(missing_ok=True)  # an existing link is removed, and its target is not touched
    with open(copy, "xb", opener=_open_new) as file:
        file.write(data)
    return copy, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)


def _open_new(path: str, flags: int) -> int:
    """Open a new file with mode 0600, never an existing one, which could be a link to another file."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _recognised_by(copy: Path, shown: str, hooks: Hooks) -> tuple[PluginRef, Tier, tuple[Skipped, ...]]:
    """The format plugin that recognises the file; of several the one that trusts the file least, then by name."""
    answers = hooks.qaudit_offer_formats(model=copy)
    skipped = tuple(answer.skipped for answer in answers if answer.skipped is not None)
    known = [answer for answer in answers if answer.skipped is None and answer.outcome.answer["recognised"]]
    if not known:
        tried = ", ".join(answer.plugin.name for answer in answers) or "none"
        raise Refused(f"{shown}: no model format recognises this file (tried: {tried})")
    first = min(known, key=lambda answer: (TIERS.index(answer.outcome.answer["tier"]), answer.plugin.name))
    return first.plugin, cast(Tier, first.outcome.answer["tier"]), skipped


def _trusted(digest: str, trust: Collection[str]) -> bool:
    return digest in {text if text.startswith("sha256:") else f"sha256:{text}" for text in trust}


def failed(outcome: Outcome, shown: str, reader: PluginRef, files: Mapping[str, str] | None = None) -> Refused:
    """The refusal for a model that could not be read or called. From the phase `load` on a crash is attributed to the model."""
    failure = outcome.failure
    assert failure is not None
    if failure.kind == "refused":
        what, colon, rest = failure.reason.partition(": ")
        return Refused(f"{({'model': shown} | dict(files or {})).get(what, what)}{colon}{rest}")
    who = "the model" if failure.blame == "model" else f"its reader {reader.name}"
    rest = "" if failure.kind in ("crashed", "timed out", "out of memory", "no answer") else "failed: "
    return Refused(f"{shown}: {who} {rest}{failure.reason}")


def open_file(
    path: Path,
    trust: Collection[str],
    hooks: Hooks,
    folder: Path | None = None,
    shown: str | None = None,
) -> ModelFile:
    """Read a model file. Raises Refused; no code of the file runs without trust by digest."""
    shown = shown or path.name
    copy, digest, size = private_copy(path, shown, folder)
    ref, tier, skipped = _recognised_by(copy, shown, hooks)
    if tier == "code" and not _trusted(digest, trust):
        raise Refused(f"{shown}: reading this file ({ref.name}) can run code from it; if you trust it, pass --trust {digest}")
    call = Call("inspect_model", {"model": str(copy)}, {}, (ref,))
    outcome = hooks.qaudit_run_unit(call=call)
    if outcome.failure is not None:
        raise failed(outcome, shown, ref)
    answer = outcome.answer
    try:
        program = None if answer["program"] is None else unpack_program(answer["program"], outcome.arrays)
    except MALFORMED as error:
        keep_unit(call, outcome, broken(error))
        raise Refused(f"{shown}: its reader {ref.name} failed: {broken(error)}") from error
    return ModelFile(
        path=copy,
        shown=shown,
        digest=digest,
        size=size,
        format=ref,
        tier=tier,
        features=tuple(Feature(f["name"], f["kind"], f["takes_missing"]) for f in answer["features"]),
        classes=tuple(answer["classes"]),
        output=answer["output"],
        family=answer["family"],
        width=int(answer["width"]),
        program=program,
        why_not=answer["why_not"],
        refittable=bool(answer["refittable"]),
        categories=answer["categories"],
        skipped=skipped,
    )


def loaded_by(model_file: ModelFile) -> str:
    """How the file was read, in words for the report."""
    if model_file.tier == "code":
        return "loaded by executing code in the file, trusted by digest"
    if model_file.tier == "checked":
        return "loaded from a file of checked types; no code in it is executed by design"
    return "loaded as data; the file holds no code"


def parameters(program: Program | None) -> list[Json]:
    """The entry report.subject.parameters."""
    if program is None:
        return []
    return [{"name": p.name, "role": p.role, "shape": list(p.values.shape)} for p in program.parameters().values()]
