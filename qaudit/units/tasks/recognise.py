"""Does this format know that file? Looks at content only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from qaudit.core.records import Format
from qaudit.errors import Refused
from qaudit.units.job import Job, Json


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """request["model"] -> {recognised, tier, summary}."""
    formats: list[Format] = list(job.offers.get("format", []))
    if len(formats) != 1:
        raise Refused(f"format plugin: offered {len(formats)} formats, exactly one is wanted")
    job.phase("recognise")
    known = bool(formats[0].recognise(Path(job.request["model"])))
    return {"recognised": known, "tier": formats[0].tier, "summary": formats[0].summary}, {}
