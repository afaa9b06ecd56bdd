"""Makes the pages, and the two short texts for other programs, from report.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from qaudit.core.evidence import Skipped
from qaudit.core.json_values import Json
from qaudit.errors import Refused, unknown
from qaudit.pipeline.types import Progress
from qaudit.rendering.custom_template.source import CustomTemplate, read_custom_template
from qaudit.rendering.junit import junit
from qaudit.rendering.markdown import markdown
from qaudit.report.model import Report
from qaudit.report.reading import parse_report
from qaudit.sandbox import runner
from qaudit.sandbox.job import Limits, Outcome
from qaudit.storage.durable_files import write_bytes

PAGES = ("html", "pdf")
"""Formats that a child process makes."""
TEXTS: Mapping[str, tuple[str, Callable[[Report], str]]] = MappingProxyType(
    {"md": ("report.md", markdown), "junit": ("report.junit.xml", junit)}
)
"""Short texts, by format: the name of the file, and what writes it without any foreign code."""
FORMATS = (*PAGES, *TEXTS)
LIMITS = Limits(seconds=300.0, memory=3 * 2**30)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The files that were written, what could not be made, and remarks (missing glyphs)."""

    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()


def render(
    content: bytes,
    folder: Path,
    *,
    name: str = "report.json",
    formats: Sequence[str] = PAGES,
    lang: str = "en",
    custom_template: CustomTemplate | None = None,
    refused_as: str = "",
    run: Callable[..., Outcome] = runner.run,
    progress: Progress = lambda line: None,
) -> Rendered:
    """Write the formats of a report.json, whose bytes are `content`, into `folder`, each whole or not at all.

    Raises Refused for an output format that is not known, and for a report that does not fit; errors call it `name`. A PDF that
    cannot be made is a Skipped row; the HTML is made all the same. Where `custom_template` fails, the report is laid out without
    it, and the failure is a row of the report; with `refused_as`, its name there, Refused is raised instead.
    """
    if other := sorted(set(formats) - set(FORMATS)):
        raise Refused(unknown("format", other[0], FORMATS))
    files: list[Path] = []
    skipped: list[Skipped] = []
    notes: list[str] = []
    report = {"report": np.frombuffer(content, dtype=np.uint8)}
    # one unit for each format, so that a failure of the PDF engine does not cost the HTML
    for kind in (kind for kind in PAGES if kind in formats):
        progress(f"render {kind}")
        asked: Json = {"file": name, "formats": [kind], "lang": lang}
        outcome = run(
            "render", {**asked, "custom_template": asdict(custom_template) if custom_template else None}, report, limits=LIMITS
        )
        if custom_template and (why := _template_failure(outcome)):
            if refused_as:
                raise Refused(f"{refused_as}: {why}")
            skipped.append(Skipped("render", f"template {custom_template.name}", f"{why}; {kind} is laid out without it"))
            outcome = run("render", {**asked, "custom_template": None}, report, limits=LIMITS)
        if outcome.failure is not None:
            if outcome.failure.kind == "refused":
                raise Refused(outcome.failure.reason)
            skipped.append(Skipped("render", kind, f"{outcome.failure.kind}: {outcome.failure.reason}"))
            continue
        skipped += [Skipped("render", by, reason) for by, reason in outcome.answer["skipped"]]
        notes += outcome.answer["notes"]
        if kind in outcome.arrays:
            write_bytes(folder / f"report.{kind}", outcome.arrays[kind].tobytes())
            files.append(folder / f"report.{kind}")
    files += _texts(content, folder, name, formats)
    return Rendered(tuple(files), tuple(skipped), tuple(notes))


def _texts(content: bytes, folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    """Write the short texts that are among the formats."""
    wanted = [TEXTS[kind] for kind in TEXTS if kind in formats]
    if not wanted:
        return []
    try:
        report = parse_report(content)
    except Refused as error:
        raise Refused(f"{name}: {error}") from None
    for file, written in wanted:
        write_bytes(folder / file, written(report).encode("utf-8"))
    return [folder / file for file, _ in wanted]


def _template_failure(outcome: Outcome) -> str:
    """Why the template was not used; empty where it was. The template counts as the cause of any failed unit."""
    if outcome.failure is not None:
        return f"{outcome.failure.kind}: {outcome.failure.reason}"
    return str(outcome.answer.get("custom_template", ""))


def check_custom_template(folder: Path, run: Callable[..., Outcome] = runner.run) -> CustomTemplate:
    """The template in `folder`, which a child process checks without rendering it. Raises Refused."""
    custom_template = read_custom_template(folder)
    outcome = run("render", {"formats": [], "custom_template": asdict(custom_template)}, {}, limits=LIMITS)
    if why := _template_failure(outcome):
        raise Refused(f"{folder}: template: {why}")
    return custom_template
