"""Asks a format whether it recognises a model file by its content."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.core.records import Format
from qaudit.errors import Refused
from qaudit.sandbox.ipc import BrokenAnswer
from qaudit.sandbox.job import Job

NOISE = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(128))


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """request["model"] -> {recognised, tier, summary}.

    Raises BrokenAnswer for a format that recognises random bytes too: it would take files that belong to other formats.
    """
    formats: list[Format] = list(job.offers.get("format", []))
    if len(formats) != 1:
        raise Refused(f"format plugin: offered {len(formats)} formats, exactly one is wanted")
    job.phase("recognise")
    recognised = bool(formats[0].recognise(Path(job.request["model"])))
    if recognised and _claims_noise(formats[0]):
        raise BrokenAnswer("claims every file as its own, even one of noise")
    return {"recognised": recognised, "tier": formats[0].tier, "summary": formats[0].summary}, {}


def _claims_noise(model_format: Format) -> bool:
    """Whether the format recognises a file of 4096 pseudo-random bytes."""
    with tempfile.TemporaryDirectory() as folder, suppress(Exception):  # a reader that fails on noise does not claim it
        noise = Path(folder) / "noise.bin"
        noise.write_bytes(NOISE)
        return bool(model_format.recognise(noise))
    return False
