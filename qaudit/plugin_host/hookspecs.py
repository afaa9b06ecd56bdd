"""The hooks as the host calls them, each once for all plugins of a kind.

A plugin implements the hooks of qaudit.hookspecs, and they are called in a child. In the host the plugin's proxy implements the
hook of the same name. Besides the plugin's own arguments it receives what the child needs for its work; a test checks that no
hook and no argument of qaudit.hookspecs is missing here. The wrappers around these hooks are in qaudit/plugin_host/wrappers.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qaudit.hookspecs import hookspec

if TYPE_CHECKING:  # the list of plugins reads this file and does not wait for numpy
    from pathlib import Path

    from qaudit.core.records import Subject
    from qaudit.plugin_host.units import QuantizeTask, Unit
    from qaudit.sandbox.job import Call, Outcome


@hookspec
def qaudit_offer_quantizers(subject: Subject, task: QuantizeTask) -> Unit:  # type: ignore[empty-body]
    """The unit in which one quantizer offers its record and makes all its candidates. Fires when candidates are made."""


@hookspec
def qaudit_offer_explainers(subject: Subject) -> Unit:  # type: ignore[empty-body]
    """The unit in which one explainer states its summary, settings and needs. Fires before anything is explained."""


@hookspec
def qaudit_offer_formats(model: Path) -> Unit:  # type: ignore[empty-body]
    """The unit in which one format checks whether it can read the model file. Fires when a model file is read."""


@hookspec
def qaudit_offer_frameworks() -> Unit:  # type: ignore[empty-body]
    """The unit in which one framework gives its list of evidence. Fires when the report is assembled."""


@hookspec(firstresult=True)
def qaudit_run_unit(call: Call) -> Outcome:  # type: ignore[empty-body]
    """Run one unit and return its outcome, which comes from the first implementation that has one.

    Called from several threads at a time.
    """
