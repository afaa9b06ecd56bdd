"""The hooks that a plugin may implement, one for each kind of plugin.

The host calls each hook once for all plugins of the kind (qaudit/plugin_host/hookspecs.py). A plugin's own implementation is
called in a child process that has loaded this plugin only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:  # the list of plugins reads this file and does not wait for numpy
    from collections.abc import Iterable

    from qaudit.core.records import Explainer, Format, Framework, Quantizer, Subject

hookspec = pluggy.HookspecMarker("qaudit")
hookimpl = pluggy.HookimplMarker("qaudit")

GROUPS = {
    "quantizer": "qaudit.quantizers",
    "explainer": "qaudit.explainers",
    "format": "qaudit.formats",
    "framework": "qaudit.frameworks",
}


@hookspec
def qaudit_offer_quantizers(subject: Subject) -> Iterable[Quantizer]:  # type: ignore[empty-body]
    """Yield quantizers for this subject. Fires when candidates are made.

    yield Quantizer("halves", "nearest half", halves, settings={"bits": Setting((8,))})
    """


@hookspec
def qaudit_offer_explainers(subject: Subject) -> Iterable[Explainer]:  # type: ignore[empty-body]
    """Yield explainers for this subject. Fires before the reference and the judged candidate are explained."""


@hookspec
def qaudit_offer_formats() -> Iterable[Format]:  # type: ignore[empty-body]
    """Yield model file formats. Fires when a model file is read."""


@hookspec
def qaudit_offer_frameworks() -> Iterable[Framework]:  # type: ignore[empty-body]
    """Yield evidence lists of regulations: data only. Fires when the report is assembled."""
