"""PluginHost: which plugins there are and which of them an audit uses, known without importing any of them."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from qaudit.core.__about__ import SPEC
from qaudit.core.evidence import Skipped
from qaudit.errors import PluginConflict, Refused
from qaudit.hookspecs import GROUPS
from qaudit.units.job import PluginRef

Kind = Literal["quantizer", "explainer", "format", "framework"]
KINDS: tuple[Kind, ...] = get_args(Kind)
UNPACKAGED = "unpackaged"
_OFFERS = {f"qaudit_offer_{kind}s": kind for kind in KINDS}
_RECORDS = {"quantizer": "Quantizer", "explainer": "Explainer", "format": "Format", "framework": "Framework"}


@dataclass(frozen=True, slots=True)
class PluginHost:
    """Every discovered plugin, in sorted order. Two may bear one name; `select` says what that means."""

    refs: tuple[PluginRef, ...]

    @classmethod
    def discover(cls, files: Sequence[Path] = ()) -> PluginHost:
        """Read the entry points of all installed distributions, and single `files`. Raises Refused for a bad file."""
        found = [*_installed(), *(ref for file in files for ref in from_file(file))]
        return cls(tuple(sorted(found, key=lambda ref: (ref.kind, ref.name, ref.distribution, ref.version))))

    def of(self, kind: Kind) -> list[PluginRef]:
        """All plugins of a kind."""
        return [ref for ref in self.refs if ref.kind == kind]

    def select(self, kind: Kind, names: Sequence[str] | None = None) -> list[PluginRef]:
        """The named plugins ("name" or "distribution:name") in sorted order; with no list every plugin of an undoubled name.

        Raises Refused for an unknown name, PluginConflict for a listed name that two distributions offer.
        """
        if names is None:
            chosen = {refs[0] for refs in self._by_name(kind).values() if len(refs) == 1}
        else:
            chosen = {self._named(kind, name) for name in names}
        return sorted(chosen, key=lambda ref: ref.name)

    def doubled(self, kind: Kind) -> tuple[Skipped, ...]:
        """A row for each plugin that is left out by default because another distribution offers its name."""
        return tuple(
            Skipped("plugins", f"{ref.distribution}:{ref.name}", conflict(refs))
            for refs in self._by_name(kind).values()
            if len(refs) > 1
            for ref in refs
        )

    def listing(self) -> list[dict[str, str]]:
        """A row for every plugin, with what is wrong with it as far as that is known without importing."""
        rows: list[dict[str, str]] = []
        for ref in self.refs:
            same = self._by_name(ref.kind)[ref.name]
            status = "ok" if present(ref) else f"broken: module {ref.value} is not there"
            if len(same) > 1:
                status = conflict(same)
            owner = {"kind": ref.kind, "name": ref.name, "distribution": ref.distribution, "version": ref.version}
            rows.append({**owner, "value": ref.value, "digest": ref.digest, "spec": str(SPEC), "status": status})
        return rows

    def _by_name(self, kind: Kind) -> dict[str, list[PluginRef]]:
        names: defaultdict[str, list[PluginRef]] = defaultdict(list)
        for ref in self.of(kind):
            names[ref.name].append(ref)
        return dict(names)

    def _named(self, kind: Kind, text: str) -> PluginRef:
        distribution, _, name = text.rpartition(":")
        found = [ref for ref in self._by_name(kind).get(name, []) if distribution in ("", ref.distribution)]
        if not found:
            raise Refused(unknown(f"{kind} plugin", text, sorted(self._by_name(kind))))
        if len(found) > 1:
            raise PluginConflict(conflict(found) + f"; say {found[0].distribution}:{name}")
        return found[0]


def unknown(what: str, text: str, known: Sequence[str]) -> str:
    """One line for an unknown name, with the nearest known one."""
    near = difflib.get_close_matches(text, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"unknown {what} {text!r}; {hint}"


def conflict(refs: Sequence[PluginRef]) -> str:
    """'absmax' is offered by qaudit 0.1.0 and acme-quant 1.1."""
    owners = " and ".join(f"{ref.distribution} {ref.version}".strip() for ref in refs)
    return f"{refs[0].name!r} is offered by {owners}"


def _installed() -> Iterator[PluginRef]:
    for kind in KINDS:
        for entry in importlib.metadata.entry_points(group=GROUPS[kind]):
            owner = entry.dist
            name, version = (owner.metadata["Name"], owner.version) if owner else ("unknown", "")
            yield PluginRef(kind, entry.name, entry.value, name, version, _digest(entry, owner))


def from_file(file: Path) -> list[PluginRef]:
    """The plugins of a single file, read from its source: its hooks give the kinds, its record calls the names."""
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
    digest = hashlib.sha256(source).hexdigest()
    return [
        PluginRef(kind, name, file.name, UNPACKAGED, "", digest, str(file.resolve()))
        for kind in kinds
        for name in _record_names(tree, kind) or [file.stem]
    ]


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


def _digest(entry: importlib.metadata.EntryPoint, owner: importlib.metadata.Distribution | None) -> str:
    """sha256 over the hashes that the distribution recorded, where they cover the module; else over the module's own source.

    An editable install records only its link, so the source stands in. Empty where there is no source to be found.
    """
    module = entry.value.partition(":")[0].strip()
    inside = module.replace(".", "/")
    hashes = sorted(
        (str(file), file.hash.value)
        for file in (owner.files if owner else None) or ()
        if file.hash is not None and not str(file).startswith("..") and ".dist-info/" not in str(file)
    )
    if any(path in (f"{inside}.py", f"{inside}/__init__.py") for path, _ in hashes):
        return _joined(hashes)
    return _joined([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in _sources(module)])


def _joined(hashes: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join(f"{path} {value}" for path, value in hashes).encode()).hexdigest() if hashes else ""


def _sources(module: str) -> list[Path]:
    """The module's file and the data files of its name beside it, found without importing the module or its package."""
    origin = _origin(module)
    if origin is None or not origin.is_file():
        return []
    if origin.name == "__init__.py":
        return sorted(file for file in origin.parent.rglob("*") if file.is_file() and file.suffix in (".py", ".toml"))
    return sorted(file for file in origin.parent.glob(f"{origin.stem}.*") if file.is_file() and file.suffix != ".pyc")


def _origin(module: str) -> Path | None:
    """File of a module. Only the top level goes through the import system, which does not run a top-level module to find it."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for depth in range(len(rest)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = ".".join([top, *rest[: depth + 1]])
        spec = importlib.machinery.PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return Path(spec.origin) if spec is not None and spec.origin else None


def present(ref: PluginRef) -> bool:
    """Whether the plugin's source is there: a distribution may name a module that it does not ship."""
    return ref.digest != ""
