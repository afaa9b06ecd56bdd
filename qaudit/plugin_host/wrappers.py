"""Wrappers around the hooks of the host: running units in parallel, attributing failures, the result cache, and progress.

The sandbox, which runs a unit, is the innermost implementation.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

from qaudit.cache.unit_cache import UnitCache
from qaudit.core.evidence import Skipped
from qaudit.hookspecs import hookimpl
from qaudit.plugin_host.units import Answer, Unit
from qaudit.sandbox import runner
from qaudit.sandbox.answers import breach
from qaudit.sandbox.job import Call, Failure, Outcome, PluginRef

RunMany = Callable[[Sequence[Call]], list[Outcome]]
Around = Generator[None, Any, Any]
_STAGES = {"quantize": "quantize", "explain": "explain", "recognise": "load", "frameworks": "frameworks"}
_CHECKED_HERE = ("recognise", "frameworks")
"""Tasks whose answer is valid or invalid as a whole. The candidates of a quantizer are checked one by one in their stage, and the
settings of an explainer together with those that the author chose."""


class _AroundOffers(ABC):
    """The base of wrappers around the four hooks that collect offers."""

    @abstractmethod
    def changed(self, results: Any) -> Any:
        """The value that the hook returns instead of `results`."""

    @hookimpl(wrapper=True)
    def qaudit_offer_quantizers(self) -> Around:
        """Around the quantizers."""
        return self.changed((yield))

    @hookimpl(wrapper=True)
    def qaudit_offer_explainers(self) -> Around:
        """Around the explainers."""
        return self.changed((yield))

    @hookimpl(wrapper=True)
    def qaudit_offer_formats(self) -> Around:
        """Around the formats."""
        return self.changed((yield))

    @hookimpl(wrapper=True)
    def qaudit_offer_frameworks(self) -> Around:
        """Around the frameworks."""
        return self.changed((yield))


class RunUnits(_AroundOffers):
    """Runs the units that the proxies prepared, several at a time, and gives the answers in the order of the plugins' names.

    pluggy calls the proxies one after another, the last registered first. The report depends on neither.
    """

    def __init__(self, run_many: RunMany) -> None:
        self._run_many = run_many

    def changed(self, results: list[Unit]) -> list[Answer]:
        """The answers to the units."""
        units = sorted(results, key=lambda unit: (unit.plugin.name, unit.plugin.distribution))
        outcomes = self._run_many([unit.call for unit in units])
        return [Answer(unit.plugin, unit.call, outcome) for unit, outcome in zip(units, outcomes, strict=True)]


class Blame(_AroundOffers):
    """Adds a row of the report to every failed answer, also where only the host detects a breach of the contract."""

    def changed(self, results: list[Answer]) -> list[Answer]:
        """The answers, each with its failure as a row."""
        return [self._with_row(answer) for answer in results]

    def _with_row(self, answer: Answer) -> Answer:
        task, outcome = answer.call.task, answer.outcome
        if outcome.failure is None and task in _CHECKED_HERE:
            wrong = breach(task, answer.plugin.name, answer.call.request, answer.call.arrays, outcome)
            if wrong is not None:
                runner.keep_unit(answer.call, outcome, wrong)
                outcome = Outcome({}, {}, Failure("broken contract", task, wrong, "plugin"))
        if outcome.failure is None:
            return answer
        return replace(answer, outcome=outcome, skipped=blamed(_STAGES[task], answer.plugin, outcome.failure))


def blamed(stage: str, plugin: PluginRef, failure: Failure, what: str = "") -> Skipped:
    """The row of the report for a failed unit; `what` says what it was doing. The plugin declined or failed, or the model
    crashed.

    A format cannot decline: it recognises a file or not.
    """
    by, reason, doing = plugin.name, failure.reason, f" ({what})" if what else ""
    if stage == "explain" and failure.kind == "crashed" and failure.blame == "model":
        by, reason = "the model", f"{reason}, asked by {plugin.name}"
    if stage == "load" and failure.kind == "broken contract":
        reason = f"broken contract: {reason.removeprefix('broken contract: ')}"
    return Skipped(stage, by, reason + doing, "declined" if failure.kind == "declined" and stage != "load" else "failed")


class Sandbox:
    """Runs a unit in a child process, where nothing else has its outcome."""

    @hookimpl
    def qaudit_run_unit(self, call: Call) -> Outcome:
        """The outcome of the child."""
        return runner.run_call(call)


class Cache:
    """Answers a unit that ran before from the result cache, and keeps the outcomes of the others.

    A pluggy wrapper cannot leave out what it wraps. So the look-up is an implementation of the hook, which is asked before the
    sandbox, and only the keeping is a wrapper.
    """

    def __init__(self, cache: UnitCache) -> None:
        self._cache = cache

    @hookimpl(specname="qaudit_run_unit")
    def look_up(self, call: Call) -> Outcome | None:
        """The kept outcome, if there is one."""
        return self._cache.look_up(call)

    @hookimpl(specname="qaudit_run_unit", wrapper=True)
    def keep(self, call: Call) -> Generator[None, Outcome, Outcome]:
        """The outcome, kept where it is new."""
        outcome = yield
        self._cache.keep(call, outcome)
        return outcome


class Progress:
    """Reports one line for each unit that has ended."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._ended: dict[str, int] = {}
        self._lock = threading.Lock()

    @hookimpl(wrapper=True)
    def qaudit_run_unit(self, call: Call) -> Generator[None, Outcome, Outcome]:
        """The outcome, unchanged."""
        outcome = yield
        name = ": ".join([call.task, *(plugin.name for plugin in call.plugins[-1:])])
        with self._lock:
            self._ended[name] = self._ended.get(name, 0) + 1
            self._progress(f"{name}: unit {self._ended[name]} done")
        return outcome
