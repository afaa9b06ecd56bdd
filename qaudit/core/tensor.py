"""The law of a quantized tensor, written once, on its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class QType:
    """An integer format of `bits` bits. Symmetric formats are narrow: the codes run from -Q to Q, Q = 2**(bits-1) - 1."""

    bits: int
    signed: bool = True
    narrow: bool = True

    @property
    def low(self) -> int:
        """Smallest code."""
        if not self.signed:
            return 0
        return -(2 ** (self.bits - 1)) + (1 if self.narrow else 0)

    @property
    def high(self) -> int:
        """Largest code."""
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1


@dataclass(frozen=True, slots=True)
class Grid:
    """A quantization grid for the inputs of a dense layer: x ~ (code - zero_point) * scale."""

    scale: float
    zero_point: int
    qtype: QType


def dither(seed: int, shape: tuple[int, ...]) -> Floats:
    """The reproducible draw U(-1, 1)/2 (numpy Philox, C order), in units of one step (Schuchman 1964)."""
    return (np.random.Generator(np.random.Philox(seed)).random(shape) * 2.0 - 1.0) / 2.0


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedTensor:
    """values ~ offset + where(mask, (codes - zero_point - dither) * scale, 0), or scale * table[codes] for a codebook.

    `codes` are integers of the tensor's own shape. `scale`, `zero_point` and `offset` are scalars, or one value an index of
    `axis` (1-d), or one value a block of `block` elements along `axis` (shape of codes with that axis shortened). `scale` may
    itself be a QuantizedTensor. `mask` False gives exactly the offset. `dither_seed` names the draw that is subtracted again.
    `formula` is the text that made the codes; None where the plugin used code of its own.
    """

    codes: NDArray[Any]
    scale: float | Floats | QuantizedTensor
    qtype: QType
    zero_point: int | NDArray[Any] = 0
    offset: float | Floats = 0.0
    mask: NDArray[np.bool_] | None = None
    dither_seed: int | None = None
    table: Floats | None = None
    axis: int | None = None
    block: int | None = None
    formula: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What a quantizer may know of one parameter; rows behind it are calibration rows, never the holdout.

    `effect(replaced, label=None)`: mean absolute change of the model's prediction on the calibration rows when this tensor
    (an array), or several ({parameter: array}), are replaced. A labelled call becomes evidence of the measure `contribution`.
    """

    name: str
    role: str
    layer: int
    axis: int | None
    low: float
    high: float
    inputs: Floats | None
    seed: int
    effect: Callable[..., float] = field(repr=False)


QuantizeResult = QuantizedTensor | None
ModelResult = Mapping[str, QuantizedTensor]
