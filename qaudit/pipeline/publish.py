"""The end of an audit: the list of plugins, the timings, and the sealed folder."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from qaudit.cache.unit_cache import UnitCache
from qaudit.core.__about__ import VERSION
from qaudit.core.evidence import Skipped, canonical_json
from qaudit.core.json_values import Json
from qaudit.pipeline.plan import Plan
from qaudit.pipeline.stages.seal import seal
from qaudit.pipeline.types import LoadedSubject
from qaudit.sandbox import runner
from qaudit.seal.verification import NAME, SEALED
from qaudit.storage.durable_files import remove_partial_files, replace_all
from qaudit.storage.output_folder import output_folder


def plugin_rows(plan: Plan, subject: LoadedSubject, lists: Sequence[Json], skipped: Sequence[Skipped]) -> list[Json]:
    """A row for every discovered plugin; the rows of the stages quantize and explain replace those of their plugins."""
    used = {("format", subject.format.name), *(("framework", str(entry["id"])) for entry in lists)}
    failed = {("framework", row.by): row.reason for row in skipped}
    failed |= {
        ("format", row.by): row.reason for row in subject.skipped if row.by in {ref.name for ref in plan.plugins["format"]}
    }
    rows: list[Json] = []
    for ref in plan.host.refs:
        key = (ref.kind, ref.name)
        status = "ran" if key in used else "failed" if key in failed else "unselected"
        reason = failed.get(key, "") if status == "failed" else ""
        if ref.kind == "format" and status == "unselected":
            reason = "another format read the model file"
        owner = {"kind": ref.kind, "name": ref.name, "distribution": ref.distribution, "version": ref.version}
        failures = plan.host.expected_failures(ref)
        declared = {"expected_failures": failures} if failures else {}
        rows.append(
            {**owner, "digest": ref.digest, "summary": "", "status": status, "reason": reason, "settings": {}, **declared}
        )
    return rows


def timings(stages: Mapping[str, float], candidates: Mapping[str, float], units: UnitCache) -> Json:
    """Values that depend on the machine and the time. They are written beside the report and not sealed."""
    return {
        "host": platform.node(),
        "network_of_units": runner.network_state(),
        "processes_of_units": runner.process_state(),
        "units": {"ran": units.ran, "from_store": units.kept},
        "stage_seconds": {name: round(seconds, 3) for name, seconds in stages.items()},
        "candidate_seconds": {name: float(f"{seconds:.3g}") for name, seconds in candidates.items()},
        "note": "not sealed",
    }


def publish(
    pages: Path,
    folder: Path,
    inputs: Mapping[str, str],
    audit: str,
    times: Json,
    log: Sequence[str],
    repeat: Json | None = None,
    sealed: bool = True,
) -> tuple[Path, ...]:
    """Seal the finished pages and put them into `folder`, whose lock the caller holds. Raises Refused.

    Authors of plugins get the pages without a seal (`sealed` False).

    The old seal is removed before any page changes, and the new one is written last. Where the disk is full the old report does
    not change.
    """
    output_folder(folder)
    remove_partial_files(folder)
    if sealed:
        seal(pages, inputs, audit=audit, version=VERSION, repeat=repeat)
    made = {name: (pages / name).read_bytes() for name in (*SEALED, NAME) if (pages / name).is_file()}
    beside = {"timings.json": canonical_json(times) + "\n", "log.txt": "".join(f"{line}\n" for line in log)}
    contents = made | {name: text.encode("utf-8") for name, text in beside.items()}
    replace_all(folder, contents, [name for name in SEALED if name not in made], NAME)
    return tuple(folder / name for name in made)
