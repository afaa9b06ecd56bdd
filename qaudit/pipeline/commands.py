"""The work of the commands besides `run`: register, list, inspect, and render again."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import qaudit.registry.models as registry
from qaudit.core.json_values import Json
from qaudit.errors import Refused
from qaudit.inputs.audit_toml import as_table, audit_date
from qaudit.inputs.options import Settings
from qaudit.pipeline.plan import REGISTERED, load_request, registered_request
from qaudit.pipeline.stages.load import labelled, roles_of
from qaudit.pipeline.stages.load_model import ModelFile, loaded_by, open_file, parameters
from qaudit.pipeline.stages.render import check_custom_template, render
from qaudit.plugin_host.discovery import PluginHost
from qaudit.plugin_host.hooks import open_hooks
from qaudit.report.reading import report_bytes
from qaudit.storage.durable_files import write_bytes
from qaudit.storage.output_folder import output_folder


def register(name: str, settings: Settings, parent: str | None = None) -> str:
    """Register the model file and the rows of `settings` as the next version of `name`; returns "name@version".

    The model is read once, in a child, and the rows are read, so that nothing is registered that an audit could not
    read. The card keeps the settings of the model. Raises Refused.
    """
    registry.check_name(name)
    with tempfile.TemporaryDirectory(prefix="qaudit-") as scratch:
        request = load_request(settings, Path(scratch))
        model_file = read_model_file(request.model, request.trust, Path(scratch))
        positive = settings.subject.positive
        if positive is not None and labelled(positive, model_file.classes) not in model_file.classes:
            raise Refused(
                f"positive = {positive!r}: the classes of the model are {', '.join(model_file.classes) or 'none (regression)'}"
            )
        roles_of(request, model_file)
    paths = {"training": request.training, "calibration": request.calibration}
    files = {"model": request.model, "holdout": request.holdout} | {role: path for role, path in paths.items() if path}
    return registry.register(name, files, card_options(settings), parent, audit_date(settings))


def card_options(settings: Settings) -> Json:
    """The settings of a model that its card keeps, by the name of the option and without unused options."""
    table = as_table(settings)
    options = {each.name: table[each.section][each.key] for each in REGISTERED}
    return {name: value for name, value in options.items() if value not in (None, "", [], {})}


def read_model_file(model: Path, trust: Collection[str], scratch: Path) -> ModelFile:
    """The content of a model file, read in a child process. Raises Refused."""
    host = PluginHost.discover()
    return open_file(model, tuple(trust), open_hooks(host, {"format": host.select("format")}), scratch / "copy")


def models() -> list[Json]:
    """A row for every registered version."""
    return [
        {
            "name": each.name,
            "version": each.version,
            "digest": each.digests["model"],
            "parent": each.parent,
            "created": each.created,
            "file": each.names["model"],
            "files": dict(each.names),
            "options": dict(each.options),
        }
        for each in registry.models()
    ]


def inspect(model: str, trust: Sequence[str]) -> Json:
    """The properties of a model file or of a registered model. Raises Refused."""
    with tempfile.TemporaryDirectory(prefix="qaudit-") as scratch:
        path, trusted = Path(model), list(trust)
        if not path.exists():
            request = registered_request(registry.resolve(model), Path(scratch))
            path, trusted = request.model, [*trusted, *request.trust]
        model_file = read_model_file(path, trusted, Path(scratch))
    return {
        "file": model_file.shown,
        "digest": model_file.digest,
        "size_bytes": model_file.size,
        "format": model_file.format.name,
        "tier": model_file.tier,
        "loaded_by": loaded_by(model_file),
        "family": model_file.family,
        "output": model_file.output,
        "classes": list(model_file.classes),
        "features": [{"name": each.name, "kind": each.kind} for each in model_file.features],
        "parameters": [{"name": p["name"], "shape": "x".join(map(str, p["shape"]))} for p in parameters(model_file.program)],
        "why_not_lowered": model_file.why_not,
        "refittable": model_file.refittable,
    }


def render_again(
    report: Path, folder: Path | None, formats: Sequence[str], lang: str, template: Path | None = None
) -> tuple[tuple[Path, ...], list[str]]:
    """Make the pages of a report.json; returns the files, and notes on what could not be made. Raises Refused.

    A custom template that fails is refused: the user wants these pages and no others. Pages of a sealed folder are only replaced
    by the same bytes, so that they never change after the seal.
    """
    content = report_bytes(report)
    custom_template = check_custom_template(template) if template else None
    target = output_folder(folder or report.parent)
    with tempfile.TemporaryDirectory(prefix="qaudit-") as scratch:
        rendered = render(
            content,
            Path(scratch),
            name=str(report),
            formats=formats,
            lang=lang,
            custom_template=custom_template,
            refused_as=str(template or ""),
        )
        pages = {path.name: path.read_bytes() for path in rendered.files}
        for name, data in pages.items():
            if (target / "seal.json").exists() and not _same(target / name, data):
                raise Refused(f"{target / name}: is sealed and would change; choose another folder with -o")
        for name, data in pages.items():
            write_bytes(target / name, data)
    notes = [f"{row.by}: {row.reason}" for row in rendered.skipped]
    return tuple(target / name for name in pages), notes


def _same(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data
