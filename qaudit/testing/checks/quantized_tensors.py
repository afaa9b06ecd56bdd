"""B1 to B12: what a quantizer's tensors must obey. A check of a claim runs only where it is claimed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from qaudit.core.program import Program
from qaudit.core.tensor import Floats, QuantizedTensor
from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.quantizer_calls import QuantizerCalls, Ran
from qaudit.testing.checks.results import NotRun

HALF_STEP = ("nearest", "half", "subtractive")
FULL_STEP = ("stochastic", "floor", "ceil", "trunc")
SEEDS = 100
"""Draws of a random rounding."""


def _sorted_problems(ran: Ran, name: str, values: Floats, tensor: Any) -> Iterable[tuple[str, str]]:
    """The host's own list of breaches, each with the check that it belongs to."""
    if not isinstance(tensor, QuantizedTensor):
        yield "B1", f"gave a {type(tensor).__name__}, expected a QuantizedTensor: {ran.at(name)}"
        return
    for problem in tensor.problems(values.shape):
        if problem.startswith("codes: shape"):
            yield "B1", f"{problem}: {ran.at(name)}"
        elif problem.startswith("codes: from"):
            yield "B2", f"{_outside(tensor)}: {ran.at(name)}"
        else:
            yield ("B2" if problem.startswith(("codes", "qtype")) else "B3"), f"{problem}: {ran.at(name)}"


def _outside(tensor: QuantizedTensor) -> str:
    """codes outside int8 (-127 to 127): 3 of 5 (from -140 to 140)"""
    codes, qtype = tensor.codes, tensor.qtype
    low, high = (qtype.low, qtype.high) if tensor.table is None else (0, len(tensor.table) - 1)
    count = int(np.count_nonzero((codes < low) | (codes > high)))
    kind = f"{'int' if qtype.signed else 'uint'}{qtype.bits}" if tensor.table is None else "the table"
    return f"codes outside {kind} ({low} to {high}): {count} of {codes.size} (from {codes.min()} to {codes.max()})"


def lawful(lab: QuantizerCalls, check: str) -> list[str]:
    """B1, B2, B3 on the ordinary subjects."""
    found = [line for ran in lab.plain() for part in ran for number, line in _sorted_problems(ran, *part) if number == check]
    for ran in lab.plain():
        known = ran.program.parameters()
        if check == "B1":
            found += [f"no parameter {name!r}: {ran.where}" for name in ran.tensors if name not in known]
        if check == "B3":
            found += ran.grids
    return found


def zeros(lab: QuantizerCalls) -> list[str]:
    """B4."""
    if not lab.record.claims.zero_exact:
        raise NotRun("zero_exact is not claimed")
    return [line for ran in (*lab.plain(), *lab.special()) for line in lab.broken_claims(ran, "exact zeros")]


def bounded(lab: QuantizerCalls) -> list[str]:
    """B5: |values - law| <= step/2 (step for random and one-sided rounding) wherever the value lies inside the range of codes."""
    rounding = lab.record.claims.rounding.lower()
    if any(word in rounding for word in FULL_STEP):
        share = 1.0
    elif any(word in rounding for word in HALF_STEP):
        share = 0.5
    else:
        raise NotRun(f"rounding {lab.record.claims.rounding!r} promises no bound")
    found = []
    for ran in (*lab.plain(), *lab.at_ends()):
        for name, values, tensor in ran.lawful():
            over = excess(values, tensor, share)
            if over.any():
                steps = float((over / tensor.step()).max()) + share
                count = int(np.count_nonzero(over))
                found.append(
                    f"error {steps:.3g} steps, bound {share:g}: {count} of {values.size} values inside the range, {ran.at(name)}"
                )
    return found


def excess(values: Floats, tensor: QuantizedTensor, share: float) -> Floats:
    """How far each error goes beyond `share` steps (n...); 0 where it does not, outside the range, and where masked."""
    after, step = tensor.dequantize(), tensor.step()
    error = np.abs(after - values)
    slack = 1e-9 * step + 8 * np.finfo(float).eps * (np.abs(values) + np.abs(after))
    if tensor.table is not None:
        nearest = np.abs(step[..., None] * np.asarray(tensor.table) - values[..., None]).min(axis=-1)
        over = error - nearest
        return np.asarray(np.where(over > slack, over, 0.0))
    ends = [
        replace(tensor, codes=np.full(values.shape, code, dtype=np.int64), dither_seed=None, mask=None).dequantize()
        for code in (tensor.qtype.low, tensor.qtype.high)
    ]
    inside = (values >= ends[0] - slack) & (values <= ends[1] + slack)
    if tensor.mask is not None:
        inside &= tensor.mask
    over = error - share * step
    return np.asarray(np.where(inside & (over > slack), over, 0.0))


def special(lab: QuantizerCalls) -> list[str]:
    """B6: nothing but lawful tensors and plain refusals."""
    found = []
    for ran in lab.special():
        if ran.raised is not None:
            found.append(f"raised {type(ran.raised).__name__}: {ran.raised} ({ran.where})")
        found += [line for part in ran for _, line in _sorted_problems(ran, *part)]
        for name, values, tensor in ran.lawful():
            after = tensor.dequantize()
            if tensor.mask is None and float(np.abs(after).max()) > 4 * max(float(np.abs(values).max()), 1e-300):
                found.append(f"values grew from {np.abs(values).max():.3g} to {np.abs(after).max():.3g}: {ran.at(name)}")
    return found


def by_axis(lab: QuantizerCalls) -> list[str]:
    """B7: rows in another order give the same codes in that order."""
    order = np.array([2, 0, 3, 1])
    found, tried = [], 0
    for ran in lab.plain():
        if ran.where != "layer of unequal rows":
            continue
        for name, values, tensor in list(ran.lawful()):
            if tensor.axis is None or tensor.axis % values.ndim != 0 or not lab.record.claims.deterministic or lab.is_random(ran):
                continue
            tried += 1
            turned = lab.run(ran.where, toy_subjects.layer(values[order]), ran.settings)
            other = turned.tensors.get(name)
            if not isinstance(other, QuantizedTensor) or other.problems(values.shape):
                found.append(f"no lawful answer with rows in another order: {ran.at(name)}")
            elif not np.allclose(other.dequantize(), tensor.dequantize()[order], rtol=1e-12, atol=0.0):
                found.append(f"rows in another order gave other values: {ran.at(name)}")
    if not tried:
        raise NotRun("no scale along an axis of rows was given")
    return found


def idempotent(lab: QuantizerCalls) -> list[str]:
    """B8."""
    if not lab.record.claims.idempotent:
        raise NotRun("idempotent is not claimed")
    found = []
    for ran in lab.answered():
        after = {name: tensor.dequantize() for name, _, tensor in ran.lawful()}
        again = {
            name: tensor for name, _, tensor in lab.run(ran.where, ran.program.with_parameters(after), ran.settings).lawful()
        }
        for name, values in after.items():
            if name in again and float(np.abs(again[name].dequantize() - values).max()) > 1e-9 * float(again[name].step().max()):
                moved = int(np.count_nonzero(np.abs(again[name].dequantize() - values) > 1e-9 * again[name].step()))
                found.append(f"quantized again, {moved} of {values.size} values moved: {ran.at(name)}")
    return found


def peak_kept(lab: QuantizerCalls) -> list[str]:
    """B9."""
    if not lab.record.claims.max_kept:
        raise NotRun("max_kept is not claimed")
    return [line for ran in lab.plain() for line in lab.broken_claims(ran, "largest magnitude")]


def in_proportion(lab: QuantizerCalls) -> list[str]:
    """B10: 8 w and w / 32 give 8 and 1/32 times the result, bit for bit."""
    claimed = lab.record.claims.scale_equivariant
    if not claimed:
        raise NotRun("scale_equivariant is not claimed")
    found = []
    for ran in lab.answered():
        if ran.where == "network":
            continue  # its predictions do not grow in proportion
        for factor in (8.0, 1 / 32):
            scaled = lab.run(ran.where, _scaled(ran.program, factor), ran.settings)
            for name, _, tensor in ran.lawful():
                other, wanted = scaled.tensors.get(name), tensor.dequantize() * (1.0 if name.startswith("threshold") else factor)
                if not isinstance(other, QuantizedTensor) or other.problems(wanted.shape):
                    found.append(f"no lawful answer for {factor:g} times the values: {ran.at(name)}")
                elif not np.array_equal(other.dequantize(), wanted):
                    found.append(f"{factor:g} times the values did not give {factor:g} times the result: {ran.at(name)}")
    return found


def _scaled(program: Program, factor: float) -> Program:
    """Weights and leaves times a factor; thresholds stay, since the inputs do."""
    known = program.parameters()
    return program.with_parameters({name: p.values * factor for name, p in known.items() if p.role in ("weight", "leaf", "bias")})


def more_bits(lab: QuantizerCalls) -> list[str]:
    """B11: the mean error does not grow with the bits."""
    if "bits" not in lab.record.settings:
        raise NotRun("there is no setting `bits`")
    widths = sorted(value for value in lab.record.settings["bits"].default if isinstance(value, int))
    if len(widths) < 2:
        raise NotRun("`bits` has one default value")
    found = []
    for start in lab.combinations():
        if start["bits"] != widths[0]:
            continue
        for where, program in toy_subjects.plain().items():
            few, many = (lab.run(where, program, {**start, "bits": width}) for width in (widths[0], widths[-1]))
            errors = {name: _mean_error(values, tensor) for name, values, tensor in few.lawful()}
            for name, values, tensor in many.lawful():
                if name in errors and _mean_error(values, tensor) > errors[name] * (1 + 1e-9):
                    found.append(
                        f"mean error {errors[name]:.3g} with {widths[0]} bits, {_mean_error(values, tensor):.3g} with "
                        f"{widths[-1]}: {many.at(name)}"
                    )
    return found


def _mean_error(values: Floats, tensor: QuantizedTensor) -> float:
    return float(np.abs(tensor.dequantize() - values).mean())


def unbiased(lab: QuantizerCalls) -> list[str]:
    """B12: over many seeds the mean error is 0 and errors of different elements are uncorrelated."""
    found, tried = [], 0
    values = toy_subjects.draws(14).normal(size=(4, 8))
    values[0, 0], values[0, 1] = 3.5, -3.5  # the range; left out below
    for where, program in (
        ("random rounding of weights", toy_subjects.layer(values)),
        ("random rounding of leaves", toy_subjects.tree(values)),
    ):
        for settings in lab.combinations():
            first = lab.run(where, program, settings)
            if not any(True for _ in first.lawful()) or not lab.is_random(first):
                continue
            tried += 1
            found += _random_errors(lab, first)
    if not tried:
        raise NotRun("no seed gave other codes: the rounding is not random")
    return found


def _random_errors(lab: QuantizerCalls, first: Ran) -> list[str]:
    kept: dict[str, list[Floats]] = {name: [] for name, _, _ in first.lawful() if not name.startswith("threshold")}
    step = {name: tensor.step().ravel() for name, _, tensor in first.lawful()}
    for seed in range(SEEDS):
        for name, values, tensor in lab.run(first.where, first.program, first.settings, seed=seed).lawful():
            if name in kept:
                kept[name].append((tensor.dequantize() - values).ravel() / step[name])
    found = []
    for name, rows in kept.items():
        errors = np.array(rows)[:, 2:]
        # an error of at most one step has a deviation of at most half a step; six deviations of the mean
        bias = np.abs(errors.mean(axis=0))
        if float(bias.max()) > 3.0 / np.sqrt(len(errors)):
            found.append(f"mean error {bias.max():.3g} steps over {len(errors)} seeds: {first.at(name)}")
        moving = errors[:, errors.std(axis=0) > 1e-9]
        if moving.shape[1] > 2:
            every = np.atleast_2d(np.corrcoef(moving.T))
            related = float(np.abs(every[np.triu_indices(len(every), 1)]).mean())
            if related > 0.2:
                found.append(f"errors of different elements are correlated ({related:.2f} on average): {first.at(name)}")
    return found


LAW: dict[str, Callable[[QuantizerCalls], list[str]]] = {
    "B1": lambda lab: lawful(lab, "B1"),
    "B2": lambda lab: lawful(lab, "B2"),
    "B3": lambda lab: lawful(lab, "B3"),
    "B4": zeros,
    "B5": bounded,
    "B6": special,
    "B7": by_axis,
    "B8": idempotent,
    "B9": peak_kept,
    "B10": in_proportion,
    "B11": more_bits,
    "B12": unbiased,
}
