"""Which plugins there are and which of them an audit uses, known without importing any of them."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.metadata
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import pluggy

from qaudit.core.__about__ import SPEC, VERSION
from qaudit.core.evidence import Skipped
from qaudit.errors import PluginConflict, Refused, unknown
from qaudit.hookspecs import GROUPS
from qaudit.plugin_host.manager import plugin_manager
from qaudit.sandbox import plugin_source
from qaudit.sandbox.job import PluginRef

Kind = Literal["quantizer", "explainer", "format", "framework"]
KINDS: tuple[Kind, ...] = get_args(Kind)
UNPACKAGED = "unpackaged"
_OFFERS = {f"qaudit_offer_{kind}s": kind for kind in KINDS}
_RECORDS = {"quantizer": "Quantizer", "explainer": "Explainer", "format": "Format", "framework": "Framework"}


class PluginHost:
    """Every discovered plugin, and the plugin manager in which a proxy stands for each of them.

    Two plugins may have the same name; `select` says which of them is used then. An audit calls the hooks of `manager` through
    `hooks.open_hooks`.
    """

    def __init__(self, refs: Iterable[PluginRef]) -> None:
        self.refs = tuple(refs)

    @cached_property
    def manager(self) -> pluggy.PluginManager:
        """The manager with the hooks of the host, made when it is first asked for: a list of plugins does without."""
        return plugin_manager(self.refs)

    @classmethod
    def discover(cls, files: Sequence[Path] = ()) -> PluginHost:
        """Read the entry points of all installed distributions, and single `files`. Raises Refused for a bad file."""
        refs = [*_installed(), *(ref for file in files for ref in from_file(file))]
        return cls(sorted(refs, key=lambda ref: (ref.kind, ref.name, ref.distribution, ref.version)))

    def of(self, kind: Kind) -> list[PluginRef]:
        """All plugins of a kind."""
        return [ref for ref in self.refs if ref.kind == kind]

    def select(self, kind: Kind, names: Sequence[str] | None = None) -> list[PluginRef]:
        """The named plugins ("name" or "distribution:name") in sorted order; with no list every plugin of an undoubled name.

        Raises Refused for an unknown name or one of another contract, PluginConflict for a name that two distributions offer and
        for two plugins of one name, which a report could not tell apart.
        """
        if names is None:
            chosen = {refs[0] for refs in self._by_name(kind).values() if len(refs) == 1 and refs[0].spec == SPEC}
        else:
            chosen = {self._named(kind, name) for name in names}
            for namesakes in self._by_name(kind).values():
                if len(listed := [ref for ref in namesakes if ref in chosen]) > 1:
                    raise PluginConflict(conflict(listed) + "; list one of them")
        return sorted(chosen, key=lambda ref: ref.name)

    def doubled(self, kind: Kind) -> tuple[Skipped, ...]:
        """A row for each plugin that is left out by default: another distribution offers its name, or its contract is another."""
        return tuple(
            Skipped("plugins", f"{ref.distribution}:{ref.name}", conflict(refs) if len(refs) > 1 else other_contract(ref))
            for refs in self._by_name(kind).values()
            if len(refs) > 1 or refs[0].spec != SPEC
            for ref in refs
        )

    def listing(self, chosen: Mapping[str, Sequence[str]] | None = None) -> list[dict[str, Any]]:
        """A row for every plugin: status ok, broken or unselected, and why, as far as that is known without importing.

        `chosen` are the names that an audit lists, by kind; a kind that it does not list is used whole.
        """
        return [self._row(ref, (chosen or {}).get(ref.kind)) for ref in self.refs]

    def _row(self, ref: PluginRef, names: Sequence[str] | None) -> dict[str, Any]:
        source = plugin_source.read(_file(ref))
        status, reason, remedy = self._status(ref, source, names)
        return {
            "kind": ref.kind,
            "name": ref.name,
            "distribution": ref.distribution,
            "version": ref.version,
            "spec": ref.spec,
            "status": status,
            "reason": reason,
            "remedy": remedy,
            "value": ref.value,
            "digest": ref.digest,
            "expected_failures": plugin_source.expected_failures(source),
        }

    def expected_failures(self, ref: PluginRef) -> dict[str, str]:
        """Checks that the plugin's own source says it fails, with its reasons; read without importing it."""
        return plugin_source.expected_failures(plugin_source.read(_file(ref)))

    def _status(self, ref: PluginRef, source: str, names: Sequence[str] | None) -> tuple[str, str, str]:
        """Status, reason and remedy, the last two empty for a plugin that is ok."""
        removal = f"or remove it: pip uninstall {ref.distribution}"
        if not present(ref):
            return "broken", f"{ref.value} is not there", f"install {ref.distribution} again, {removal}"
        if ref.spec != SPEC:
            return "broken", other_contract(ref), f"install another version of {ref.distribution}, {removal}"
        if (requirement := unmet(ref)) is not None:
            return "broken", requirement, f"install versions that fit each other, {removal}"
        if not plugin_source.is_data(ref.value) and (problem := plugin_source.trouble(source)) is not None:
            return "broken", problem[0], f"{problem[1]}, {removal}" if ref.file is None else problem[1]
        namesakes, full = self._by_name(ref.kind)[ref.name], f"{ref.distribution}:{ref.name}"
        if names is not None and full not in names and (ref.name not in names or len(namesakes) > 1):
            return "unselected", "the audit lists others", f"list {full if len(namesakes) > 1 else ref.name} too"
        if names is None and len(namesakes) > 1:
            return "unselected", conflict(namesakes), f"select it by its full name: {full}"
        return "ok", "", ""

    def _by_name(self, kind: Kind) -> dict[str, list[PluginRef]]:
        names: defaultdict[str, list[PluginRef]] = defaultdict(list)
        for ref in self.of(kind):
            names[ref.name].append(ref)
        return dict(names)

    def _named(self, kind: Kind, text: str) -> PluginRef:
        distribution, _, name = text.rpartition(":")
        fitting = [ref for ref in self._by_name(kind).get(name, []) if distribution in ("", ref.distribution)]
        if not fitting:
            raise Refused(unknown(f"{kind} plugin", text, sorted(self._by_name(kind))))
        if len(fitting) > 1:
            raise PluginConflict(conflict(fitting) + f"; say {fitting[0].distribution}:{name}")
        if fitting[0].spec != SPEC:
            raise Refused(f"{kind} plugin {name!r}: {other_contract(fitting[0])}")
        return fitting[0]


def conflict(refs: Sequence[PluginRef]) -> str:
    """'absmax' is offered by qaudit 0.1.0 and acme-quant 1.1."""
    owners = " and ".join(f"{ref.distribution} {ref.version}".strip() for ref in refs)
    return f"{refs[0].name!r} is offered by {owners}"


def other_contract(ref: PluginRef) -> str:
    """acme-quant 1.2 was written for plugin contract 2, this qaudit has contract 1."""
    owner = f"{ref.distribution} {ref.version}".strip()
    return f"{owner} was written for plugin contract {ref.spec}, this qaudit has contract {SPEC}"


def unmet(ref: PluginRef) -> str | None:
    """The version of qaudit that a third party's distribution requires, where this one does not fit it; None where it does."""
    if ref.file is not None or ref.distribution in (UNPACKAGED, "qaudit", "unknown"):
        return None
    from packaging.requirements import (  # only where a third party's plugin is installed: importing it makes a listing slower
        InvalidRequirement,
        Requirement,
    )

    for text in importlib.metadata.requires(ref.distribution) or ():
        if not text.startswith("qaudit"):
            continue
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.name == "qaudit" and not wanted.specifier.contains(VERSION, prereleases=True):
            return f"{ref.distribution} asks for qaudit{wanted.specifier}, this is qaudit {VERSION}"
    return None


def _installed() -> Iterator[PluginRef]:
    for kind in KINDS:
        for entry in importlib.metadata.entry_points(group=GROUPS[kind]):
            owner = entry.dist
            name, version = (owner.metadata["Name"], owner.version) if owner else ("unknown", "")
            ref = PluginRef(kind, entry.name, entry.value, name, version, plugin_source.digest(entry))
            yield dataclasses.replace(ref, spec=plugin_source.stated_spec(plugin_source.read(_file(ref))))


def _file(ref: PluginRef) -> Path | None:
    """The file that says what the plugin is."""
    return Path(ref.file) if ref.file is not None else plugin_source.main_file(ref.value.partition(":")[0].strip())


def from_file(file: Path) -> list[PluginRef]:
    """The plugins of a single file, read from its source: its hooks give the kinds, its record calls the names.

    A toml file is a framework; its `id` is the name.
    """
    if file.suffix == ".toml":
        return [_framework(file)]
    try:
        source = file.read_bytes()
        tree = ast.parse(source)
    except OSError as error:
        raise Refused(f"--plugin {file}: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        raise Refused(f"--plugin {file}: not Python ({error.args[0]}, line {getattr(error, 'lineno', 0) or 0})") from error
    hooks = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    kinds: list[Kind] = [kind for hook, kind in _OFFERS.items() if hook in hooks]
    if not kinds:
        raise Refused(f"--plugin {file}: no hook found, expected one of {', '.join(_OFFERS)}")
    digest, spec = hashlib.sha256(source).hexdigest(), plugin_source.stated_spec(source.decode("utf-8", "replace"))
    return [
        PluginRef(kind, name, file.name, UNPACKAGED, "", digest, str(file.resolve()), spec)
        for kind in kinds
        for name in _record_names(tree, kind) or [file.stem]
    ]


def _framework(file: Path) -> PluginRef:
    try:
        source = file.read_bytes()
        table = tomllib.loads(source.decode())
    except OSError as error:
        raise Refused(f"--plugin {file}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"--plugin {file}: not TOML ({' '.join(str(error).split())})") from error
    name = table.get("id")
    if not isinstance(name, str) or not isinstance(table.get("items"), list):
        raise Refused(f"--plugin {file}: no framework; a text `id` and [[items]] are wanted")
    digest = hashlib.sha256(source).hexdigest()
    return PluginRef("framework", name, file.name, UNPACKAGED, "", digest, str(file.resolve()))


def _record_names(tree: ast.Module, kind: Kind) -> list[str]:
    """First arguments of calls such as Quantizer("pow2", ...), in order."""
    names: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        if called == _RECORDS[kind] and isinstance(first, ast.Constant) and isinstance(first.value, str):
            names.append(first.value)
    return list(dict.fromkeys(names))


def present(ref: PluginRef) -> bool:
    """Whether the plugin's source is there: a distribution may name a module that it does not ship."""
    return ref.digest != ""
