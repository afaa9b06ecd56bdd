"""The float program on the calibration rows: what a quantizer may know, and `effect`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.core.plugin_settings import derived_seed
from qaudit.core.program import Dense, Parameter, Program, Step, Trees
from qaudit.core.records import Decline
from qaudit.core.tensor import Calibration, Floats
from qaudit.engine.links import predictions
from qaudit.engine.sweep import predict
from qaudit.engine.trees import by_tree, gather, leaf_indices

NEEDS_ROWS = "needs calibration rows: give --calibration FILE, --train FILE or --calibration-share 0.1"


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def frozen_program(program: Program) -> Program:
    """The program with arrays that cannot be written to."""
    steps: list[Step] = []
    for step in program.steps:
        if isinstance(step, Dense):
            steps.append(replace(step, weight=frozen(step.weight), bias=frozen(step.bias)))
            continue
        names = ("left", "right", "feature", "threshold", "value", "roots", "base", "missing_left")
        parts: dict[str, Any] = {name: frozen(getattr(step, name)) for name in names}
        steps.append(replace(step, **parts))
    return replace(program, steps=tuple(steps))


@dataclass(slots=True)
class CalibrationContext:
    """The float program on the calibration rows: what calibrations are made of, and `effect`."""

    program: Program
    rows: Floats | None
    seed: int
    by: str
    noted: list[Json] = field(default_factory=list)
    _base: Floats | None = None
    _known: dict[bytes, float] = field(default_factory=dict)
    _inputs: dict[int, Floats] = field(default_factory=dict)
    _parameters: dict[str, Parameter] = field(default_factory=dict)
    _leaves: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        # large ensembles take a tenth of a second to list their parameters: once
        self._parameters = self.program.parameters()

    def calibrations(self) -> dict[str, Calibration]:
        """One a parameter (biases too), arrays read-only.

        `low` and `high`: what meets the parameter on the calibration rows (its layer's inputs, or the feature of a threshold;
        missing values aside); its own values for a leaf, a bias, or without calibration rows.
        """
        return {name: self._calibration(parameter) for name, parameter in self._parameters.items()}

    def _calibration(self, parameter: Parameter) -> Calibration:
        inputs = self.inputs(parameter.layer) if self.rows is not None and parameter.role == "weight" else None
        met = inputs if inputs is not None else self._feature(parameter)
        seen = np.asarray(parameter.values if met is None else met)
        seen = seen[np.isfinite(seen)]
        return Calibration(
            name=parameter.name,
            role=parameter.role,
            layer=parameter.layer,
            axis=parameter.axis,
            low=float(seen.min(initial=np.inf)) if seen.size else 0.0,
            high=float(seen.max(initial=-np.inf)) if seen.size else 0.0,
            inputs=inputs,
            seed=derived_seed(self.seed, self.by, parameter.name),
            effect=self.effect_of(parameter.name),
        )

    def _feature(self, parameter: Parameter) -> Floats | None:
        if self.rows is None or parameter.role != "threshold" or parameter.layer != 0:
            return None
        return np.asarray(self.rows[:, [f"threshold[{name}]" for name in self.program.inputs].index(parameter.name)])

    def inputs(self, layer: int) -> Floats:
        """The inputs of a layer (n, in) on the calibration rows; the float model's own."""
        assert self.rows is not None
        if layer not in self._inputs:
            before = replace(self.program, steps=self.program.steps[:layer], link="identity", output="regression", classes=())
            self._inputs[layer] = frozen(predict(before, self.rows) if layer else self.rows)
        return self._inputs[layer]

    def effect_of(self, own: str) -> Callable[..., float]:
        """The function `effect` of one parameter's calibration."""

        def effect(replaced: Any, label: str | None = None) -> float:
            values = dict(replaced) if isinstance(replaced, Mapping) else {own: replaced}
            change = self._change({name: np.asarray(array, dtype=np.float64) for name, array in values.items()})
            if label is not None:
                self.noted.append({"parameter": self.spoken(list(values)), "range": str(label), "value": change})
            return change

        return effect

    def spoken(self, names: list[str]) -> str:
        """One name for several parameters."""
        layers = {self._parameters[name].layer for name in names}
        if len(names) == 1:
            return names[0]
        return f"layer {min(layers)}" if len(layers) == 1 and len(self.program.steps) > 1 else "all parameters"

    def _change(self, values: dict[str, Floats]) -> float:
        """mean |f - f'| over calibration rows and outputs. Asked again for the same values, it remembers."""
        if self.rows is None:
            raise Decline(NEEDS_ROWS)
        digest = hashlib.sha256()
        for name in sorted(values):
            digest.update(f"{name}\0{values[name].shape}\0".encode() + np.ascontiguousarray(values[name]).tobytes())
        key = digest.digest()
        if key not in self._known:
            if self._base is None:
                self._base = predict(self.program, self.rows)
            after = self._replaced(values)
            self._known[key] = float(np.abs(after - self._base).mean()) if after.size else 0.0
        return self._known[key]

    def _replaced(self, values: dict[str, Floats]) -> Floats:
        """Predictions with some parameters replaced. Where only leaves change, the rows keep their leaf nodes: no second walk."""
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
