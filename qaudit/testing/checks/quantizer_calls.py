"""Calls a quantizer on toy programs in the same way as an audit does, and keeps every result for the checks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.contract import contract_problems
from qaudit.core.plugin_settings import product, written
from qaudit.core.program import Program, Quantized
from qaudit.core.records import Decline, Quantizer, Setting, Value
from qaudit.core.tensor import Floats, QuantizedTensor
from qaudit.errors import Refused
from qaudit.sandbox.calibration_context import CalibrationContext, frozen, frozen_program
from qaudit.sandbox.candidate_builder import Broken, checked_grid
from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.side_effect_watch import SideEffectWatch, state

COMBINATIONS = 12
"""Combinations of settings that are tried; of more combinations an evenly spaced selection is taken."""
Settings = dict[str, Value]
View = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class QuantizerRun:
    """The result of a quantizer for one program with one combination of settings.

    `where` names the toy subject; `tensors` are as returned, unchecked; `grids` has the problems of returned grids; `recorded`
    has the values of the quantizer's own measures; `declined` or `raised` is set where there is no result.
    """

    where: str
    program: Program
    settings: Settings
    tensors: dict[str, Any]
    grids: list[str]
    recorded: dict[tuple[str, str | None], float]
    declined: str | None = None
    raised: Exception | None = None

    def __iter__(self) -> Iterator[tuple[str, Floats, Any]]:
        known = self.program.parameters()
        for name, tensor in self.tensors.items():
            if name in known:
                yield name, known[name].values, tensor

    def valid(self) -> Iterator[tuple[str, Floats, QuantizedTensor]]:
        """The well-formed tensors: those that can be dequantized and have the shape of their parameter."""
        for name, values, tensor in self:
            if isinstance(tensor, QuantizedTensor) and not tensor.problems(values.shape):
                yield name, values, tensor

    def at(self, name: str = "values") -> str:
        """The parameter, subject and settings of a tensor, for a message."""
        text = ", ".join(f"{key}={written(value)}" for key, value in self.settings.items())
        return f"{name} of {self.where}" + (f" ({text})" if text else "")


@dataclass(slots=True)
class QuantizerCalls:
    """One quantizer, whose calls are watched for side effects.

    `backwards` takes the subjects in the opposite order; the results must not depend on it.
    """

    record: Quantizer
    watch: SideEffectWatch
    backwards: bool = False
    before: dict[str, Any] = field(default_factory=lambda: state(calls_only=True))
    _runs: dict[str, list[QuantizerRun]] = field(default_factory=dict)

    def combinations(self) -> list[Settings]:
        """Combinations of the default settings, at most COMBINATIONS, with the first and the last among them."""
        every = product({key: setting.default for key, setting in self.record.settings.items()})
        if len(every) <= COMBINATIONS:
            return every
        return [every[k] for k in np.linspace(0, len(every) - 1, COMBINATIONS).astype(int)]

    def ends(self) -> list[Settings]:
        """The first default of every setting, with one setting at a time at an end of its allowed values."""
        first = {key: setting.default[0] for key, setting in sorted(self.record.settings.items())}
        return [{**first, key: value} for key, setting in self.record.settings.items() for value in _ends(setting)]

    def run(self, where: str, program: Program, settings: Settings, seed: int = 0, view: View = frozen) -> QuantizerRun:
        """Call the quantizer for one program. Exceptions of the plugin become part of the result."""
        result = QuantizerRun(where, program, settings, {}, [], {})
        try:
            with self.watch.watching("calls"):
                self._call(result, seed, view)
        except (Decline, Refused) as error:
            return replace(result, tensors={}, declined=str(error) or "no reason")
        except Exception as error:
            return replace(result, tensors={}, raised=error)
        return result

    def _call(self, run: QuantizerRun, seed: int, view: View) -> None:
        record, program, tensors = self.record, run.program, run.tensors
        context = CalibrationContext(program, toy_subjects.rows_of(program.width), seed, record.name, record.measures)
        calibrations = context.calibrations()
        if record.model is not None:
            answer = record.model(frozen_program(program), dict(calibrations), **run.settings)
            if not isinstance(answer, Mapping):
                raise TypeError(f"model gave a {type(answer).__name__}, expected a mapping of parameter to QuantizedTensor")
            tensors.update(answer)
        for name, parameter in program.parameters().items():
            if record.quantize is not None and parameter.role != "bias" and name not in tensors:
                tensor = record.quantize(view(parameter.values), calibrations[name], **run.settings)
                if tensor is not None:
                    tensors[name] = tensor
            if record.inputs is not None and parameter.role == "weight":
                grid = record.inputs(calibrations[name], **run.settings)
                if grid is not None:
                    try:
                        checked_grid(name, grid)
                    except Broken as error:
                        run.grids.append(str(error))
        run.recorded.update(context.recorder.values)

    def plain(self) -> list[QuantizerRun]:
        """Results for the ordinary subjects with every combination; computed once."""
        return self._all("plain", toy_subjects.plain(), self.combinations())

    def special(self) -> list[QuantizerRun]:
        """Results for the special tensors with the first and the last combination; computed once."""
        every = self.combinations()
        return self._all("special", toy_subjects.special(), every if len(every) < 3 else [every[0], every[-1]])

    def at_ends(self) -> list[QuantizerRun]:
        """Results for one ordinary layer with each setting at an end of its allowed values; computed once."""
        return self._all("ends", {"layer": toy_subjects.plain()["layer"]}, self.ends())

    def _all(self, name: str, programs: Mapping[str, Program], combinations: list[Settings]) -> list[QuantizerRun]:
        if name not in self._runs:
            calls = [(where, program, settings) for where, program in programs.items() for settings in combinations]
            step = -1 if self.backwards else 1
            self._runs[name] = [self.run(*call) for call in calls[::step]][::step]
        return self._runs[name]

    def answered(self) -> list[QuantizerRun]:
        """Results for the ordinary subjects with at least one well-formed tensor."""
        return [run for run in self.plain() if any(True for _ in run.valid())]

    def is_random(self, run: QuantizerRun) -> bool:
        """Whether another seed gives other codes, that is, whether the rounding is random."""
        return digest(run) != digest(self.run(run.where, run.program, run.settings, seed=1))

    def broken_claims(self, run: QuantizerRun, part: str) -> list[str]:
        """The broken claims as the host finds them in an audit, as far as their text contains `part`."""
        claims = self.record.claims
        stated = {"zero_exact": claims.zero_exact, "max_kept": claims.max_kept, "deterministic": claims.deterministic}
        tensors = {name: tensor for name, _, tensor in run.valid()}
        return [
            f"{line} ({run.at()})" for line in contract_problems(Quantized(run.program, tensors), stated, True) if part in line
        ]


def _ends(setting: Setting) -> list[Value]:
    allowed: Any = setting.default if setting.allowed is None else setting.allowed
    if isinstance(allowed, range):
        return [allowed[0], allowed[-1]] if len(allowed) else []
    values = list(allowed)
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    others = [value for value in values if value not in numbers]
    return [*([min(numbers), max(numbers)] if numbers else []), *others[:8]]


def digest(run: QuantizerRun) -> str:
    """sha256 over the codes and values of every well-formed tensor and the recorded measures, or over what came instead."""
    sha256 = hashlib.sha256(f"{run.declined}|{type(run.raised).__name__}|{sorted(run.recorded.items(), key=repr)}".encode())
    for name, _, tensor in run.valid():
        sha256.update(
            name.encode() + np.ascontiguousarray(tensor.codes).astype(np.int64).tobytes() + tensor.dequantize().tobytes()
        )
    return sha256.hexdigest()
