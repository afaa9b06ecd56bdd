"""Does this format know that file? Looks at content only."""

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
    """request["model"] -> {recognised, tier, summary}."""
    formats: list[Format] = list(job.offers.get("format", []))
    if len(formats) != 1:
        raise Refused(f"format plugin: offered {len(formats)} formats, exactly one is wanted")
    job.phase("recognise")
    known = bool(formats[0].recognise(Path(job.request["model"])))
    if known and _claims_noise(formats[0]):
        raise BrokenAnswer("claims every file as its own, even one of noise")
    return {"recognised": known, "tier": formats[0].tier, "summary": formats[0].summary}, {}


def _claims_noise(known: Format) -> bool:
    """Whether the format takes 4096 bytes without any form for its own."""
    with tempfile.TemporaryDirectory() as folder, suppress(Exception):  # a reader that fails on noise does not claim it
        noise = Path(folder) / "noise.bin"
        noise.write_bytes(NOISE)
        return bool(known.recognise(noise))
    return False
