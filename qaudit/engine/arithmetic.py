"""Which operations of a candidate are evaluated in integers, and which in float64."""

from __future__ import annotations

from dataclasses import dataclass

from qaudit.core.program import Quantized
from qaudit.core.steps import Dense
from qaudit.engine.dense import IntegerLayer
from qaudit.engine.sweep import prepare


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The dense steps of a candidate by their arithmetic.

    `integer` are steps whose products are summed in integers, `integer_bias` those of them whose bias is added there too, `dense`
    all dense steps. `activations` and `link` are functions that are computed in float64; functions that only pass on or compare a
    value are not named.
    """

    integer: tuple[int, ...]
    integer_bias: tuple[int, ...]
    dense: tuple[int, ...]
    activations: tuple[str, ...]
    link: str


EXACT_IN_INTEGERS = ("identity", "relu", "margin")
"""Functions that an integer device computes exactly."""


def arithmetic(model: Quantized) -> Arithmetic:
    """How the engine evaluates a candidate. Raises ValueError where it cannot."""
    prepared = prepare(model)
    program = model.program
    layers = {index: step for index, step in enumerate(prepared.steps) if isinstance(step, IntegerLayer)}
    dense = [index for index, step in enumerate(program.steps) if isinstance(step, Dense)]
    functions = {step.activation for step in program.steps if isinstance(step, Dense)} - set(EXACT_IN_INTEGERS)
    return Arithmetic(
        tuple(layers),
        tuple(index for index, layer in layers.items() if not layer.bias.any()),
        tuple(dense),
        tuple(sorted(functions)),
        "" if program.link in EXACT_IN_INTEGERS else program.link,
    )
