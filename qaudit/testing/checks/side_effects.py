"""C1 to C6 for quantizers: what a call does besides answering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.quantizer_calls import QuantizerCalls, Ran, digest
from qaudit.testing.checks.results import NotRun
from qaudit.testing.checks.side_effect_watch import changed, state


def reproducible(lab: QuantizerCalls) -> list[str]:
    """C1, within one process; the driver compares with another."""
    if not lab.record.claims.deterministic:
        raise NotRun("deterministic is not claimed")
    again = [lab.run(ran.where, ran.program, ran.settings) for ran in lab.answered()]
    pairs = zip(lab.answered(), again, strict=True)
    return [
        f"called again with the same seed, it gave other codes: {one.at()}" for one, two in pairs if digest(one) != digest(two)
    ]


def fingerprint(lab: QuantizerCalls) -> str:
    """One text that is the same in every process where C1 holds."""
    return "" if not lab.record.claims.deterministic else "".join(digest(ran)[:16] for ran in lab.answered())


def untouched(lab: QuantizerCalls) -> list[str]:
    """C2: arrays that could be written to are not; arrays that cannot are not tried."""
    found = [f"raised {ran.raised}: {ran.where}" for ran in lab.plain() if ran.raised and "read-only" in str(ran.raised)]
    kept: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def writable(values: NDArray[Any]) -> NDArray[Any]:
        kept.append((values, np.array(values)))
        return kept[-1][1]

    for ran in lab.plain():
        kept.clear()
        lab.run(ran.where, ran.program, ran.settings, view=writable)
        if any(not np.array_equal(before, after) for before, after in kept):
            found.append(f"wrote into the values it was given: {ran.at()}")
    return found


def leaves_nothing(lab: QuantizerCalls) -> list[str]:
    """C3: interpreter and numpy state stay, and a tensor's codes do not depend on the tensor before it."""
    runs = lab.answered()
    before = state()
    again = [lab.run(ran.where, ran.program, ran.settings) for ran in reversed(runs)]
    found = [f"a call changed {name}" for name in dict.fromkeys([*changed(lab.before, state(True)), *changed(before, state())])]
    if lab.record.claims.deterministic:
        pairs = zip(runs, reversed(again), strict=True)
        found += [f"after other tensors it gave other codes: {a.at()}" for a, b in pairs if digest(a) != digest(b)]
    return found


LAYOUTS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "column order": lambda values: np.asfortranarray(values),
    "a slice of a larger array": lambda values: np.repeat(values, 2, axis=-1)[..., ::2],
    "a reversed view": lambda values: np.ascontiguousarray(values[..., ::-1])[..., ::-1],
}


def any_layout(lab: QuantizerCalls) -> list[str]:
    """C4."""
    if lab.record.quantize is None:
        raise NotRun("quantizes whole models: there is no layout to choose")
    if not lab.record.claims.deterministic:
        raise NotRun("deterministic is not claimed")
    found = []
    for ran in lab.answered():
        for name, layout in LAYOUTS.items():
            if digest(lab.run(ran.where, ran.program, ran.settings, view=layout)) != digest(ran):
                found.append(f"gave other codes for values in {name}: {ran.at()}")
    return found


def silent(lab: QuantizerCalls) -> list[str]:
    """C5."""
    lab.plain()
    printed = lab.watch.printed.get("calls", 0)
    return [f"printed {printed} bytes on standard output while quantizing"] if printed else []


def no_nonsense(lab: QuantizerCalls) -> list[str]:
    """C6: NaN and infinity never become a lawful tensor, and every allowed setting works or is declined."""
    found = [
        f"a tensor with {where} came back as if it were one of numbers ({name})"
        for where, program in toy_subjects.nonsense().items()
        for ran in (lab.run(where, program, settings) for settings in lab.combinations()[:2])
        for name, values, tensor in ran.lawful()
        if not np.isfinite(values).all()
    ]
    for ran in lab.at_ends():
        if ran.raised is not None:
            found.append(f"raised {type(ran.raised).__name__}: {ran.raised} ({ran.at('layer0.weight')})")
        lawful = {name for name, _, _ in ran.lawful()}
        found += [f"broke the law with an allowed setting: {ran.at(name)}" for name, _, _ in ran if name not in lawful]
    return found


def works(lab: QuantizerCalls) -> list[str]:
    """A7: at least one parameter of the toy subjects is quantized, and nothing but Decline is raised."""
    found = [f"raised {type(ran.raised).__name__}: {ran.raised} ({ran.where})" for ran in lab.plain() if ran.raised]
    if found:
        return found
    if not any(ran.tensors or ran.grids for ran in lab.plain()):
        reasons: list[Ran] = [ran for ran in lab.plain() if ran.declined]
        why = f"declined: {reasons[0].declined}" if reasons else "left every parameter in float64"
        return [f"quantized no parameter of {len(toy_subjects.plain())} toy subjects; {why}"]
    return []


MANNERS: dict[str, Callable[[QuantizerCalls], list[str]]] = {
    "A7": works,
    "C1": reproducible,
    "C2": untouched,
    "C3": leaves_nothing,
    "C4": any_layout,
    "C5": silent,
    "C6": no_nonsense,
}
