"""`verify --rerun`: repeats an audit and compares its evidence with the sealed one.

The seal names no path: inputs are located by their digests, in the registry and in folders that the caller names. The caller must
state trust and plugin files again; a seal cannot state them.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from threadpoolctl import threadpool_limits

import qaudit.pipeline.run as auditing
from qaudit.core.evidence import Evidence, canonical_json
from qaudit.core.json_values import Json
from qaudit.errors import Refused
from qaudit.inputs.audit_toml import validated
from qaudit.inputs.data import LARGEST
from qaudit.inputs.options import OPTIONS, Settings
from qaudit.pipeline.environment import environment
from qaudit.pipeline.plan import linked_under_name, make_plan
from qaudit.pipeline.progress import Reporter
from qaudit.pipeline.stages.seal import verify
from qaudit.plugin_host.hooks import open_hooks
from qaudit.registry import models
from qaudit.report.model import Report
from qaudit.report.reading import parse_report
from qaudit.seal.verification import NAME, Seal, Status, Unreadable, read_seal, sealed_report, shown
from qaudit.storage.digests import file_sha256

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""The declared tolerance. Another BLAS kernel changes the last bits of sums, some 1e-16 each; no page prints as many digits."""
Grade = Literal["bit-exact", "within tolerance", "differs"]
GRADES: tuple[Grade, ...] = get_args(Grade)
_PLACES = {
    "model": ("subject", "model"),
    "holdout": ("data", "holdout"),
    "training": ("data", "train"),
    "calibration": ("data", "calibration"),
    "policy": ("policy", "file"),
}
_RAN = ("ran", "declined", "failed")


def rerun(
    target: Path,
    *,
    inputs: Sequence[Path] = (),
    trust: Sequence[str] = (),
    plugins: Sequence[str] = (),
    jobs: int = 2,
    reporter: Reporter | None = None,
) -> tuple[Status, list[str]]:
    """Verify a sealed folder, repeat its audit from inputs of the same digests, and grade every value and finding.

    `inputs` are files, or folders in which the recorded names are looked for, besides the registry, the report's folder and the
    current one. Nothing is written. verified: no value differs beyond the declared tolerance.
    """
    status, lines = verify(target)
    if status != "verified":
        return status, lines
    folder = target if target.is_dir() else target.parent
    try:
        seal, _ = read_seal(folder / NAME)
        report = parse_report(sealed_report(folder, seal))
        with tempfile.TemporaryDirectory(prefix="qaudit-") as scratch:
            files = _inputs(seal, (*inputs, folder, Path.cwd()), Path(scratch), folder)
            settings = _settings(seal, report, files, (*trust, *_own_trust(seal)), plugins, jobs)
            again = _again(settings, Path(scratch), reporter or Reporter())
        return _graded(report, again)
    except (Refused, Unreadable) as error:
        return "could not verify", [str(error)]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        return "could not verify", [f"the sealed files are not those of this version: {type(error).__name__} {shown(str(error))}"]


def _inputs(seal: Seal, sources: Sequence[Path], scratch: Path, sent: Path) -> dict[str, Path]:
    """Links to files of the recorded digests under their recorded names, by role. Raises Refused where one is not found.

    Links in `sent`, a folder that may come from anyone, are not followed, and a file that is too large to be data is not read.
    """
    links: dict[str, Path] = {}
    for role, name in sorted(seal.repeat["files"].items()):
        if role not in _PLACES:
            raise ValueError(f"role {role!r}")
        wanted = seal.inputs[role]
        for path in _candidates(wanted, str(name), sources):
            foreign = path.is_symlink() and path.parent.samefile(sent)
            if not foreign and path.is_file() and path.stat().st_size <= LARGEST and file_sha256(path) == wanted:
                links[role] = linked_under_name(path, scratch / role, str(name))
                break
        else:
            where = ", ".join(dict.fromkeys(str(source) for source in sources))
            raise Refused(
                f"{role}: no file of sha256 {wanted} ({shown(str(name))}) in the registry, {where}; name it with --inputs"
            )
    return links


def _candidates(digest: str, name: str, sources: Sequence[Path]) -> Iterator[Path]:
    yield models.home() / "blobs" / digest
    for source in sources:
        yield source / Path(name).name if source.is_dir() else source


def _own_trust(seal: Seal) -> tuple[str, ...]:
    """The trust that the registry of this user states for the model. It does not come from the seal."""
    model = f"sha256:{seal.inputs['model']}"
    return tuple(
        text for each in models.models() if each.digests.get("model") == model for text in each.options.get("trust") or ()
    )


def _settings(
    seal: Seal, report: Report, files: Mapping[str, Path], trust: Sequence[str], plugins: Sequence[str], jobs: int
) -> Settings:
    """The sealed settings with the located files. Keys that name files or state trust are not taken from the seal."""
    recorded = seal.repeat
    table: Json = {key: value for key, value in recorded["settings"].items() if key not in ("report", "run", "author")}
    table["subject"] = {**recorded["subject"], "trust": list(dict.fromkeys(trust))}
    table["data"] = {key: value for key, value in recorded["data"].items() if value is not None}
    table["policy"] = _repeated("policy", recorded)
    for role, path in files.items():
        part, key = _PLACES[role]
        table[part][key] = str(path)
    for kind in ("quantizer", "explainer"):
        if table.get(f"{kind}s") is None:
            rows = [row for row in report.plugins if row.kind == kind and row.status in _RAN]
            table[f"{kind}s"] = [{"name": f"{row.distribution}:{row.name}"} for row in rows]
    table["run"] = {**_repeated("run", recorded), "jobs": jobs, "plugins": list(plugins)}
    table["report"] = {"id": seal.audit, "date": report.audit.date, "frameworks": []}
    return validated(table, NAME)


def _repeated(section: str, recorded: Json) -> Json:
    """The recorded settings of a table without paths and without those that the caller must state."""
    keys = [each.key for each in OPTIONS if each.section == section and each.option.identity]
    return {key: value for key, value in recorded["settings"][section].items() if key in keys}


def _again(settings: Settings, scratch: Path, show: Reporter) -> Report:
    with threadpool_limits(limits=1):
        plan = make_plan(settings, scratch / "none", scratch)
        hooks = open_hooks(plan.host, plan.plugins, jobs=settings.run.jobs, progress=show)
        return auditing.run_stages(plan, None, hooks, show).report


def _graded(sealed: Report, again: Report) -> tuple[Status, list[str]]:
    grades = grade_rows(sealed.evidence, again.evidence)
    extra = len(again.evidence) - sum(measured for _, measured in grades)
    counts = Counter(grade for grade, _ in grades)
    lines = [
        f"evidence: {counts['bit-exact']} values bit-exact, {counts['within tolerance']} within tolerance"
        f" (relative {RELATIVE:g}, absolute {ABSOLUTE:g}), {counts['differs']} differ"
    ]
    if extra > 0:
        lines.append(f"{extra} values were measured that the sealed report does not have")
    for finding in sealed.findings:
        grade = max((grades[row][0] for row in finding.evidence), key=GRADES.index, default=GRADES[0])
        lines.append(f"{finding.code}: {grade}: {shown(finding.statement)}")
    verdicts = {each.limit.id: each.verdict for each in again.assessments}
    moved = False
    for each in sealed.assessments:
        now = verdicts.get(each.limit.id, "not there")
        moved |= now != each.verdict
        lines.append(f"limit {shown(each.limit.id)}: {each.verdict}, repeated: {now}")
    lines += _environment_changes(sealed, again)
    return ("does not match" if counts["differs"] or extra > 0 or moved else "verified"), lines


def grade_rows(sealed: Sequence[Evidence], again: Sequence[Evidence]) -> list[tuple[Grade, bool]]:
    """For each sealed row of evidence its grade, and whether the repeated audit has a row of the same measure and subject."""
    others: defaultdict[str, list[Evidence]] = defaultdict(list)
    for row in again:
        others[_identity(row)].append(row)
    grades: list[tuple[Grade, bool]] = []
    for row in sealed:
        same = others[_identity(row)]
        grades.append((_grade(row, same.pop(0)), True) if same else ("differs", False))
    return grades


def _identity(row: Evidence) -> str:
    return canonical_json([row.measure, row.about, row.by, row.unit, row.topic])


def _grade(row: Evidence, other: Evidence) -> Grade:
    pairs = list(zip(_numbers(row), _numbers(other), strict=True))
    if all(a == b for a, b in pairs):
        return "bit-exact"
    close = all(
        a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)) for a, b in pairs
    )
    return "within tolerance" if close else "differs"


def _numbers(row: Evidence) -> list[float | None]:
    low, high = (row.interval.low, row.interval.high) if row.interval else (None, None)
    return [row.value, row.n, low, high]


def _environment_changes(sealed: Report, again: Report) -> list[str]:
    """Differences between the environment of the sealed audit and this one: versions, processor, code of plugins."""
    was, now = sealed.environment, environment()
    there_and_here = {key: (getattr(was, key), now[key]) for key in ("python", "platform", "cpu", "blas")}
    lines = [f"{key}: {shown(there)} there, {here} here" for key, (there, here) in there_and_here.items() if there != here]
    for name in sorted({*was.packages, *now["packages"]}):
        if (there := was.packages.get(name)) != (here := now["packages"].get(name)):
            lines.append(f"{shown(name)}: {shown(str(there))} there, {here} here")
    code = {(row.kind, row.distribution, row.name): row.digest for row in again.plugins}
    for row in sealed.plugins:
        if row.status in _RAN and row.kind != "framework" and code.get((row.kind, row.distribution, row.name)) != row.digest:
            lines.append(f"{row.kind} {shown(row.name)}: other code than there")
    return lines
