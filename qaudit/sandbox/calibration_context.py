"""The float program applied to the calibration rows: everything that a quantizer may know, and the function `effect`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.measures import Measure
from qaudit.core.catalogue.plugin_measures import MeasureRecorder
from qaudit.core.catalogue.steps import kind_of
from qaudit.core.json_values import Json
from qaudit.core.plugin_settings import derived_seed
from qaudit.core.program import Program
from qaudit.core.records import Decline
from qaudit.core.steps import Parameter, Step, Trees
from qaudit.core.tensor import Calibration, Floats
from qaudit.engine.links import predictions
from qaudit.engine.sweep import predict
from qaudit.engine.trees import by_tree, gather, leaf_indices

NEEDS_ROWS = "needs calibration rows: give --calibration FILE, --train FILE or --calibration-share 0.1"


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view of the array, so that a plugin cannot change what the next call reads."""
    view = array.view()
    view.flags.writeable = False
    return view


def frozen_program(program: Program) -> Program:
    """The program with arrays that cannot be written to."""
    return replace(program, steps=tuple(_frozen_step(step) for step in program.steps))


def _frozen_step(step: Step) -> Step:
    arrays = {name: getattr(step, name) for name in kind_of(step).arrays}
    parts: dict[str, Any] = {name: frozen(array) for name, array in arrays.items() if array is not None}
    return replace(step, **parts)


@dataclass(slots=True)
class CalibrationContext:
    """The float program and the calibration rows, from which the calibration of each parameter is made.

    `rows` are encoded rows (n, width), or None where the audit has no calibration rows. `by` is the quantizer's name, which
    enters the seeds. `noted` collects the changes that the plugin measured with `effect` and asked to be recorded,
    `recorder` the values of the `measures` that it declares.
    """

    program: Program
    rows: Floats | None
    seed: int
    by: str
    measures: Sequence[Measure] = ()
    noted: list[Json] = field(default_factory=list)
    recorder: MeasureRecorder = field(init=False)
    _base: Floats | None = None
    _effects: dict[bytes, float] = field(default_factory=dict)
    _inputs: dict[int, Floats] = field(default_factory=dict)
    _parameters: dict[str, Parameter] = field(default_factory=dict)
    _leaves: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        # Listing the parameters of a large ensemble takes a tenth of a second, so it is done once.
        self._parameters = self.program.parameters()
        self.forget()

    def forget(self) -> None:
        """Begin anew with what a call of the plugin records."""
        self.noted = []
        self.recorder = MeasureRecorder(self.measures, self._parameters)

    def calibrations(self) -> dict[str, Calibration]:
        """The calibration of each parameter, biases included; all arrays are read-only.

        `low` and `high` are the smallest and largest finite value observed on the calibration rows: of the layer's inputs for a
        weight, of the compared feature for a threshold. For a leaf or a bias, and without calibration rows, they are taken from
        the parameter's own values.
        """
        return {name: self._calibration(parameter) for name, parameter in self._parameters.items()}

    def _calibration(self, parameter: Parameter) -> Calibration:
        inputs = self.inputs(parameter.layer) if self.rows is not None and parameter.role == "weight" else None
        values = self._met(parameter, inputs)
        values = values[np.isfinite(values)]
        return Calibration(
            name=parameter.name,
            role=parameter.role,
            layer=parameter.layer,
            axis=parameter.axis,
            low=float(values.min(initial=np.inf)) if values.size else 0.0,
            high=float(values.max(initial=-np.inf)) if values.size else 0.0,
            inputs=inputs,
            seed=derived_seed(self.seed, self.by, parameter.name),
            effect=self.effect_of(parameter.name),
            record_measure=self._recording(parameter.name),
        )

    def _recording(self, parameter: str) -> Callable[..., None]:
        def record_measure(name: str, value: float, *, whole: bool = False) -> None:
            self.recorder.add(name, value, None if whole else parameter)

        return record_measure

    def _met(self, parameter: Parameter, inputs: Floats | None) -> Floats:
        """What meets the parameter on the calibration rows; its own values where nothing does."""
        match parameter.role:
            case "weight":
                return parameter.values if inputs is None else inputs
            case "threshold":
                if self.rows is None:
                    return parameter.values
                return np.asarray(self.rows[:, [f"threshold[{name}]" for name in self.program.inputs].index(parameter.name)])
            case "bias" | "leaf":
                return parameter.values
            case _:
                assert_never(parameter.role)

    def inputs(self, layer: int) -> Floats:
        """The inputs (n, in) of a layer on the calibration rows, computed by the float model."""
        assert self.rows is not None
        if layer not in self._inputs:
            before = replace(self.program, steps=self.program.steps[:layer], link="identity", output="regression", classes=())
            self._inputs[layer] = frozen(predict(before, self.rows) if layer else self.rows)
        return self._inputs[layer]

    def effect_of(self, parameter_name: str) -> Callable[..., float]:
        """The function `effect` that the calibration of one parameter carries."""

        def effect(replacement: Any, label: str | None = None) -> float:
            values = dict(replacement) if isinstance(replacement, Mapping) else {parameter_name: replacement}
            change = self._change({name: np.asarray(array, dtype=np.float64) for name, array in values.items()})
            if label is not None:
                self.noted.append({"parameter": self.in_words(list(values)), "range": str(label), "value": change})
            return change

        return effect

    def in_words(self, names: list[str]) -> str:
        """One name for several parameters, as the report prints it: the parameter, its layer, or all of them."""
        layers = {self._parameters[name].layer for name in names}
        if len(names) == 1:
            return names[0]
        return f"layer {min(layers)}" if len(layers) == 1 and len(self.program.steps) > 1 else "all parameters"

    def _change(self, values: dict[str, Floats]) -> float:
        """Mean |f - f'| over calibration rows and outputs, where f' is the program with `values` in place of its own parameters.

        Results are cached by content, since a search over ranges asks for the same values again. Raises Decline without rows.
        """
        if self.rows is None:
            raise Decline(NEEDS_ROWS)
        digest = hashlib.sha256()
        for name in sorted(values):
            digest.update(f"{name}\0{values[name].shape}\0".encode() + np.ascontiguousarray(values[name]).tobytes())
        key = digest.digest()
        if key not in self._effects:
            if self._base is None:
                self._base = predict(self.program, self.rows)
            after = self._replaced(values)
            self._effects[key] = float(np.abs(after - self._base).mean()) if after.size else 0.0
        return self._effects[key]

    def _replaced(self, values: dict[str, Floats]) -> Floats:
        """Predictions of the program with some parameters replaced.

        Where only leaf values of a tree ensemble change, every row still ends in the same leaf. The trees are then not walked
        again; the new values are gathered at the leaf indices that were computed once.
        """
        assert self.rows is not None
        step = self.program.steps[0] if self.program.steps else None
        fits = all(name in self._parameters and self._parameters[name].values.shape == values[name].shape for name in values)
        only_leaves = fits and all(self._parameters[name].role == "leaf" for name in values)
        if not only_leaves or not isinstance(step, Trees) or len(self.program.steps) > 1:
            return predict(self.program.with_parameters(values), self.rows)
        if self._leaves is None:
            self._leaves = by_tree(leaf_indices(self.program, self.rows))
        table, ends = step.value.copy(), step.left < 0
        for name in values:
            table[ends, int(name.removeprefix("leaf[").removesuffix("]"))] = values[name]
        return predictions(self.program.link, self.program.link_scale, gather(replace(step, value=table), self._leaves))
