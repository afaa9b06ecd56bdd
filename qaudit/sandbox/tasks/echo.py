"""The smallest task: it loads the plugins as every task does and returns its input unchanged."""

from __future__ import annotations

from qaudit.core.json_values import Json
from qaudit.sandbox.job import Arrays, Job


def work(job: Job) -> tuple[Json, Arrays]:
    """The request, the names of the offered records by kind, and the unchanged arrays."""
    names = {kind: [getattr(record, "name", None) or record.id for record in records] for kind, records in job.offers.items()}
    return {"request": job.request, "offers": names}, job.arrays
