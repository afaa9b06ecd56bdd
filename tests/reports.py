"""Reports for tests of what reads them: the golden one as plain values that a test may change, and the way to a checked one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qaudit.report.model import Report
from qaudit.report.reading import parse_report

GOLDEN = Path(__file__).parent / "golden" / "report.json"
Json = dict[str, Any]


def golden() -> Json:
    """A plausible report with invented numbers; a new copy each time."""
    found: Json = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def smallest() -> Json:
    """The least that a report can hold: a model that was loaded, and nothing else."""
    digest = "sha256:" + "0" * 64
    black_box = {
        "proved": False,
        "statement": "Not lowered.",
        "rows": 0,
        "max_error": None,
        "bound": None,
        "ambiguous_rows": [],
        "ambiguous_count": 0,
        "why_not": "a black box",
    }
    subject = {
        **dict.fromkeys(("version", "parent", "positive", "cutoff", "cutoff_source")),
        **{
            "name": "m",
            "digest": digest,
            "format": "f",
            "tier": "data",
            "family": "model",
            "loaded_by": "f",
            "output": "regression",
        },
        **{"classes": [], "target": "y", "size_bytes": 1, "features": [], "parameters": [], "lowering": black_box},
    }
    holdout = {"file": "h.csv", "digest": digest, "rows": 1, "how": ""}
    data: Json = {"roles": {"holdout": holdout}, "overlap": [], "columns": [], "groups": [], "target": [], "notes": []}
    environment = {"python": "3", "platform": "Linux", "cpu": "x", "blas": "b", "packages": {}, "pdf": {}}
    lists = (
        "plugins",
        "candidates",
        "evidence",
        "explanations",
        "findings",
        "assessments",
        "skipped",
        "frameworks",
        "next_steps",
    )
    return {
        "format": 3,
        "qaudit": "0",
        "audit": {"id": "x", "date": "2026-01-31", "seed": 0, "bits": None},
        "subject": subject,
        "data": data,
        "environment": environment,
        "author": {},
        **{name: [] for name in lists},
        **dict.fromkeys(("judged", "policy", "previous")),
    }


def content(report: Json) -> bytes:
    """The report as the bytes of a file."""
    return json.dumps(report).encode("utf-8")


def typed(report: Json) -> Report:
    """The report as the pages read it."""
    return parse_report(content(report))
