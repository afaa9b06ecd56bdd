"""The checks of one plugin, from the host's side: units are run until every check has its result."""

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
DEATHS = 3
"""Units that may crash or hang before the rest is given up."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of one plugin, in the order of the catalogue, and the failures that were expected with their reasons."""

    ref: PluginRef
    results: tuple[Result, ...]
    expected: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """No check failed but those that were expected to, and each of those did."""
        return not any(result.status == "failed" for result in self.results)


def check_plugin(
    ref: PluginRef,
    expected: Mapping[str, str] | None = None,
    sample: Path | None = None,
    limits: Limits = LIMITS,
    only: Sequence[str] | None = None,
) -> Verdict:
    """Run the checks of the plugin's kind, all or `only` some. `expected` adds to the module's own `qaudit_expected_failures`.

    Raises ValueError for an expected failure of an unknown check or without a reason.
    """
    wanted = [check for check in checks_of(ref.kind) if only is None or check in only]
    found, declared = _found(ref, list(wanted), sample, limits)
    if "C1" in found and found["C1"].status == "passed":
        found |= _elsewhere(ref, found["C1"], limits)
    declared |= dict(expected or {})
    _known(ref, declared)
    return Verdict(ref, tuple(_judged(found[check], declared) for check in checks_of(ref.kind) if check in found), declared)


def _found(ref: PluginRef, waiting: list[str], sample: Path | None, limits: Limits) -> tuple[dict[str, Result], dict[str, str]]:
    """The results of the checks, and the expected failures that the module declares. A check that ends its unit is left out of
    the next one."""
    found: dict[str, Result] = {}
    for deaths in range(1, DEATHS + 1):
        if not waiting:
            break
        outcome = _unit(ref, waiting, sample, limits)
        if outcome.failure is None:
            declared = {str(key): str(value) for key, value in outcome.answer["expected"].items()}
            return found | {check: _result(check, outcome.answer["results"][check]) for check in waiting}, declared
        culprit = _culprit(outcome.failure, waiting)
        found[culprit] = Result(culprit, "failed", (_ended(outcome.failure),))
        waiting = [check for check in waiting if check != culprit]
        if culprit in ("A1", "A5") or deaths == DEATHS:
            why = f"the plugin ended {deaths} units" if deaths > 1 else "the plugin ended its unit"
            found |= {check: Result(check, "not run", (why,)) for check in waiting}
            break
    return found, {}


def _unit(ref: PluginRef, checks: list[str], sample: Path | None, limits: Limits, backwards: bool = False) -> Outcome:
    path = str(sample.resolve()) if sample else None
    request = {"ref": dataclasses.asdict(ref), "checks": checks, "sample": path, "backwards": backwards}
    return runner.run("check_plugin", request, limits=limits)


def _culprit(failure: Failure, waiting: list[str]) -> str:
    """The check that the unit had announced; the door is passed whichever checks were asked for."""
    told = re.fullmatch(r"check ([A-F]\d+)", failure.phase)
    return told[1] if told and (told[1] in waiting or told[1] in ("A1", "A5")) else waiting[0]


def _ended(failure: Failure) -> str:
    return re.sub(r" \(?while (in phase check [A-F]\d+|starting)\)?$", "", failure.reason)


def _result(check: str, told: Mapping[str, Any]) -> Result:
    lines = tuple(str(line) for line in told["seen"])
    status: Status = told["status"]
    more = int(told["more"]) + max(0, len(lines) - SHOWN)
    return Result(check, status, lines[:SHOWN], str(told["look"]), str(told["digest"]), more)


def _elsewhere(ref: PluginRef, first: Result, limits: Limits) -> dict[str, Result]:
    """C1 once more in a fresh process, which sees the subjects in the opposite order; where that matters it is C3's failure."""

    def told(backwards: bool) -> str | None:
        outcome = _unit(ref, ["C1"], None, limits, backwards)
        again = _result("C1", outcome.answer["results"]["C1"]) if outcome.failure is None else None
        return again.digest if again is not None and again.status == "passed" else None

    if told(True) == first.digest:
        return {}
    if told(False) == first.digest:
        seen = "a process that saw other subjects before gave another result with the same seed"
        return {"C3": Result("C3", "failed", (seen,))}
    return {"C1": Result("C1", "failed", ("another process with the same seed gave another result",))}


def _known(ref: PluginRef, expected: Mapping[str, str]) -> None:
    for check, reason in expected.items():
        if check not in checks_of(ref.kind):
            raise ValueError(f"expected failure {check!r}: no check of a {ref.kind}; known: {', '.join(checks_of(ref.kind))}")
        if not reason.strip():
            raise ValueError(f"expected failure {check!r}: a reason is wanted")


def _judged(result: Result, expected: Mapping[str, str]) -> Result:
    """A failure that was expected; an expectation that is no longer true is a failure of its own."""
    if result.id not in expected:
        return result
    if result.status == "failed":
        return dataclasses.replace(result, status="expected")
    if result.status == "passed":
        return dataclasses.replace(result, status="failed", seen=("expected to fail, and passed: take it off the list",))
    return result


def lines(result: Result, expected: Mapping[str, str], base: Path) -> list[str]:
    """One result as text: a tick, or what was seen, why it matters and where to look."""
    check = BY_ID[result.id]
    mark = {"passed": "ok", "failed": "FAILED", "not run": "-", "expected": "expected"}[result.status]
    head = f"{mark:8} {result.id:4} {check.title}"
    if result.status == "passed":
        return [head]
    if result.status == "not run":
        return [f"{head} (not run: {'; '.join(result.seen)})"]
    found = [head, *(f"           {line}" for line in result.seen)]
    if result.more:
        found.append(f"           and {result.more} more like it")
    if result.status == "expected":
        return [*found, f"           expected: {expected[result.id]}"]
    look = f"           look: {_near(result.look, base)}; {check.anchor}" if result.look else f"           look: {check.anchor}"
    return [*found, f"           why:  {check.why}", look]


def _near(look: str, base: Path) -> str:
    """A path as seen from the working folder, where it lies below it."""
    file, _, line = look.rpartition(":")
    try:
        return f"{Path(file).relative_to(base)}:{line}"
    except ValueError:
        return look
