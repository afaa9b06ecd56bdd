"""A quantizer called the way a run calls it, on toy programs; every answer is kept, whatever it is."""

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
"""Combinations of settings that are tried; more are thinned out evenly."""
Settings = dict[str, Value]
View = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """What a quantizer made of one program with one combination of settings."""

    where: str
    program: Program
    settings: Settings
    tensors: dict[str, Any]
    grids: list[str]
    declined: str | None = None
    raised: Exception | None = None

    def __iter__(self) -> Iterator[tuple[str, Floats, Any]]:
        known = self.program.parameters()
        for name, tensor in self.tensors.items():
            if name in known:
                yield name, known[name].values, tensor

    def lawful(self) -> Iterator[tuple[str, Floats, QuantizedTensor]]:
        """The tensors that keep the law."""
        for name, values, tensor in self:
            if isinstance(tensor, QuantizedTensor) and not tensor.problems(values.shape):
                yield name, values, tensor

    def at(self, name: str = "values") -> str:
        """Where a tensor was made, in few words."""
        text = ", ".join(f"{key}={written(value)}" for key, value in self.settings.items())
        return f"{name} of {self.where}" + (f" ({text})" if text else "")


@dataclass(slots=True)
class QuantizerCalls:
    """One quantizer under the eyes of a watch. `backwards`: the subjects in the opposite order, which must not matter."""

    record: Quantizer
    watch: SideEffectWatch
    backwards: bool = False
    before: dict[str, Any] = field(default_factory=lambda: state(calls_only=True))
    _made: dict[str, list[Ran]] = field(default_factory=dict)

    def combinations(self) -> list[Settings]:
        """The combinations of default settings, at most twelve, first and last among them."""
        every = product({key: setting.default for key, setting in self.record.settings.items()})
        if len(every) <= COMBINATIONS:
            return every
        return [every[k] for k in np.linspace(0, len(every) - 1, COMBINATIONS).astype(int)]

    def ends(self) -> list[Settings]:
        """The first default of every setting, with one setting at a time at an end of what is allowed."""
        first = {key: setting.default[0] for key, setting in sorted(self.record.settings.items())}
        return [{**first, key: value} for key, setting in self.record.settings.items() for value in _ends(setting)]

    def run(self, where: str, program: Program, settings: Settings, seed: int = 0, view: View = frozen) -> Ran:
        """Call the quantizer for one program. Nothing the plugin raises passes through."""
        ran = Ran(where, program, settings, {}, [])
        try:
            with self.watch.watching("calls"):
                self._call(ran, seed, view)
        except (Decline, Refused) as error:
            return replace(ran, tensors={}, declined=str(error) or "no reason")
        except Exception as error:
            return replace(ran, tensors={}, raised=error)
        return ran

    def _call(self, ran: Ran, seed: int, view: View) -> None:
        record, program, tensors = self.record, ran.program, ran.tensors
        bench = CalibrationContext(program, toy_subjects.rows_of(program.width), seed, record.name)
        calibrations = bench.calibrations()
        if record.model is not None:
            given = record.model(frozen_program(program), dict(calibrations), **ran.settings)
            if not isinstance(given, Mapping):
                raise TypeError(f"model gave a {type(given).__name__}, expected a mapping of parameter to QuantizedTensor")
            tensors.update(given)
        for name, parameter in program.parameters().items():
            if record.quantize is not None and parameter.role != "bias" and name not in tensors:
                made = record.quantize(view(parameter.values), calibrations[name], **ran.settings)
                if made is not None:
                    tensors[name] = made
            if record.inputs is not None and parameter.role == "weight":
                grid = record.inputs(calibrations[name], **ran.settings)
                if grid is not None:
                    try:
                        checked_grid(name, grid)
                    except Broken as wrong:
                        ran.grids.append(str(wrong))

    def plain(self) -> list[Ran]:
        """The ordinary subjects with every combination; made once."""
        return self._all("plain", toy_subjects.plain(), self.combinations())

    def special(self) -> list[Ran]:
        """The special tensors with the first and the last combination; made once."""
        every = self.combinations()
        return self._all("special", toy_subjects.special(), every if len(every) < 3 else [every[0], every[-1]])

    def at_ends(self) -> list[Ran]:
        """One ordinary layer with every setting at an end of what is allowed; made once."""
        return self._all("ends", {"layer": toy_subjects.plain()["layer"]}, self.ends())

    def _all(self, name: str, programs: Mapping[str, Program], combinations: list[Settings]) -> list[Ran]:
        if name not in self._made:
            calls = [(where, program, settings) for where, program in programs.items() for settings in combinations]
            turn = -1 if self.backwards else 1
            self._made[name] = [self.run(*call) for call in calls[::turn]][::turn]
        return self._made[name]

    def answered(self) -> list[Ran]:
        """The ordinary subjects that gave at least one lawful tensor."""
        return [ran for ran in self.plain() if any(True for _ in ran.lawful())]

    def is_random(self, ran: Ran) -> bool:
        """Whether another seed gives other codes."""
        return digest(ran) != digest(self.run(ran.where, ran.program, ran.settings, seed=1))

    def broken_claims(self, ran: Ran, part: str) -> list[str]:
        """The host's own verdict on the claims, as far as it contains `part`."""
        claims = self.record.claims
        told = {"zero_exact": claims.zero_exact, "max_kept": claims.max_kept, "deterministic": claims.deterministic}
        tensors = {name: tensor for name, _, tensor in ran.lawful()}
        return [f"{line} ({ran.at()})" for line in contract_problems(Quantized(ran.program, tensors), told, True) if part in line]


def _ends(setting: Setting) -> list[Value]:
    allowed: Any = setting.default if setting.allowed is None else setting.allowed
    if isinstance(allowed, range):
        return [allowed[0], allowed[-1]] if len(allowed) else []
    values = list(allowed)
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    rest = [value for value in values if value not in numbers]
    return [*([min(numbers), max(numbers)] if numbers else []), *rest[:8]]


def digest(ran: Ran) -> str:
    """sha256 over the codes and the values of every lawful tensor, and of what was said instead."""
    found = hashlib.sha256(f"{ran.declined}|{type(ran.raised).__name__}".encode())
    for name, _, tensor in ran.lawful():
        found.update(
            name.encode() + np.ascontiguousarray(tensor.codes).astype(np.int64).tobytes() + tensor.dequantize().tobytes()
        )
    return found.hexdigest()
