"""Run named checks on one plugin, inside this child; each check announces itself, so that a crash is blamed on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.core.records import Explainer, Format, Framework, Quantizer
from qaudit.sandbox.ipc import plain_reason
from qaudit.sandbox.job import Job, PluginRef
from qaudit.testing.checks import explainers, formats, quantized_tensors, quantizer_calls, side_effects
from qaudit.testing.checks.contract import Door, contract, opened
from qaudit.testing.checks.results import CheckOutcome, NotRun, told
from qaudit.testing.checks.side_effect_watch import SideEffectWatch

AT_THE_DOOR = ("A1", "A2", "A3", "A4", "A5", "A6")
EXPECTED = "qaudit_expected_failures"
SAMPLE = "qaudit_sample"
_LINES = 12


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """request {ref, checks: [id], sample: path or null, backwards} -> {results: {id: {...}}, expected: {id: reason}}.

    The plugin is loaded here and not by the door of the unit, so that its import can be watched.
    """
    ref = PluginRef(**job.request["ref"])
    watch = SideEffectWatch()
    watch.start()
    door = opened(ref, watch, lambda check: job.phase(f"check {check}"))
    results: dict[str, CheckOutcome] = {}
    functions = _functions(door, job.request.get("sample"), bool(job.request.get("backwards")))
    # A6 is about everything before it, so it comes last.
    for check in sorted(job.request["checks"], key=lambda check: check == "A6"):
        job.phase(f"check {check}")
        results[check] = _one(door, check, functions)
    if "C1" in results and results["C1"].status == "passed":
        results["C1"] = _with_digest(functions)
    return {"results": {check: _json(result) for check, result in results.items()}, "expected": _expected(door)}, {}


def _one(door: Door, check: str, functions: dict[str, Callable[[], list[str]]]) -> CheckOutcome:
    if check in door.broken:
        return door.broken[check]
    if not door.records:
        if check == "A7" and not door.broken:
            return CheckOutcome("failed", ["offers nothing for the toy subjects"], door.look and f"{door.look}:1")
        return CheckOutcome("not run", ["the plugin offered no record"])
    if check == "A6" and "A7" in functions:
        told(functions["A7"], door.function, door.files)  # its deeds are noted, its verdict is A7's
    if check in AT_THE_DOOR:
        return told(lambda: contract(door, check), door.function, door.files)
    return told(functions[check], door.function, door.files)


def _functions(door: Door, sample: str | None, backwards: bool) -> dict[str, Callable[[], list[str]]]:
    """The checks that need a record, bound to one."""
    if not door.records:
        return {}
    record = door.records[0]
    if isinstance(record, Quantizer):
        bench = quantizer_calls.QuantizerCalls(record, door.watch, backwards)
        known: dict[str, Callable[[Any], list[str]]] = {**quantized_tensors.LAW, **side_effects.MANNERS}
        return {
            **{check: _bound(_after_works(bench, function), bench) for check, function in known.items()},
            "A7": lambda: side_effects.works(bench),
            "C6": lambda: side_effects.no_nonsense(bench),
            "digest": lambda: [side_effects.fingerprint(bench)],
        }
    if isinstance(record, Explainer):
        table = explainers.ExplainerTrial(record, door.watch, backwards)
        bound = {check: _bound(function, table) for check, function in explainers.EXPLAINING.items()}
        return {**bound, "digest": lambda: [explainers.fingerprint(table)]}
    if isinstance(record, Format):
        own = getattr(door.module, SAMPLE, None)
        shelf = formats.Shelf(record, door.watch, Path(sample) if sample else own)
        return {check: _bound(function, shelf) for check, function in formats.READING.items()}
    assert isinstance(record, Framework)
    return {check: _bound(function, record) for check, function in formats.LISTING.items()}


def _bound(function: Callable[[Any], list[str]], subject: Any) -> Callable[[], list[str]]:
    return lambda: function(subject)


def _after_works(bench: quantizer_calls.QuantizerCalls, function: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """A law cannot be checked on nothing."""

    def checked(given: Any) -> list[str]:
        if not any(ran.tensors or ran.grids for ran in bench.plain()):
            raise NotRun("nothing was quantized, see A7")
        return function(given)

    return checked


def _with_digest(functions: dict[str, Callable[[], list[str]]]) -> CheckOutcome:
    return CheckOutcome("passed", digest=functions["digest"]()[0])


def _json(result: CheckOutcome) -> Json:
    lines = [plain_reason(line, 400) for line in result.seen[:_LINES]]
    return {
        "status": result.status,
        "seen": lines,
        "more": max(0, len(result.seen) - _LINES),
        "look": "".join(char for char in result.look if char.isprintable())[:500],
        "digest": result.digest,
    }


def _expected(door: Door) -> dict[str, str]:
    """The module's own list of checks that are known to fail, with the reasons."""
    given = getattr(door.module, EXPECTED, None) or getattr(door.module, "__dict__", {}).get(EXPECTED)
    if not isinstance(given, dict):
        return {}
    return {str(check): plain_reason(str(reason)) for check, reason in given.items()}
