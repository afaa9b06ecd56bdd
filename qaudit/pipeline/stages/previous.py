"""An earlier report beside this one: verdicts that moved, how many stayed, inputs that changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qaudit.core.evidence import FORMAT
from qaudit.core.json_values import Json
from qaudit.errors import Refused

INPUTS: tuple[tuple[str, Sequence[str]], ...] = (
    ("model", ("subject", "digest")),
    ("holdout", ("data", "roles", "holdout", "digest")),
    ("policy", ("policy", "digest")),
    ("judged candidate", ("judged",)),
    ("cut-off", ("subject", "cutoff")),
    ("qaudit", ("qaudit",)),
)
"""Inputs by name, with where they stand in a report. Under another policy verdicts do not compare, and the reader is told."""


def read_report(path: Path) -> tuple[Json, str]:
    """An earlier report.json and "sha256:..." of its bytes. Raises Refused."""
    try:
        content = path.read_bytes()
        report = json.loads(content)
    except OSError as error:
        raise Refused(f"{path}: previous report cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError):
        raise Refused(f"{path}: previous report is not JSON") from None
    found = report.get("format") if isinstance(report, dict) else None
    if found != FORMAT:
        raise Refused(f"{path}: previous report has format {found!r}; this version reads {FORMAT}")
    return report, f"sha256:{hashlib.sha256(content).hexdigest()}"


def compare(report: Json, earlier: Json, digest: str) -> Json:
    """{id, digest, moved: [{limit, title, before, after}], kept, inputs: [text]} of two reports."""
    before = {found["limit"]["id"]: found["verdict"] for found in earlier.get("assessments") or ()}
    moved, kept = [], 0
    for found in report["assessments"]:
        limit, verdict = found["limit"], found["verdict"]
        if limit["id"] not in before:
            continue
        if before[limit["id"]] == verdict:
            kept += 1
        else:
            title = limit["title"] or limit["measure"]
            moved.append({"limit": limit["id"], "title": title, "before": before[limit["id"]], "after": verdict})
    return {
        "id": (earlier.get("audit") or {}).get("id"),
        "digest": digest,
        "moved": moved,
        "kept": kept,
        "inputs": [f"{name} changed" for name, path in INPUTS if _at(report, path) != _at(earlier, path)],
    }


def with_previous(report: Json, earlier: Json) -> list[Json]:
    """The evidence table; rows of the judged candidate carry `previous`, the earlier report's value of the same thing."""
    old = {_same(row, earlier.get("judged")): row["value"] for row in earlier.get("evidence") or ()}
    rows = []
    for row in report["evidence"]:
        value = old.get(_same(row, report["judged"])) if row["about"].get("candidate") == report["judged"] else None
        rows.append(row if value is None else {**row, "previous": value})
    return rows


def _same(row: Mapping[str, Any], judged: str | None) -> tuple[Any, ...]:
    about = {key: "judged" if key == "candidate" and value == judged else value for key, value in row["about"].items()}
    return row["measure"], tuple(sorted(about.items()))


def _at(report: Any, path: Sequence[str]) -> Any:
    for key in path:
        report = report.get(key) if isinstance(report, dict) else None
    return report
