"""Loads one plugin inside a child: imports it, registers it with a pluggy manager of its own, calls its hook, checks its records.

In the host the plugin is represented by its proxy (qaudit/plugin_host/proxies.py); here its own code runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

import qaudit.hookspecs as hookspecs
from qaudit.core.__about__ import SPEC
from qaudit.core.json_values import Json
from qaudit.core.records import Explainer, Format, Framework, Quantizer, Subject
from qaudit.errors import Refused, unknown
from qaudit.sandbox.job import PluginRef
from qaudit.sandbox.plugin_source import data_file

MAX_OFFERS = 100
"""Records that one plugin may offer. A generator without an end would otherwise fill the memory."""
HOOKS = {
    "quantizer": ("qaudit_offer_quantizers", Quantizer),
    "explainer": ("qaudit_offer_explainers", Explainer),
    "format": ("qaudit_offer_formats", Format),
    "framework": ("qaudit_offer_frameworks", Framework),
}
EMPTY_SUBJECT = Subject("", (), (), ())


class BrokenPlugin(Exception):
    """Raised for a plugin that breaks the plugin contract; the message names what was expected and what the plugin did."""


def offered(ref: PluginRef, subject: Subject = EMPTY_SUBJECT, phase: Callable[[str], None] = lambda name: None) -> list[Any]:
    """The records of kind `ref.kind` that the plugin yields under its own name; empty where it offers nothing for this subject.

    `phase` is called with the name of each step before the step begins. Raises BrokenPlugin for an unknown hook, a record of
    another type or name, or more than 100 offers.
    """
    phase("import")
    if ref.value.strip().endswith(".toml"):
        return _checked(ref, [_from_data(ref)], Framework)
    manager = pluggy.PluginManager("qaudit")
    manager.add_hookspecs(hookspecs)
    plugin = _imported(ref)
    spec = getattr(plugin, "qaudit_spec", SPEC)
    if spec != SPEC:
        owner = f"{ref.distribution} {ref.version}".strip()
        raise BrokenPlugin(f"{owner} was written for plugin contract {spec}, this qaudit has contract {SPEC}")
    try:
        manager.register(plugin, name=ref.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise BrokenPlugin(_validation_message(str(error), plugin)) from error
    hook, record_type = HOOKS[ref.kind]
    caller = getattr(manager.hook, hook)
    if not caller.get_hookimpls():
        raise BrokenPlugin(f"{ref.name}: no @hookimpl function {hook}")
    phase("offer")
    arguments = {"subject": subject} if "subject" in inspect.signature(getattr(hookspecs, hook)).parameters else {}
    records: list[Any] = []
    for offers in caller(**arguments):
        records.extend(_checked(ref, offers, record_type))
    return records


def _imported(ref: PluginRef) -> Any:
    """The module, or an attribute of it ("package.module:attribute"), or a single file."""
    if ref.file is not None:
        return _from_file(ref.file, f"qaudit_file_{ref.digest[:16]}")
    module, _, attribute = ref.value.partition(":")
    plugin: Any = importlib.import_module(module.strip())
    for part in filter(None, attribute.strip().split(".")):
        plugin = getattr(plugin, part)
    if inspect.isclass(plugin):
        raise BrokenPlugin(f"{ref.name}: entry point {ref.value!r} is a class, expected a module")
    return plugin


def _from_file(file: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise BrokenPlugin(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up the module in which they are defined
    spec.loader.exec_module(module)
    return module


def _from_data(ref: PluginRef) -> Framework:
    """The record of a framework that consists of one toml file, whose keys are the fields of the record. No plugin code runs."""
    if ref.kind != "framework":
        raise BrokenPlugin(f"{ref.name}: {ref.value} is data; only a framework may be")
    file = Path(ref.file) if ref.file is not None else data_file(ref.value)
    if file is None:
        raise BrokenPlugin(f"{ref.name}: {ref.value} is not there")
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise BrokenPlugin(f"{ref.name}: {file.name} is not TOML ({error})") from error
    required = {field.name for field in fields(Framework)}
    if wrong := sorted(required ^ set(values)):
        problem = "missing" if wrong[0] in required else "unknown"
        raise BrokenPlugin(f"{ref.name}: {file.name}: {problem} key {wrong[0]!r}; a framework has {', '.join(sorted(required))}")
    return Framework(**values)


def _validation_message(error: str, plugin: Any) -> str:
    """pluggy's message as one line; for an unknown hook with the nearest known name."""
    known = [hook for hook, _ in HOOKS.values()]
    for name in sorted(getattr(plugin, "__dict__", {})):
        if name.startswith("qaudit_offer") and name not in known:
            return f"{unknown('hook', name, known)} (or does it need a newer qaudit?)"
    return " ".join(error.split())


def _checked(ref: PluginRef, offers: Any, record_type: type) -> list[Any]:
    if offers is None:
        return []
    if not isinstance(offers, Iterable) or isinstance(offers, str | bytes | Mapping):
        raise BrokenPlugin(f"{ref.name}: the hook gave {type(offers).__name__}, expected {record_type.__name__} records")
    taken = list(itertools.islice(offers, MAX_OFFERS + 1))
    if len(taken) > MAX_OFFERS:
        raise BrokenPlugin(f"{ref.name}: more than {MAX_OFFERS} offers")
    for record in taken:
        if not isinstance(record, record_type):
            raise BrokenPlugin(f"{ref.name}: offered a {type(record).__name__}, expected a {record_type.__name__}")
    named = [record for record in taken if _name(record) == ref.name]
    if (taken and not named) or (len(named) < len(taken) and ref.file is None):
        other = next(_name(record) for record in taken if _name(record) != ref.name)
        raise BrokenPlugin(f"{ref.name}: the record is named {other!r}, expected {ref.name!r} as its entry point")
    if len(named) > 1:
        raise BrokenPlugin(f"{ref.name}: offered {len(named)} records of one name, expected one")
    return named


def _name(record: Any) -> Any:
    return record.id if isinstance(record, Framework) else record.name


def subject_of(request: Json) -> Subject:
    """The Subject that a request describes; an empty one where it describes none. Raises Refused for unknown keys."""
    packed = request.get("subject")
    if not isinstance(packed, Mapping):
        return EMPTY_SUBJECT
    known = Subject.__dataclass_fields__
    if unknown := sorted(set(packed) - set(known)):
        raise Refused(f"request.subject: unknown keys {unknown}, known: {sorted(known)}")
    values = dict(packed)
    for key in ("features", "classes"):
        values[key] = tuple(values.get(key, ()))
    values["parameters"] = tuple((str(n), str(r), tuple(int(k) for k in shape)) for n, r, shape in values.get("parameters", ()))
    return Subject(**{"output": "", **values})
