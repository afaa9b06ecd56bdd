"""Writes seal.json with the digests of all inputs and outputs; `verify` computes them again in a child process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from qaudit.core.json_values import Json
from qaudit.errors import Refused
from qaudit.sandbox import runner
from qaudit.sandbox.job import Limits
from qaudit.seal.verification import NAME, SEALED, Seal, Status, checked, digest
from qaudit.storage.durable_files import write_json

EXITS: Mapping[Status, int] = {"verified": 0, "does not match": 1, "could not verify": 2}
LIMITS = Limits(seconds=20.0, memory=2 * 2**30)


def seal(folder: Path, inputs: Mapping[str, str], *, audit: str, version: str, repeat: Json | None = None) -> Path:
    """Write seal.json over the report files in `folder`. `inputs` are sha256 hex digests by role. Raises Refused.

    `repeat` has the settings with which `verify --rerun` repeats the audit.
    """
    for role, digest_text in inputs.items():
        if not re.fullmatch(r"[0-9a-f]{64}", digest_text):
            raise Refused(f"seal: {role}: {digest_text!r} found, wanted: 64 hex digits")
    outputs = {name: digest(folder / name) for name in SEALED if (folder / name).is_file()}
    if "report.json" not in outputs:
        raise Refused(f"{folder}: no report.json to seal")
    value = Seal(format=1, qaudit=version, audit=audit, inputs=dict(inputs), outputs=outputs, repeat=repeat or {}, check="")
    content = value.model_dump()
    write_json(folder / NAME, content | {"check": checked(content)})
    return folder / NAME


def verify(target: Path, limits: Limits = LIMITS) -> tuple[Status, list[str]]:
    """Whether a report folder (or the folder of one of its files) holds what its seal says; see `qaudit.seal.verification.check`.

    The files may come from anyone, so a child process reads them. If it fails or exceeds `limits`, the status says so.
    """
    outcome = runner.run("verify", {"target": str(target.absolute())}, limits=limits)
    if outcome.failure is not None:
        return "could not verify", [outcome.failure.reason]
    return outcome.answer["status"], list(outcome.answer["lines"])
