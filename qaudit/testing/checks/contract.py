"""Checks A1 to A6: loading the plugin. It is loaded with the function that a run uses, while its side effects are recorded."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaudit.core.plugin_settings import allowed_text, is_allowed
from qaudit.core.records import Decline, Explainer, Format, Framework, Quantizer, Setting
from qaudit.sandbox.job import PluginRef
from qaudit.sandbox.plugin_loader import HOOKS, BrokenPlugin, offered
from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.results import CheckOutcome, raised_at, source_of
from qaudit.testing.checks.side_effect_watch import SideEffectWatch, changed, state

SECONDS = 1.0
NEEDS = {"quantizer": {"calibration"}, "explainer": {"target", "refits"}}
_TEXT = 120


@dataclass(slots=True)
class LoadedPlugin:
    """A plugin after loading: its records, or the failed checks that say why there are none.

    `files` are its source files; `look` is the place to which messages point.
    """

    ref: PluginRef
    watch: SideEffectWatch
    records: list[Any] = field(default_factory=list)
    broken: dict[str, CheckOutcome] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    look: str = ""
    module: Any = None

    @property
    def function(self) -> Any:
        """A function of the plugin, to whose place in the source messages point."""
        if not self.records:
            return getattr(self.module, HOOKS[self.ref.kind][0], None)
        record = self.records[0]
        for name in ("quantize", "model", "inputs", "explain", "load"):
            if getattr(record, name, None) is not None:
                return getattr(record, name)
        return None


def load_plugin(ref: PluginRef, watch: SideEffectWatch, phase: Callable[[str], None]) -> LoadedPlugin:
    """Import the plugin and collect its records for the toy subjects. A failure is recorded under its check."""
    loaded, reached = LoadedPlugin(ref, watch), ["import"]
    # a plugin may offer nothing for a network; a tree is tried then
    for program in (toy_subjects.network(), toy_subjects.plain()["tree"]):
        with ExitStack() as stack:

            def step(name: str, stack: ExitStack = stack) -> None:
                stack.close()
                reached[0] = name
                phase("A5" if name == "import" else "A1")
                stack.enter_context(watch.watching(name))

            before = state(calls_only=True)
            try:
                loaded.records = offered(ref, toy_subjects.subject(program), step)
            except Exception as error:
                stack.close()
                _note_files(loaded)
                number, text = _check_of(error, reached[0])
                look = raised_at(error, loaded.files) or source_of(loaded.function)
                loaded.broken[number] = CheckOutcome("failed", [text], look)
                return loaded
        _note_files(loaded)
        if (moved := changed(before, state(calls_only=True))) and "C3" not in loaded.broken:
            loaded.broken["C3"] = CheckOutcome("failed", [f"importing it changed {name}" for name in moved], f"{loaded.look}:1")
        if loaded.records:
            break
    return loaded


def _check_of(error: Exception, reached: str) -> tuple[str, str]:
    """The check to which a failure while loading belongs, and a text that describes it."""
    if isinstance(error, Decline):
        return "A7", f"offers nothing for the toy subjects: {error}"
    if not isinstance(error, BrokenPlugin):
        what = "while importing" if reached == "import" else "while offering"
        return ("A5" if reached == "import" else "A1"), f"raised {type(error).__name__}: {error} ({what})"
    text = str(error)
    if "offers" in text and "more than" in text:
        return "A2", text
    return ("A3" if "named" in text or "of one name" in text else "A1"), text


def _note_files(plugin: LoadedPlugin) -> None:
    """Record the module of the plugin and those of its source files that are loaded."""
    ref = plugin.ref
    name = f"qaudit_file_{ref.digest[:16]}" if ref.file else ref.value.partition(":")[0].strip()
    plugin.module = sys.modules.get(name)
    plugin.look = ref.file or str(getattr(plugin.module, "__file__", "") or "")
    top = name.partition(".")[0]
    loaded = [module for key, module in list(sys.modules.items()) if key == name or (not ref.file and key.startswith(f"{top}."))]
    plugin.files = {str(file) for module in loaded if (file := getattr(module, "__file__", None))} | {plugin.look} - {""}


def contract(loaded: LoadedPlugin, check: str) -> list[str]:
    """The problems of a loaded plugin under A3, A4, A5 or A6. A1 and A2 hold where a plugin was loaded."""
    if check == "A3":
        return [line for record in loaded.records for line in _plain_record(record, loaded.ref.kind)]
    if check == "A4":
        return [line for file in sorted(loaded.files) for line in inner_imports(Path(file))]
    if check == "A5":
        return _import_problems(loaded.watch)
    return loaded.watch.side_effects if check == "A6" else []


def _import_problems(watch: SideEffectWatch) -> list[str]:
    problems = []
    if (seconds := watch.seconds.get("import", 0.0)) > SECONDS:
        problems.append(f"importing took {seconds:.1f} s of processor time, at most {SECONDS:g} s")
    if printed := watch.printed.get("import", 0) + watch.printed.get("offer", 0):
        problems.append(f"printed {printed} bytes while it was imported")
    if (seconds := watch.seconds.get("offer", 0.0)) > SECONDS:
        problems.append(
            f"offering took {seconds:.1f} s of processor time, at most {SECONDS:g} s: move the work into the record's functions"
        )
    return problems


def inner_imports(file: Path) -> list[str]:
    """Imports of qaudit modules other than the names of `from qaudit import ...` and qaudit.testing, with their lines."""
    if file.suffix != ".py" or not file.is_file():
        return []
    problems = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [str(node.module)]
            if node.module == "qaudit":
                names = [f"qaudit.{alias.name}" for alias in node.names if not _public(alias.name)]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            names = [str(node.args[0].value)] if called in ("import_module", "__import__") else []
        else:
            continue
        refused = [name for name in names if name.startswith("qaudit.") and name != "qaudit.testing"]
        problems += [f"imports {name} (line {node.lineno})" for name in refused]
    return problems


def _public(name: str) -> bool:
    return name in sys.modules["qaudit"].__all__ or name in ("*", "testing")


def _plain_record(record: Any, kind: str) -> Iterable[str]:
    name = record.id if isinstance(record, Framework) else record.name
    if not isinstance(name, str) or not name.isascii() or not name.isidentifier() or name != name.lower() or len(name) > 40:
        yield f"name {name!r}, expected snake_case of at most 40 characters"
    yield from _plain_text("title" if isinstance(record, Framework) else "summary", _summary(record))
    if isinstance(record, Quantizer | Explainer):
        yield from _plain_settings(record)
        for need in record.needs:
            if need not in NEEDS[kind]:
                yield f"needs {need!r}, expected one of {', '.join(sorted(NEEDS[kind]))}"
    if isinstance(record, Quantizer) and record.quantize is None and record.model is None and record.inputs is None:
        yield "has none of the functions quantize, inputs, model"


def _summary(record: Any) -> Any:
    return record.title if isinstance(record, Framework) else record.summary


def _plain_text(what: str, text: Any) -> Iterable[str]:
    if not isinstance(text, str) or not text.strip():
        yield f"{what} {text!r}, expected one plain line"
    elif len(text) > _TEXT or not text.isprintable():
        yield f"{what} of {len(text)} characters, expected one printable line of at most {_TEXT}"
    elif "<" in text and ">" in text:
        yield f"{what} {text!r} looks like markup, expected plain text"


def _plain_settings(record: Quantizer | Explainer) -> Iterable[str]:
    for key, setting in record.settings.items():
        if not isinstance(key, str) or not key.isidentifier() or not isinstance(setting, Setting):
            yield f"setting {key!r} is a {type(setting).__name__}, expected a name and a Setting"
            continue
        if not isinstance(setting.default, tuple) or not setting.default:
            yield f"setting {key!r} has the default {setting.default!r}, expected a tuple of one value or more"
            continue
        wrong = [value for value in setting.default if setting.allowed is not None and not _allowed(setting, value)]
        if wrong:
            yield f"setting {key!r}: default {wrong[0]!r} is not among what is allowed: {allowed_text(setting)}"
    for name in ("quantize", "inputs", "model", "explain"):
        function = getattr(record, name, None)
        if function is not None and (missing := _settings_not_accepted(function, list(record.settings))):
            yield f"{name}() takes no keyword {missing[0]!r}, which is declared as a setting"


def _allowed(setting: Setting, value: Any) -> bool:
    return is_allowed(Setting((), setting.allowed), value)


def _settings_not_accepted(function: Any, keys: list[str]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return []
    return [
        key
        for key in keys
        if key not in {parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY}
    ]


RECORDS = {"quantizer": Quantizer, "explainer": Explainer, "format": Format, "framework": Framework}
