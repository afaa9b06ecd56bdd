"""Checks B1 to B12: properties of the tensors that a quantizer returns. A claim is checked only where it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from qaudit.core.program import Program
from qaudit.core.tensor import Floats, QuantizedTensor
from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.quantizer_calls import QuantizerCalls, QuantizerRun
from qaudit.testing.checks.results import NotRun

HALF_STEP = ("nearest", "half", "subtractive")
FULL_STEP = ("stochastic", "floor", "ceil", "trunc")
SEEDS = 100
"""Seeds with which random rounding is tried."""


def _sorted_problems(run: QuantizerRun, name: str, values: Floats, tensor: Any) -> Iterable[tuple[str, str]]:
    """The problems of one tensor as the host finds them in a run, each with the check that it belongs to."""
    if not isinstance(tensor, QuantizedTensor):
        yield "B1", f"gave a {type(tensor).__name__}, expected a QuantizedTensor: {run.at(name)}"
        return
    for problem in tensor.problems(values.shape):
        if problem.startswith("codes: shape"):
            yield "B1", f"{problem}: {run.at(name)}"
        elif problem.startswith("codes: from"):
            yield "B2", f"{_outside(tensor)}: {run.at(name)}"
        else:
            yield ("B2" if problem.startswith(("codes", "qtype")) else "B3"), f"{problem}: {run.at(name)}"


def _outside(tensor: QuantizedTensor) -> str:
    """The problem in words, for example "codes outside int8 (-127 to 127): 3 of 5 (from -140 to 140)"."""
    codes, qtype = tensor.codes, tensor.qtype
    low, high = (qtype.low, qtype.high) if tensor.table is None else (0, len(tensor.table) - 1)
    count = int(np.count_nonzero((codes < low) | (codes > high)))
    kind = f"{'int' if qtype.signed else 'uint'}{qtype.bits}" if tensor.table is None else "the table"
    return f"codes outside {kind} ({low} to {high}): {count} of {codes.size} (from {codes.min()} to {codes.max()})"


def valid_tensors(calls: QuantizerCalls, check: str) -> list[str]:
    """B1, B2 or B3 (named by `check`) on the ordinary subjects: shape, codes, and scales with the other parts."""
    problems = [line for run in calls.plain() for part in run for number, line in _sorted_problems(run, *part) if number == check]
    for run in calls.plain():
        known = run.program.parameters()
        if check == "B1":
            problems += [f"no parameter {name!r}: {run.where}" for name in run.tensors if name not in known]
        if check == "B3":
            problems += run.grids
    return problems


def zeros(calls: QuantizerCalls) -> list[str]:
    """B4: a value of zero stays exactly zero, where claimed."""
    if not calls.record.claims.zero_exact:
        raise NotRun("zero_exact is not claimed")
    return [line for run in (*calls.plain(), *calls.special()) for line in calls.broken_claims(run, "exact zeros")]


def bounded(calls: QuantizerCalls) -> list[str]:
    """B5: |value - dequantized value| <= step/2 wherever the value lies inside the range of the codes.

    For random and one-sided rounding the bound is a whole step.
    """
    rounding = calls.record.claims.rounding.lower()
    if any(word in rounding for word in FULL_STEP):
        share = 1.0
    elif any(word in rounding for word in HALF_STEP):
        share = 0.5
    else:
        raise NotRun(f"rounding {calls.record.claims.rounding!r} promises no bound")
    problems = []
    for run in (*calls.plain(), *calls.at_ends()):
        for name, values, tensor in run.valid():
            over = excess(values, tensor, share)
            if over.any():
                steps = float((over / tensor.step()).max()) + share
                count = int(np.count_nonzero(over))
                problems.append(
                    f"error {steps:.3g} steps, bound {share:g}: {count} of {values.size} values inside the range, {run.at(name)}"
                )
    return problems


def excess(values: Floats, tensor: QuantizedTensor, share: float) -> Floats:
    """By how much each error exceeds `share` steps, in the shape of `values`.

    It is 0 where the error is within the bound, where the value is outside the range, and under a mask.

    For a table of levels the bound is the distance to the nearest level, since its steps are not uniform.
    """
    after, step = tensor.dequantize(), tensor.step()
    error = np.abs(after - values)
    # Rounding errors of float64 must not count as a breach of the bound.
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


def special(calls: QuantizerCalls) -> list[str]:
    """B6: special tensors give well-formed tensors or a refusal, never another exception or larger values."""
    problems = []
    for run in calls.special():
        if run.raised is not None:
            problems.append(f"raised {type(run.raised).__name__}: {run.raised} ({run.where})")
        problems += [line for part in run for _, line in _sorted_problems(run, *part)]
        for name, values, tensor in run.valid():
            after = tensor.dequantize()
            if tensor.mask is None and float(np.abs(after).max()) > 4 * max(float(np.abs(values).max()), 1e-300):
                problems.append(f"values grew from {np.abs(values).max():.3g} to {np.abs(after).max():.3g}: {run.at(name)}")
    return problems


def by_axis(calls: QuantizerCalls) -> list[str]:
    """B7: rows in another order give the same values in that order, so each scale belongs to its own row."""
    order = np.array([2, 0, 3, 1])
    problems, tried = [], 0
    for run in calls.plain():
        if run.where != "layer of unequal rows":
            continue
        for name, values, tensor in list(run.valid()):
            if (
                tensor.axis is None
                or tensor.axis % values.ndim != 0
                or not calls.record.claims.deterministic
                or calls.is_random(run)
            ):
                continue
            tried += 1
            reordered = calls.run(run.where, toy_subjects.layer(values[order]), run.settings)
            other = reordered.tensors.get(name)
            if not isinstance(other, QuantizedTensor) or other.problems(values.shape):
                problems.append(f"no valid tensor with rows in another order: {run.at(name)}")
            elif not np.allclose(other.dequantize(), tensor.dequantize()[order], rtol=1e-12, atol=0.0):
                problems.append(f"rows in another order gave other values: {run.at(name)}")
    if not tried:
        raise NotRun("no scale along an axis of rows was given")
    return problems


def idempotent(calls: QuantizerCalls) -> list[str]:
    """B8: quantizing dequantized values again changes nothing, where claimed."""
    if not calls.record.claims.idempotent:
        raise NotRun("idempotent is not claimed")
    problems = []
    for run in calls.answered():
        after = {name: tensor.dequantize() for name, _, tensor in run.valid()}
        again = {
            name: tensor for name, _, tensor in calls.run(run.where, run.program.with_parameters(after), run.settings).valid()
        }
        for name, values in after.items():
            if name in again and float(np.abs(again[name].dequantize() - values).max()) > 1e-9 * float(again[name].step().max()):
                moved = int(np.count_nonzero(np.abs(again[name].dequantize() - values) > 1e-9 * again[name].step()))
                problems.append(f"quantized again, {moved} of {values.size} values moved: {run.at(name)}")
    return problems


def peak_kept(calls: QuantizerCalls) -> list[str]:
    """B9: the largest magnitude of a tensor is kept, where claimed."""
    if not calls.record.claims.max_kept:
        raise NotRun("max_kept is not claimed")
    return [line for run in calls.plain() for line in calls.broken_claims(run, "largest magnitude")]


def in_proportion(calls: QuantizerCalls) -> list[str]:
    """B10: 8 w and w / 32 give 8 and 1/32 times the result, bit for bit, where claimed.

    The factors are powers of two, so that the multiplication itself has no rounding error.
    """
    claimed = calls.record.claims.scale_equivariant
    if not claimed:
        raise NotRun("scale_equivariant is not claimed")
    problems = []
    for run in calls.answered():
        if run.where == "network":
            continue  # the predictions of a network do not scale with its weights
        for factor in (8.0, 1 / 32):
            scaled = calls.run(run.where, _scaled(run.program, factor), run.settings)
            for name, _, tensor in run.valid():
                other, wanted = scaled.tensors.get(name), tensor.dequantize() * (1.0 if name.startswith("threshold") else factor)
                if not isinstance(other, QuantizedTensor) or other.problems(wanted.shape):
                    problems.append(f"no valid tensor for {factor:g} times the values: {run.at(name)}")
                elif not np.array_equal(other.dequantize(), wanted):
                    problems.append(f"{factor:g} times the values did not give {factor:g} times the result: {run.at(name)}")
    return problems


def _scaled(program: Program, factor: float) -> Program:
    """The program with weights, biases and leaves times a factor; thresholds stay, since the inputs are not scaled."""
    known = program.parameters()
    return program.with_parameters({name: p.values * factor for name, p in known.items() if p.role in ("weight", "leaf", "bias")})


def more_bits(calls: QuantizerCalls) -> list[str]:
    """B11: the mean error with the most bits is not larger than with the fewest."""
    if "bits" not in calls.record.settings:
        raise NotRun("there is no setting `bits`")
    widths = sorted(value for value in calls.record.settings["bits"].default if isinstance(value, int))
    if len(widths) < 2:
        raise NotRun("`bits` has one default value")
    problems = []
    for start in calls.combinations():
        if start["bits"] != widths[0]:
            continue
        for where, program in toy_subjects.plain().items():
            few, many = (calls.run(where, program, {**start, "bits": width}) for width in (widths[0], widths[-1]))
            errors = {name: _mean_error(values, tensor) for name, values, tensor in few.valid()}
            for name, values, tensor in many.valid():
                if name in errors and _mean_error(values, tensor) > errors[name] * (1 + 1e-9):
                    problems.append(
                        f"mean error {errors[name]:.3g} with {widths[0]} bits, {_mean_error(values, tensor):.3g} with "
                        f"{widths[-1]}: {many.at(name)}"
                    )
    return problems


def _mean_error(values: Floats, tensor: QuantizedTensor) -> float:
    return float(np.abs(tensor.dequantize() - values).mean())


def unbiased(calls: QuantizerCalls) -> list[str]:
    """B12: over many seeds the mean error of random rounding is 0, and errors of different elements are uncorrelated."""
    problems, tried = [], 0
    values = toy_subjects.draws(14).normal(size=(4, 8))
    values[0, 0], values[0, 1] = 3.5, -3.5  # these two fix the range of the codes; they are left out below
    for where, program in (
        ("random rounding of weights", toy_subjects.layer(values)),
        ("random rounding of leaves", toy_subjects.tree(values)),
    ):
        for settings in calls.combinations():
            first = calls.run(where, program, settings)
            if not any(True for _ in first.valid()) or not calls.is_random(first):
                continue
            tried += 1
            problems += _random_errors(calls, first)
    if not tried:
        raise NotRun("no seed gave other codes: the rounding is not random")
    return problems


def _random_errors(calls: QuantizerCalls, first: QuantizerRun) -> list[str]:
    samples: dict[str, list[Floats]] = {name: [] for name, _, _ in first.valid() if not name.startswith("threshold")}
    step = {name: tensor.step().ravel() for name, _, tensor in first.valid()}
    for seed in range(SEEDS):
        for name, values, tensor in calls.run(first.where, first.program, first.settings, seed=seed).valid():
            if name in samples:
                samples[name].append((tensor.dequantize() - values).ravel() / step[name])
    problems = []
    for name, rows in samples.items():
        errors = np.array(rows)[:, 2:]
        # An error of at most one step has a standard deviation of at most half a step; the limit is six deviations of the mean.
        bias = np.abs(errors.mean(axis=0))
        if float(bias.max()) > 3.0 / np.sqrt(len(errors)):
            problems.append(f"mean error {bias.max():.3g} steps over {len(errors)} seeds: {first.at(name)}")
        moving = errors[:, errors.std(axis=0) > 1e-9]
        if moving.shape[1] > 2:
            correlations = np.atleast_2d(np.corrcoef(moving.T))
            mean = float(np.abs(correlations[np.triu_indices(len(correlations), 1)]).mean())
            if mean > 0.2:
                problems.append(f"errors of different elements are correlated ({mean:.2f} on average): {first.at(name)}")
    return problems


TENSOR_CHECKS: dict[str, Callable[[QuantizerCalls], list[str]]] = {
    "B1": lambda calls: valid_tensors(calls, "B1"),
    "B2": lambda calls: valid_tensors(calls, "B2"),
    "B3": lambda calls: valid_tensors(calls, "B3"),
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
