"""seal.json: the digests of every input and output, written last. `verify` repeats them in a child of its own."""

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

    `repeat` is what `verify --rerun` needs to ask for the same audit again.
    """
    for role, given in inputs.items():
        if not re.fullmatch(r"[0-9a-f]{64}", given):
            raise Refused(f"seal: {role}: {given!r} found, wanted: 64 hex digits")
    outputs = {name: digest(folder / name) for name in SEALED if (folder / name).is_file()}
    if "report.json" not in outputs:
        raise Refused(f"{folder}: no report.json to seal")
    value = Seal(format=1, qaudit=version, audit=audit, inputs=dict(inputs), outputs=outputs, repeat=repeat or {}, check="")
    content = value.model_dump()
    write_json(folder / NAME, content | {"check": checked(content)})
    return folder / NAME


def verify(target: Path, limits: Limits = LIMITS) -> tuple[Status, list[str]]:
    """Whether a report folder (or the folder of one of its files) holds what its seal says; see `qaudit.seal.verification.check`.

    A child reads what may be a stranger's files; one that ends badly, or needs more than `limits`, is an answer too.
    """
    outcome = runner.run("verify", {"target": str(target.absolute())}, limits=limits)
    if outcome.failure is not None:
        return "could not verify", [outcome.failure.reason]
    return outcome.answer["status"], list(outcome.answer["lines"])
