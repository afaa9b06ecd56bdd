"""Which operations of a candidate are evaluated in integers, and which in float64."""

from __future__ import annotations

from dataclasses import dataclass

from qaudit.core.program import Quantized
from qaudit.engine.dense import FloatLayer, IntegerLayer
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
    layers = {index: step for index, step in enumerate(prepare(model).steps) if isinstance(step, FloatLayer | IntegerLayer)}
    integer = {index: layer for index, layer in layers.items() if isinstance(layer, IntegerLayer)}
    functions = {layer.activation for layer in layers.values()} - set(EXACT_IN_INTEGERS)
    link = model.program.link
    return Arithmetic(
        tuple(integer),
        tuple(index for index, layer in integer.items() if not layer.bias.any()),
        tuple(layers),
        tuple(sorted(functions)),
        "" if link in EXACT_IN_INTEGERS else link,
    )
