"""The host's plugin manager: a proxy for every discovered plugin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import pluggy

from qaudit.plugin_host import hookspecs
from qaudit.plugin_host.proxies import PROXIES, Proxy
from qaudit.sandbox.job import PluginRef


def plugin_manager(plugins: Iterable[PluginRef]) -> pluggy.PluginManager:
    """A manager with the hooks of the host and a proxy for each plugin, named as "quantizer qaudit:affine".

    Plugins of one name and distribution are numbered: which of them is used, if any, is for PluginHost.select to say.
    """
    manager = pluggy.PluginManager("qaudit")
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        name = base = f"{plugin.kind} {plugin.distribution}:{plugin.name}"
        number = 1
        while manager.has_plugin(name):
            number += 1
            name = f"{base} {number}"
        manager.register(PROXIES[plugin.kind](plugin), name)
    return manager


def unused(manager: pluggy.PluginManager, used: Mapping[str, Collection[PluginRef]]) -> list[Proxy]:
    """The proxies of the plugins that are not among those used, by kind."""
    proxies = [plugin for plugin in manager.get_plugins() if isinstance(plugin, Proxy)]
    return [proxy for proxy in proxies if proxy.plugin not in used.get(proxy.plugin.kind, ())]
