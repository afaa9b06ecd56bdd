"""Runs named checks of one plugin in the child. Each check is announced first, so that a crash is attributed to it."""

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
from qaudit.testing.checks.contract import LoadedPlugin, contract, load_plugin
from qaudit.testing.checks.own_measures import measure_problems
from qaudit.testing.checks.results import CheckOutcome, NotRun, run_check
from qaudit.testing.checks.side_effect_watch import SideEffectWatch

LOADING_CHECKS = ("A1", "A2", "A3", "A4", "A5", "A6")
EXPECTED = "qaudit_expected_failures"
SAMPLE = "qaudit_sample"
_LINES = 12


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """request {ref, checks: [id], sample: path or null, backwards} -> {results: {id: {...}}, expected: {id: reason}}.

    The plugin is loaded here and not by the unit itself, so that the import can be watched for side effects.
    """
    ref = PluginRef(**job.request["ref"])
    watch = SideEffectWatch()
    watch.start()
    loaded = load_plugin(ref, watch, lambda check: job.phase(f"check {check}"))
    results: dict[str, CheckOutcome] = {}
    functions = _functions(loaded, job.request.get("sample"), bool(job.request.get("backwards")))
    # A6 reports the side effects of all other checks, so it comes last.
    for check in sorted(job.request["checks"], key=lambda check: check == "A6"):
        job.phase(f"check {check}")
        results[check] = _run(loaded, check, functions)
    if "C1" in results and results["C1"].status == "passed":
        results["C1"] = _with_digest(functions)
    return {"results": {check: _json(result) for check, result in results.items()}, "expected": _expected(loaded)}, {}


def _run(loaded: LoadedPlugin, check: str, functions: dict[str, Callable[[], list[str]]]) -> CheckOutcome:
    if check in loaded.broken:
        return loaded.broken[check]
    if not loaded.records:
        if check == "A7" and not loaded.broken:
            return CheckOutcome("failed", ["offers nothing for the toy subjects"], loaded.look and f"{loaded.look}:1")
        return CheckOutcome("not run", ["the plugin offered no record"])
    if check == "A6" and "A7" in functions:
        run_check(functions["A7"], loaded.function, loaded.files)  # run only for its side effects; its result belongs to A7
    if check in LOADING_CHECKS:
        return run_check(lambda: contract(loaded, check), loaded.function, loaded.files)
    return run_check(functions[check], loaded.function, loaded.files)


def _functions(loaded: LoadedPlugin, sample: str | None, backwards: bool) -> dict[str, Callable[[], list[str]]]:
    """The checks that need a record, bound to the plugin's first one."""
    if not loaded.records:
        return {}
    record = loaded.records[0]
    if isinstance(record, Quantizer):
        calls = quantizer_calls.QuantizerCalls(record, loaded.watch, backwards)
        checks: dict[str, Callable[[Any], list[str]]] = {**quantized_tensors.TENSOR_CHECKS, **side_effects.SIDE_EFFECT_CHECKS}
        return {
            **{check: _bound(_after_works(calls, function), calls) for check, function in checks.items()},
            "A7": lambda: side_effects.works(calls),
            "A8": lambda: measure_problems(record.measures, lambda: (name for run in calls.plain() for name, _ in run.recorded)),
            "C6": lambda: side_effects.refuses_invalid_values(calls),
            "digest": lambda: [side_effects.fingerprint(calls)],
        }
    if isinstance(record, Explainer):
        trial = explainers.ExplainerTrial(record, loaded.watch, backwards)
        bound = {check: _bound(function, trial) for check, function in explainers.EXPLAINER_CHECKS.items()}
        return {**bound, "digest": lambda: [explainers.fingerprint(trial)]}
    if isinstance(record, Format):
        own = getattr(loaded.module, SAMPLE, None)
        model_files = formats.FormatTrial(record, loaded.watch, Path(sample) if sample else own)
        return {check: _bound(function, model_files) for check, function in formats.FORMAT_CHECKS.items()}
    assert isinstance(record, Framework)
    return {check: _bound(function, record) for check, function in formats.FRAMEWORK_CHECKS.items()}


def _bound(function: Callable[[Any], list[str]], subject: Any) -> Callable[[], list[str]]:
    return lambda: function(subject)


def _after_works(calls: quantizer_calls.QuantizerCalls, function: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """The check, which is not run where nothing was quantized: without a tensor it would pass without checking anything."""

    def checked(subject: Any) -> list[str]:
        if not any(run.tensors or run.grids for run in calls.plain()):
            raise NotRun("nothing was quantized, see A7")
        return function(subject)

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


def _expected(loaded: LoadedPlugin) -> dict[str, str]:
    """The module's own list of checks that are expected to fail, with the reasons."""
    declared = getattr(loaded.module, EXPECTED, None) or getattr(loaded.module, "__dict__", {}).get(EXPECTED)
    if not isinstance(declared, dict):
        return {}
    return {str(check): plain_reason(str(reason)) for check, reason in declared.items()}
