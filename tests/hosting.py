"""Open hooks for tests: as an audit has them, or with units that are run by the test itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from qaudit.hookspecs import hookimpl
from qaudit.plugin_host.discovery import KINDS, Kind, PluginHost
from qaudit.plugin_host.hooks import Hooks, open_hooks
from qaudit.sandbox.job import Call, Outcome, PluginRef


class RunBy:
    """An implementation of the hook that runs a unit, in place of the sandbox."""

    def __init__(self, run: Callable[[Call], Outcome]) -> None:
        self._run = run

    @hookimpl(trylast=True)
    def qaudit_run_unit(self, call: Call) -> Outcome:
        return self._run(call)


def hooks_for(
    plugins: Iterable[PluginRef],
    run: Callable[[Call], Outcome] | None = None,
    *,
    names: dict[Kind, Sequence[str]] | None = None,
    around: Iterable[object] = (),
    **options: Any,
) -> Hooks:
    """The hooks of a host that knows these plugins and uses all of them, or those of `names` only.

    `run` takes the place of the sandbox. The wrappers in `around` are outside those of the host.
    """
    host = PluginHost(plugins)
    used = {kind: host.of(kind) if names is None else host.select(kind, names.get(kind, [])) for kind in KINDS}
    hooks = open_hooks(host, used, **options)
    if run is not None:
        host.manager.unregister(name="sandbox")
        host.manager.register(RunBy(run))
    for wrapper in around:
        host.manager.register(wrapper)
    host.manager.check_pending()
    return hooks
