"""Checks C1 to C6 and A7 of quantizers: reproducibility, side effects, and refusal of invalid values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.quantizer_calls import QuantizerCalls, QuantizerRun, digest
from qaudit.testing.checks.results import NotRun
from qaudit.testing.checks.side_effect_watch import changed, state


def reproducible(calls: QuantizerCalls) -> list[str]:
    """C1 within one process: the same seed gives the same codes. The runner compares with another process."""
    if not calls.record.claims.deterministic:
        raise NotRun("deterministic is not claimed")
    again = [calls.run(run.where, run.program, run.settings) for run in calls.answered()]
    pairs = zip(calls.answered(), again, strict=True)
    return [
        f"called again with the same seed, it gave other codes: {before.at()}"
        for before, after in pairs
        if digest(before) != digest(after)
    ]


def fingerprint(calls: QuantizerCalls) -> str:
    """A digest of all results, which is the same in every process where C1 holds; empty where determinism is not claimed."""
    return "" if not calls.record.claims.deterministic else "".join(digest(run)[:16] for run in calls.answered())


def inputs_unchanged(calls: QuantizerCalls) -> list[str]:
    """C2: the plugin does not write into its input arrays.

    It is called with read-only arrays, which raise on a write, and with writable copies, which are compared afterwards.
    """
    problems = [f"raised {run.raised}: {run.where}" for run in calls.plain() if run.raised and "read-only" in str(run.raised)]
    copies: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def writable(values: NDArray[Any]) -> NDArray[Any]:
        copies.append((values, np.array(values)))
        return copies[-1][1]

    for run in calls.plain():
        copies.clear()
        calls.run(run.where, run.program, run.settings, view=writable)
        if any(not np.array_equal(before, after) for before, after in copies):
            problems.append(f"wrote into the values it was given: {run.at()}")
    return problems


def no_state_left(calls: QuantizerCalls) -> list[str]:
    """C3: the state of interpreter and numpy is unchanged, and the codes of a tensor do not depend on earlier calls."""
    runs = calls.answered()
    before = state()
    # the opposite order shows whether a result depends on the calls before it
    again = [calls.run(run.where, run.program, run.settings) for run in reversed(runs)]
    problems = [
        f"a call changed {name}" for name in dict.fromkeys([*changed(calls.before, state(True)), *changed(before, state())])
    ]
    if calls.record.claims.deterministic:
        pairs = zip(runs, reversed(again), strict=True)
        problems += [f"after other tensors it gave other codes: {a.at()}" for a, b in pairs if digest(a) != digest(b)]
    return problems


LAYOUTS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "column order": lambda values: np.asfortranarray(values),
    "a slice of a larger array": lambda values: np.repeat(values, 2, axis=-1)[..., ::2],
    "a reversed view": lambda values: np.ascontiguousarray(values[..., ::-1])[..., ::-1],
}


def any_layout(calls: QuantizerCalls) -> list[str]:
    """C4: the memory layout of the input array makes no difference."""
    if calls.record.quantize is None:
        raise NotRun("quantizes whole models: there is no layout to choose")
    if not calls.record.claims.deterministic:
        raise NotRun("deterministic is not claimed")
    problems = []
    for run in calls.answered():
        for name, layout in LAYOUTS.items():
            if digest(calls.run(run.where, run.program, run.settings, view=layout)) != digest(run):
                problems.append(f"gave other codes for values in {name}: {run.at()}")
    return problems


def prints_nothing(calls: QuantizerCalls) -> list[str]:
    """C5: nothing is printed on standard output."""
    calls.plain()
    printed = calls.watch.printed.get("calls", 0)
    return [f"printed {printed} bytes on standard output while quantizing"] if printed else []


def refuses_invalid_values(calls: QuantizerCalls) -> list[str]:
    """C6: NaN and infinity never give a well-formed tensor, and every allowed setting works or is declined."""
    problems = [
        f"a tensor with {where} came back as if it were one of numbers ({name})"
        for where, program in toy_subjects.nonsense().items()
        for run in (calls.run(where, program, settings) for settings in calls.combinations()[:2])
        for name, values, tensor in run.valid()
        if not np.isfinite(values).all()
    ]
    for run in calls.at_ends():
        if run.raised is not None:
            problems.append(f"raised {type(run.raised).__name__}: {run.raised} ({run.at('layer0.weight')})")
        valid = {name for name, _, _ in run.valid()}
        problems += [f"gave an invalid tensor with an allowed setting: {run.at(name)}" for name, _, _ in run if name not in valid]
    return problems


def works(calls: QuantizerCalls) -> list[str]:
    """A7: at least one parameter of the toy subjects is quantized, and nothing but Decline is raised."""
    problems = [f"raised {type(run.raised).__name__}: {run.raised} ({run.where})" for run in calls.plain() if run.raised]
    if problems:
        return problems
    if not any(run.tensors or run.grids for run in calls.plain()):
        reasons: list[QuantizerRun] = [run for run in calls.plain() if run.declined]
        why = f"declined: {reasons[0].declined}" if reasons else "left every parameter in float64"
        return [f"quantized no parameter of {len(toy_subjects.plain())} toy subjects; {why}"]
    return []


SIDE_EFFECT_CHECKS: dict[str, Callable[[QuantizerCalls], list[str]]] = {
    "A7": works,
    "C1": reproducible,
    "C2": inputs_unchanged,
    "C3": no_state_left,
    "C4": any_layout,
    "C5": prints_nothing,
    "C6": refuses_invalid_values,
}
