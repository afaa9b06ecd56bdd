"""Proxies represent the plugins in the host's plugin manager. The host imports no plugin; the proxy prepares its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qaudit.core.json_values import Json
from qaudit.hookspecs import hookimpl
from qaudit.plugin_host.units import QuantizeTask, Unit, subject_request
from qaudit.sandbox.job import Call, Limits, PluginRef

if TYPE_CHECKING:  # the list of plugins reads this file and does not wait for numpy
    from pathlib import Path

    from qaudit.core.records import Subject

RECOGNISE = Limits(seconds=60.0)


class Proxy:
    """Represents a plugin in the plugin manager."""

    def __init__(self, plugin: PluginRef) -> None:
        self.plugin = plugin


class QuantizerProxy(Proxy):
    """Stands for a quantizer."""

    @hookimpl
    def qaudit_offer_quantizers(self, subject: Subject, task: QuantizeTask) -> Unit:
        """Offer and candidates are one unit: a plugin is not started twice."""
        chosen = task.settings.get(self.plugin.name, {})
        request: Json = {
            "quantizer": self.plugin.name,
            "settings": {key: list(value) if isinstance(value, tuple) else value for key, value in chosen.items()},
            "bits": None if task.bits is None else list(task.bits),
            "seed": task.seed,
            "program": task.program,
            "why_not": task.why_not,
            "subject": subject_request(subject),
        }
        return Unit(self.plugin, Call("quantize", request, task.arrays, (self.plugin,), task.limits))


class ExplainerProxy(Proxy):
    """Stands for an explainer."""

    @hookimpl
    def qaudit_offer_explainers(self, subject: Subject) -> Unit:
        """The record as data; what it explains later depends on the settings that it declares here."""
        request: Json = {"subject": subject_request(subject), "describe": True, "seed": 0}
        return Unit(self.plugin, Call("explain", request, {}, (self.plugin,)))


class FormatProxy(Proxy):
    """Stands for a model file format."""

    @hookimpl
    def qaudit_offer_formats(self, model: Path) -> Unit:
        """Offer and recognition are one unit."""
        return Unit(self.plugin, Call("recognise", {"model": str(model)}, {}, (self.plugin,), RECOGNISE))


class FrameworkProxy(Proxy):
    """Stands for a framework."""

    @hookimpl
    def qaudit_offer_frameworks(self) -> Unit:
        """The whole list: a framework is data only."""
        return Unit(self.plugin, Call("frameworks", {}, {}, (self.plugin,)))


PROXIES: dict[str, type[Proxy]] = {
    "quantizer": QuantizerProxy,
    "explainer": ExplainerProxy,
    "format": FormatProxy,
    "framework": FrameworkProxy,
}
