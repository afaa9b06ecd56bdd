"""Checks all that can be refused before any work: the subject, the plugins, the policy, the date, and the output folder."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaudit.core.catalogue.measures import OF_PLUGIN
from qaudit.core.evidence import Skipped, canonical_json
from qaudit.core.json_values import Json
from qaudit.core.plugin_settings import Chosen
from qaudit.errors import Refused, did_you_mean
from qaudit.inputs.audit_toml import as_table, audit_date
from qaudit.inputs.option import REGISTER, TOML
from qaudit.inputs.options import OPTIONS, PluginPart, Settings
from qaudit.inputs.policy import Policy, read_policy
from qaudit.pipeline import environment
from qaudit.pipeline.stages.load import LoadRequest
from qaudit.plugin_host.discovery import KINDS, Kind, PluginHost
from qaudit.registry import models
from qaudit.registry.models import Registered
from qaudit.sandbox.job import PluginRef
from qaudit.storage.digests import file_sha256
from qaudit.storage.output_folder import check_writable

_OF_THE_MODEL = tuple(each for each in OPTIONS if each.section in ("subject", "data"))
REGISTERED = tuple(each for each in _OF_THE_MODEL if each.on(REGISTER) and not each.option.path)
"""The options that the card of a registered model keeps; those with a path are files of the registry."""
_FIELDS = {"train": "training"}
"""The fields of LoadRequest whose name is not that of the option."""
MEASURING: tuple[Kind, ...] = ("quantizer", "explainer")
"""Kinds of plugins that may declare measures of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The checked request of an audit.

    `plugins[kind]` are the selected plugins, `selections[kind]` the author's settings by plugin name.
    """

    settings: Settings
    request: LoadRequest
    host: PluginHost
    plugins: Mapping[str, Sequence[PluginRef]]
    selections: Mapping[str, Mapping[str, Chosen]]
    policy: Policy | None
    date: str
    skipped: tuple[Skipped, ...]


def make_plan(settings: Settings, output: Path | None, scratch: Path) -> Plan:
    """Check the settings. Raises Refused with one line; nothing is written except links in `scratch`."""
    if (reason := environment.supported()) is not None:
        raise Refused(reason)
    check_writable(output or Path.cwd())
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
    if policy is not None:
        _check_limits(policy, settings.policy.file, [ref.name for kind in MEASURING for ref in plugins[kind]])
    return Plan(settings, load_request(settings, scratch), host, plugins, selections, policy, date, doubled)


def _check_limits(policy: Policy, file: str | None, names: Sequence[str]) -> None:
    """Refuse a limit on a measure of a plugin that is not selected."""
    for limit in policy.limits:
        plugin = limit.measure.partition(".")[0]
        if OF_PLUGIN.fullmatch(limit.measure) and plugin not in names:
            suggestion = did_you_mean(plugin, sorted(set(names)))
            raise Refused(
                f"{file}: limit {limit.id}: measure {limit.measure!r}: no selected plugin is named {plugin!r}; {suggestion}"
            )


def _names(parts: Sequence[PluginPart] | None) -> list[str] | None:
    return None if parts is None else [part.name for part in parts]


def _selections(parts: Sequence[PluginPart] | None) -> dict[str, Chosen]:
    """Settings by plugin name; a plugin named twice takes both lists of values."""
    selections: dict[str, Chosen] = {}
    for part in parts or ():
        name = part.name.rpartition(":")[2]
        if name in selections:
            raise Refused(f"plugin {name!r} stands twice; give its settings as lists in one table")
        selections[name] = part.settings
    return selections


def load_request(settings: Settings, scratch: Path) -> LoadRequest:
    """The request of the load stage, with the files of a registered model or of the settings, which override the registry."""
    subject = settings.subject
    if subject.registered is None:
        base = _from_files(settings)
    elif subject.model is not None:
        raise Refused("[subject] has registered and model; one of them is wanted")
    else:
        base = registered_request(models.resolve(subject.registered), scratch)
    changes = {
        **_stated(settings),
        "types": {**base.types, **settings.data.types},
        "trust": tuple(sorted({*base.trust, *subject.trust})),
        "seed": settings.run.seed,
        "choosing": settings.policy.judge is None,
        "workdir": scratch / "copy",
    }
    return dataclasses.replace(base, **changes)


def _stated(settings: Settings) -> dict[str, Any]:
    """The settings of the model and its rows by field of LoadRequest. An empty value stands for an unused option."""
    stated: dict[str, Any] = {}
    for each in _OF_THE_MODEL:
        value = getattr(getattr(settings, each.section), each.key)
        if value in (None, (), {}) or (each.option.path and not value) or each.name in ("registered", "model"):
            continue
        stated[_FIELDS.get(each.name, each.name)] = Path(value) if each.option.path else value
    return stated


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
    """The request for a registered model. Its files get links with their original names, which the report then shows."""
    files = {role: linked_under_name(path, scratch / role, model.names[role]) for role, path in model.files.items()}
    kept = {each.name: model.options[each.name] for each in REGISTERED if model.options.get(each.name) is not None}
    options: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
    return LoadRequest(
        model=files["model"],
        holdout=files["holdout"],
        training=files.get("training"),
        calibration=files.get("calibration"),
        name=model.name,
        version=model.version,
        parent=model.parent,
        **options,
    )


def linked_under_name(blob: Path, folder: Path, name: str) -> Path:
    """A link to the file under its original name."""
    folder.mkdir(mode=0o700)
    link = folder / (Path(name).name or "file")
    link.symlink_to(blob.absolute())
    return link


def _without_paths(settings: Settings) -> Json:
    """The settings that belong to the audit's identity, as audit.toml has them."""
    written = as_table(settings)
    for each in OPTIONS:
        if each.on(TOML) and not each.option.identity:
            del written[each.section][each.key]
    return written


def repeat_record(plan: Plan) -> Json:
    """The settings of the audit without any path: enough to repeat it with files that are located by their digests."""
    request = plan.request
    data = {"model": request.model, "holdout": request.holdout, "training": request.training, "calibration": request.calibration}
    files = {role: request.shown(role, path) for role, path in data.items() if path is not None}
    if plan.settings.policy.file is not None:
        files["policy"] = Path(plan.settings.policy.file).name
    return {
        "settings": _without_paths(plan.settings),
        "subject": _recorded("subject", request),
        "data": _recorded("data", request),
        "files": files,
    }


def _recorded(section: str, request: LoadRequest) -> Json:
    """The values of the request from one table of audit.toml, without trust, which must be stated again to repeat the audit."""
    options = [each for each in _OF_THE_MODEL if each.section == section and each.option.identity and each.name != "trust"]
    values = {each.key: getattr(request, each.name) for each in options}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def identity(plan: Plan, roles: Mapping[str, Mapping[str, Any]], model: str) -> tuple[str, dict[str, str]]:
    """The audit's id and its input digests by role: model, data files, policy, and the settings without paths."""
    written = _without_paths(plan.settings)
    inputs = {"model": model, **{role: str(entry["digest"]) for role, entry in roles.items()}}
    inputs["settings"] = hashlib.sha256(canonical_json(written).encode()).hexdigest()
    if plan.policy is not None:
        inputs["policy"] = plan.policy.digest
    if plan.settings.report.previous is not None:
        inputs["previous"] = file_sha256(Path(plan.settings.report.previous))
    inputs = {role: value.removeprefix("sha256:") for role, value in sorted(inputs.items())}
    name = plan.settings.report.id or hashlib.sha256(canonical_json(inputs).encode()).hexdigest()[:12]
    return name, inputs
