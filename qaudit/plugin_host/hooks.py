"""The hooks of the host for one audit. They call the plugins that the audit uses and run their units."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from qaudit.cache.unit_cache import UnitCache
from qaudit.core.json_values import Json
from qaudit.core.records import Subject
from qaudit.plugin_host.discovery import PluginHost
from qaudit.plugin_host.manager import unused
from qaudit.plugin_host.units import Answer, QuantizeTask
from qaudit.plugin_host.wrappers import Blame, Cache, Progress, RunUnits, Sandbox
from qaudit.sandbox import runner
from qaudit.sandbox.job import Arrays, Call, Limits, Outcome, PluginRef

_DEFAULT = Limits()


class Hooks:
    """The hooks as typed calls that reach the plugins an audit uses, and no others.

    Each `qaudit_offer_...` gives one answer a plugin, ordered by name and distribution. No failure of a plugin raises an
    exception.
    """

    def __init__(self, host: PluginHost, used: Mapping[str, Collection[PluginRef]], jobs: int = 2) -> None:
        """`used` are the selected plugins by kind; `jobs` units run at a time."""
        self._manager, self._jobs = host.manager, jobs
        self._unused = unused(host.manager, used)

    def qaudit_offer_quantizers(self, *, subject: Subject, task: QuantizeTask) -> list[Answer]:
        """The candidates of every quantizer."""
        return self._offers("quantizers", subject=subject, task=task)

    def qaudit_offer_explainers(self, *, subject: Subject) -> list[Answer]:
        """What every explainer offers: summary, settings, needs."""
        return self._offers("explainers", subject=subject)

    def qaudit_offer_formats(self, *, model: Path) -> list[Answer]:
        """Whether each format recognises the file, and how far a file of its kind is trusted."""
        return self._offers("formats", model=model)

    def qaudit_offer_frameworks(self) -> list[Answer]:
        """The list of every framework."""
        return self._offers("frameworks")

    def _offers(self, kind: str, **arguments: object) -> list[Answer]:
        caller = self._manager.subset_hook_caller(f"qaudit_offer_{kind}", self._unused)
        answers: list[Answer] = caller(**arguments)
        return answers

    def qaudit_run_unit(self, *, call: Call) -> Outcome:
        """The outcome of one unit."""
        outcome: Outcome = self._manager.hook.qaudit_run_unit(call=call)
        return outcome

    def run(
        self,
        task: str,
        request: Json,
        arrays: Arrays | None = None,
        *,
        plugins: Sequence[PluginRef] = (),
        limits: Limits = _DEFAULT,
    ) -> Outcome:
        """As `runner.run`, through the hook."""
        return self.qaudit_run_unit(call=Call(task, request, arrays or {}, plugins, limits))

    def run_many(self, calls: Sequence[Call]) -> list[Outcome]:
        """Several units through the hook; outcomes in the order of `calls`."""
        return runner.run_many(calls, self._jobs, lambda call: self.qaudit_run_unit(call=call))


def open_hooks(
    host: PluginHost,
    used: Mapping[str, Collection[PluginRef]],
    *,
    jobs: int = 2,
    cache: UnitCache | None = None,
    progress: Callable[[str], None] | None = None,
) -> Hooks:
    """The hooks of one audit, which reach the plugins `used`. Raises ValueError for a host whose hooks are open already."""
    hooks = Hooks(host, used, jobs)
    # pluggy calls the implementation first that was registered last, so the outermost wrapper is registered last
    host.manager.register(RunUnits(hooks.run_many), "run units")
    host.manager.register(Blame(), "blame")
    host.manager.register(Sandbox(), "sandbox")
    if cache is not None:
        host.manager.register(Cache(cache), "cache")
    if progress is not None:
        host.manager.register(Progress(progress), "progress")
    host.manager.check_pending()
    return hooks
