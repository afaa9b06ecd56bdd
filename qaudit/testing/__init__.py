"""The checks of `qaudit plugins check`, for a plugin's own test suite.

    from qaudit.testing import check_quantizer
    test = check_quantizer("qaudit_pow2.py")

Each check becomes one test case. A check that does not apply is skipped, and an expected failure is an xfail, with the reason.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from qaudit.core.records import Explainer, Format, Framework, Quantizer
from qaudit.errors import Refused, unknown
from qaudit.plugin_host.discovery import Kind, PluginHost, from_file
from qaudit.sandbox.job import PluginRef
from qaudit.testing.checks.catalogue import checks_of
from qaudit.testing.checks.runner import Verdict, check_plugin, lines

Target = str | Path | ModuleType | Quantizer | Explainer | Format | Framework
Test = Callable[[str], None]


def check_quantizer(plugin: Target, expected_failures: Mapping[str, str] | None = None) -> Test:
    """A test function with one case for each check.

    `plugin` is a file (relative to that of the test), a module, a record, or the name of an entry point.

    `expected_failures` maps the id of a check to the reason why it fails. Raises Refused where there is no such plugin.
    """
    return _tests("quantizer", plugin, expected_failures, None)


def check_explainer(plugin: Target, expected_failures: Mapping[str, str] | None = None) -> Test:
    """As check_quantizer, for an explainer."""
    return _tests("explainer", plugin, expected_failures, None)


def check_format(plugin: Target, expected_failures: Mapping[str, str] | None = None, sample: str | Path | None = None) -> Test:
    """As check_quantizer, for a format; `sample` is a model file, where the plugin has no `qaudit_sample(path)`."""
    return _tests("format", plugin, expected_failures, Path(sample) if sample is not None else None)


def check_framework(plugin: Target, expected_failures: Mapping[str, str] | None = None) -> Test:
    """As check_quantizer, for a framework; a toml file too."""
    return _tests("framework", plugin, expected_failures, None)


def _tests(kind: Kind, plugin: Target, expected: Mapping[str, str] | None, sample: Path | None) -> Test:
    # imported here, since only a plugin's tests need pytest
    import pytest

    refs = [ref for ref in refs_of(plugin, _folder_of_caller()) if ref.kind == kind]
    if len(refs) != 1:
        raise Refused(f"{plugin}: {len(refs)} {kind} plugins, exactly one is wanted")

    @cache
    def verdict() -> Verdict:
        return check_plugin(refs[0], expected, sample)

    @pytest.mark.parametrize("check", checks_of(kind))
    def test(check: str) -> None:
        checked = verdict()
        result = next(each for each in checked.results if each.id == check)
        text = "\n".join(lines(result, checked.expected, Path.cwd()))
        if result.status == "failed":
            pytest.fail(text, pytrace=False)
        if result.status == "expected":
            pytest.xfail(checked.expected[check])
        if result.status == "not run":
            pytest.skip(result.seen[0])

    return test


def _folder_of_caller() -> Path:
    """The folder of the first caller outside this module."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return Path(frame.f_globals.get("__file__", ".")).parent if frame is not None else Path()


def refs_of(plugin: Target, folder: Path | None = None) -> list[PluginRef]:
    """The plugins that a path, a name, a module or a record stands for. Raises Refused where there is none.

    A path is looked up in `folder` first, then in the working folder.
    """
    if isinstance(plugin, ModuleType):
        return _of_module(plugin)
    if isinstance(plugin, Quantizer | Explainer | Format | Framework):
        return _of_record(plugin)
    text = str(plugin)
    if isinstance(plugin, Path) or text.endswith((".py", ".toml")) or "/" in text:
        near = [place / text for place in (folder, Path()) if place is not None and (place / text).is_file()]
        return from_file(near[0] if near else Path(text))
    host = PluginHost.discover()
    owner, _, name = text.rpartition(":")
    refs = [ref for ref in host.refs if ref.name == name and owner in ("", ref.distribution)]
    if not refs:
        raise Refused(unknown("plugin", text, sorted({ref.name for ref in host.refs})) + "; a file ends in .py or .toml")
    return refs


def _of_module(module: ModuleType) -> list[PluginRef]:
    """The plugins of a module, loaded from its file, or by its name where it lies in a package from which it may import."""
    if not module.__file__:
        raise Refused(f"module {module.__name__}: has no file")
    refs = from_file(Path(module.__file__))
    if "." not in module.__name__:
        return refs
    return [PluginRef(ref.kind, ref.name, module.__name__, ref.distribution, "", ref.digest, None, ref.spec) for ref in refs]


def _of_record(record: Quantizer | Explainer | Format | Framework) -> list[PluginRef]:
    name = record.id if isinstance(record, Framework) else record.name
    functions = [getattr(record, key, None) for key in ("quantize", "model", "inputs", "explain", "load")]
    modules = [sys.modules.get(function.__module__) for function in functions if function is not None]
    if not modules or modules[0] is None:
        raise Refused(f"{name}: give the module or the file of this record, it has no function of its own")
    return [ref for ref in _of_module(modules[0]) if ref.name == name]
