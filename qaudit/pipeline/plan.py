"""Everything that can be refused before any work is done: the subject, the plugins, the policy, the date, the output folder."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaudit.cache import atomic_io
from qaudit.core.evidence import Skipped, canonical_json
from qaudit.core.json_values import Json
from qaudit.core.plugin_settings import Chosen
from qaudit.errors import Refused
from qaudit.inputs.audit_toml import PluginPart, Settings, audit_date
from qaudit.inputs.policy import Policy, read_policy
from qaudit.pipeline import environment
from qaudit.pipeline.stages.load import LoadRequest
from qaudit.plugin_host.discovery import KINDS, PluginHost
from qaudit.registry import models
from qaudit.registry.models import Registered
from qaudit.sandbox.job import PluginRef

_NOT_SETTINGS = {
    "subject": ("model", "registered"),
    "data": ("holdout", "train", "calibration"),
    "policy": ("file",),
    "report": ("id", "previous", "formats", "lang", "template"),
    "run": ("jobs", "plugins"),
}
"""Keys whose content has a digest of its own, or that change no number."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the road needs besides its stages. `plugins[kind]` are selected, `selections[kind]` the author's settings by name."""

    settings: Settings
    request: LoadRequest
    host: PluginHost
    plugins: Mapping[str, Sequence[PluginRef]]
    selections: Mapping[str, Mapping[str, Chosen]]
    policy: Policy | None
    date: str
    skipped: tuple[Skipped, ...]


def make_plan(settings: Settings, output: Path | None, scratch: Path) -> Plan:
    """Check what is asked for. Raises Refused with one line; nothing is written but links in `scratch`."""
    if (reason := environment.supported()) is not None:
        raise Refused(reason)
    atomic_io.probe(output or Path.cwd())
    date = audit_date(settings)
    policy = read_policy(Path(settings.policy.file)) if settings.policy.file else None
    host = PluginHost.discover([Path(file) for file in settings.run.plugins])
    chosen = {"quantizer": settings.quantizers, "explainer": settings.explainers}
    plugins: dict[str, Sequence[PluginRef]] = {
        kind: host.select(kind, _names(chosen.get(kind))) for kind in KINDS if kind != "framework"
    }
    wanted = settings.report.frameworks
    plugins["framework"] = host.select("framework", list(wanted) if wanted is not None else None)
    doubled = tuple(row for kind in KINDS if _names(chosen.get(kind)) is None for row in host.doubled(kind))
    selections = {kind: _selections(parts) for kind, parts in chosen.items()}
    return Plan(settings, _request(settings, scratch), host, plugins, selections, policy, date, doubled)


def _names(parts: Sequence[PluginPart] | None) -> list[str] | None:
    return None if parts is None else [part.name for part in parts]


def _selections(parts: Sequence[PluginPart] | None) -> dict[str, Chosen]:
    """Settings by plugin name; a plugin named twice takes both lists of values."""
    found: dict[str, Chosen] = {}
    for part in parts or ():
        name = part.name.rpartition(":")[2]
        if name in found:
            raise Refused(f"plugin {name!r} stands twice; give its settings as lists in one table")
        found[name] = part.settings
    return found


def _request(settings: Settings, scratch: Path) -> LoadRequest:
    """The load stage's request: a registered model's files, or those named; what the author says wins over the registry."""
    subject, data = settings.subject, settings.data
    if subject.registered is None:
        base = _from_files(settings)
    elif subject.model is not None:
        raise Refused("[subject] has registered and model; one of them is wanted")
    else:
        base = registered_request(models.resolve(subject.registered), scratch)
    said: dict[str, Any] = {
        "target": subject.target,
        "holdout": _path(data.holdout),
        "training": _path(data.train),
        "calibration": _path(data.calibration),
        "groups": data.groups or None,
        "positive": subject.positive,
        "cutoff": subject.cutoff,
        "calibration_share": data.calibration_share,
        "missing": data.missing or None,
        "name": subject.name,
        "types": {**base.types, **data.types},
        "trust": tuple(sorted({*base.trust, *subject.trust})),
        "seed": settings.run.seed,
        "workdir": scratch / "copy",
    }
    return dataclasses.replace(base, **{key: value for key, value in said.items() if value is not None})


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _from_files(settings: Settings) -> LoadRequest:
    subject, data = settings.subject, settings.data
    for key, value in (
        ("[subject] model", subject.model),
        ("[data] holdout", data.holdout),
        ("[subject] target", subject.target),
    ):
        if value is None:
            raise Refused(f"{key}: missing; an audit of a model file needs model, holdout and target (--target COLUMN)")
    model = Path(str(subject.model))
    return LoadRequest(model=model, holdout=Path(str(data.holdout)), target=str(subject.target), name=model.stem)


def registered_request(model: Registered, scratch: Path) -> LoadRequest:
    """A registered model's request. Its files appear under the names they came with, so that the report can say them."""
    files = {role: linked_under_name(path, scratch / role, model.names[role]) for role, path in model.files.items()}
    options = model.options
    return LoadRequest(
        model=files["model"],
        holdout=files["holdout"],
        target=str(options["target"]),
        training=files.get("training"),
        calibration=files.get("calibration"),
        groups=tuple(options.get("groups") or ()),
        types=dict(options.get("types") or {}),
        positive=options.get("positive"),
        cutoff=options.get("cutoff"),
        trust=tuple(options.get("trust") or ()),
        missing=tuple(options.get("missing") or ()),
        name=model.name,
        version=model.version,
        parent=model.parent,
    )


def linked_under_name(blob: Path, folder: Path, name: str) -> Path:
    """A link to the file under the name it came with."""
    folder.mkdir(mode=0o700)
    link = folder / (Path(name).name or "file")
    link.symlink_to(blob.absolute())
    return link


def _without_paths(settings: Settings) -> Json:
    written = settings.model_dump(mode="json")
    for part, keys in _NOT_SETTINGS.items():
        written[part] = {key: value for key, value in written[part].items() if key not in keys}
    return written


def repeat_record(plan: Plan) -> Json:
    """What the audit was told, without any path: enough to ask for it again where the files are found by their digests."""
    request = plan.request
    data = {"model": request.model, "holdout": request.holdout, "training": request.training, "calibration": request.calibration}
    files = {role: request.shown(role, path) for role, path in data.items() if path is not None}
    if plan.settings.policy.file is not None:
        files["policy"] = Path(plan.settings.policy.file).name
    subject = {"target": request.target, "positive": request.positive, "cutoff": request.cutoff, "name": request.name}
    rows: Json = {"groups": list(request.groups), "types": dict(request.types), "missing": list(request.missing)}
    rows["calibration_share"] = request.calibration_share
    return {"settings": _without_paths(plan.settings), "subject": subject, "data": rows, "files": files}


def identity(plan: Plan, roles: Mapping[str, Mapping[str, Any]], model: str) -> tuple[str, dict[str, str]]:
    """The audit's id and its input digests by role: model, data files, policy, and the settings without paths."""
    written = _without_paths(plan.settings)
    inputs = {"model": model, **{role: str(entry["digest"]) for role, entry in roles.items()}}
    inputs["settings"] = hashlib.sha256(canonical_json(written).encode()).hexdigest()
    if plan.policy is not None:
        inputs["policy"] = plan.policy.digest
    if plan.settings.report.previous is not None:
        inputs["previous"] = atomic_io.digest(Path(plan.settings.report.previous))
    inputs = {role: value.removeprefix("sha256:") for role, value in sorted(inputs.items())}
    name = plan.settings.report.id or hashlib.sha256(canonical_json(inputs).encode()).hexdigest()[:12]
    return name, inputs
