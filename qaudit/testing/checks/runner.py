"""Runs the checks of one plugin on the host's side: units are started until every check has a result."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaudit.sandbox import runner
from qaudit.sandbox.job import Failure, Limits, Outcome, PluginRef
from qaudit.testing.checks.catalogue import BY_ID, checks_of
from qaudit.testing.checks.results import SHOWN, Result, Status

LIMITS = Limits(seconds=30.0, memory=2 * 2**30, answer=16 * 2**20)
MAX_ENDED_UNITS = 3
"""Units that may crash or hang before the remaining checks are not run any more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The results of all checks of one plugin in the order of the catalogue, and the expected failures with their reasons."""

    ref: PluginRef
    results: tuple[Result, ...]
    expected: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether exactly the expected checks failed."""
        return not any(result.status == "failed" for result in self.results)


def check_plugin(
    ref: PluginRef,
    expected: Mapping[str, str] | None = None,
    sample: Path | None = None,
    limits: Limits = LIMITS,
    only: Sequence[str] | None = None,
) -> Verdict:
    """Run the checks of the plugin's kind: all of them, or `only` some.

    `expected` adds to the module's own `qaudit_expected_failures`. Raises ValueError for an expected failure of an unknown check
    or without a reason.
    """
    wanted = [check for check in checks_of(ref.kind) if only is None or check in only]
    results, declared = _results(ref, list(wanted), sample, limits)
    if "C1" in results and results["C1"].status == "passed":
        results |= _in_other_processes(ref, results["C1"], limits)
    declared |= dict(expected or {})
    _check_expectations(ref, declared)
    return Verdict(ref, tuple(_expected(results[check], declared) for check in checks_of(ref.kind) if check in results), declared)


def _results(ref: PluginRef, waiting: list[str], sample: Path | None, limits: Limits) -> tuple[dict[str, Result], dict[str, str]]:
    """The results of the checks, and the expected failures that the module declares.

    A check in which the unit crashed or hung has failed; it is left out of the next unit, which runs the others.
    """
    results: dict[str, Result] = {}
    for ended_units in range(1, MAX_ENDED_UNITS + 1):
        if not waiting:
            break
        outcome = _unit(ref, waiting, sample, limits)
        if outcome.failure is None:
            declared = {str(key): str(value) for key, value in outcome.answer["expected"].items()}
            return results | {check: _result(check, outcome.answer["results"][check]) for check in waiting}, declared
        ended_by = _check_at_fault(outcome.failure, waiting)
        results[ended_by] = Result(ended_by, "failed", (_end_text(outcome.failure),))
        waiting = [check for check in waiting if check != ended_by]
        if ended_by in ("A1", "A5") or ended_units == MAX_ENDED_UNITS:
            reason = f"the plugin ended {ended_units} units" if ended_units > 1 else "the plugin ended its unit"
            results |= {check: Result(check, "not run", (reason,)) for check in waiting}
            break
    return results, {}


def _unit(ref: PluginRef, checks: list[str], sample: Path | None, limits: Limits, backwards: bool = False) -> Outcome:
    path = str(sample.resolve()) if sample else None
    request = {"ref": dataclasses.asdict(ref), "checks": checks, "sample": path, "backwards": backwards}
    return runner.run("check_plugin", request, limits=limits)


def _check_at_fault(failure: Failure, waiting: list[str]) -> str:
    """The check that the unit had announced last. A1 and A5 load the plugin, whichever checks were requested."""
    announced = re.fullmatch(r"check ([A-F]\d+)", failure.phase)
    return announced[1] if announced and (announced[1] in waiting or announced[1] in ("A1", "A5")) else waiting[0]


def _end_text(failure: Failure) -> str:
    return re.sub(r" \(?while (in phase check [A-F]\d+|starting)\)?$", "", failure.reason)


def _result(check: str, answer: Mapping[str, Any]) -> Result:
    lines = tuple(str(line) for line in answer["seen"])
    status: Status = answer["status"]
    more = int(answer["more"]) + max(0, len(lines) - SHOWN)
    return Result(check, status, lines[:SHOWN], str(answer["look"]), str(answer["digest"]), more)


def _in_other_processes(ref: PluginRef, first: Result, limits: Limits) -> dict[str, Result]:
    """Repeat C1 in a new process that takes the subjects in the opposite order.

    Where only the order makes a difference, the plugin keeps state between calls, which is a failure of C3.
    """

    def digest_in_new_process(backwards: bool) -> str | None:
        outcome = _unit(ref, ["C1"], None, limits, backwards)
        again = _result("C1", outcome.answer["results"]["C1"]) if outcome.failure is None else None
        return again.digest if again is not None and again.status == "passed" else None

    if digest_in_new_process(True) == first.digest:
        return {}
    if digest_in_new_process(False) == first.digest:
        seen = "a process that saw other subjects before gave another result with the same seed"
        return {"C3": Result("C3", "failed", (seen,))}
    return {"C1": Result("C1", "failed", ("another process with the same seed gave another result",))}


def _check_expectations(ref: PluginRef, expected: Mapping[str, str]) -> None:
    for check, reason in expected.items():
        if check not in checks_of(ref.kind):
            raise ValueError(f"expected failure {check!r}: no check of a {ref.kind}; known: {', '.join(checks_of(ref.kind))}")
        if not reason.strip():
            raise ValueError(f"expected failure {check!r}: a reason is wanted")


def _expected(result: Result, expected: Mapping[str, str]) -> Result:
    """The result with the expectation applied. A check that passes although its failure was expected has failed."""
    if result.id not in expected:
        return result
    if result.status == "failed":
        return dataclasses.replace(result, status="expected")
    if result.status == "passed":
        return dataclasses.replace(result, status="failed", seen=("expected to fail, and passed: take it off the list",))
    return result


def lines(result: Result, expected: Mapping[str, str], base: Path) -> list[str]:
    """One result as lines of text: its status, what was observed, why it matters and where to look."""
    check = BY_ID[result.id]
    mark = {"passed": "ok", "failed": "FAILED", "not run": "-", "expected": "expected"}[result.status]
    head = f"{mark:8} {result.id:4} {check.title}"
    if result.status == "passed":
        return [head]
    if result.status == "not run":
        return [f"{head} (not run: {'; '.join(result.seen)})"]
    text = [head, *(f"           {line}" for line in result.seen)]
    if result.more:
        text.append(f"           and {result.more} more like it")
    if result.status == "expected":
        return [*text, f"           expected: {expected[result.id]}"]
    look = f"           look: {_near(result.look, base)}; {check.anchor}" if result.look else f"           look: {check.anchor}"
    return [*text, f"           why:  {check.why}", look]


def _near(look: str, base: Path) -> str:
    """A "file:line" relative to the working folder, where the file lies below it."""
    file, _, line = look.rpartition(":")
    try:
        return f"{Path(file).relative_to(base)}:{line}"
    except ValueError:
        return look
