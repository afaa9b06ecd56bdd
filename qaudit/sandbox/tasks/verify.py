"""Verifies that a sealed report folder is unchanged since it was sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.sandbox.job import Job
from qaudit.seal.verification import check


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """request["target"] (the absolute path of a folder, or of a file in it) -> {status, lines}."""
    job.phase("read")
    status, lines = check(Path(job.request["target"]))
    return {"status": status, "lines": lines}, {}
