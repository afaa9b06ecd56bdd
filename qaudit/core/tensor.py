"""The law of a quantized tensor, written once, on its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Array = NDArray[Any]

REAL_BITS = 32
SEED_BITS = 64


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
        return int(-(2 ** (self.bits - 1))) + (1 if self.narrow else 0)

    @property
    def high(self) -> int:
        """Largest code."""
        return int(2 ** (self.bits - 1)) - 1 if self.signed else int(2**self.bits) - 1


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
    `formula` is the text that made the codes; None where the plugin used code of its own. A table goes with a scale alone.
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

    def dequantize(self) -> Floats:
        """The law, in float64, in the shape of `codes`. Raises ValueError where a part does not fit that shape."""
        step = self.step()
        if self.table is not None:
            return np.asarray(step * np.asarray(self.table, dtype=np.float64)[self.codes])
        centred = self.codes.astype(np.float64) - self._spread("zero_point", self.zero_point)
        if self.dither_seed is not None:
            centred = centred - dither(self.dither_seed, self.codes.shape)
        values = centred * step
        if self.mask is not None:
            values = np.where(self.mask, values, 0.0)
        return np.asarray(self._spread("offset", self.offset) + values)

    def step(self) -> Floats:
        """The scale of every element, in the shape of `codes` (read-only where it is broadcast)."""
        return self._spread("scale", self.scale.dequantize() if isinstance(self.scale, QuantizedTensor) else self.scale)

    @property
    def size_bits(self) -> int:
        """Bits of the whole tensor: `bits` a kept code, 1 a mask element, 32 a scale, offset or table entry, `bits` a zero
        point, 64 a dither seed. Zero points and offsets that are the plain number 0 are part of the type and cost nothing; a
        nested scale counts its own bits. 32 bits are our convention for a stored real; the law is evaluated in float64.
        """
        kept = self.codes.size if self.mask is None else int(np.count_nonzero(self.mask))
        bits = kept * self.qtype.bits + (0 if self.mask is None else self.mask.size)
        bits += self.scale.size_bits if isinstance(self.scale, QuantizedTensor) else REAL_BITS * np.size(self.scale)
        bits += 0 if _plain_zero(self.zero_point) else self.qtype.bits * np.size(self.zero_point)
        bits += 0 if _plain_zero(self.offset) else REAL_BITS * np.size(self.offset)
        bits += 0 if self.table is None else REAL_BITS * np.size(self.table)
        return int(bits + (0 if self.dither_seed is None else SEED_BITS))

    @property
    def effective_bits(self) -> float:
        """`size_bits` an element; NaN for an empty tensor."""
        return self.size_bits / self.codes.size if self.codes.size else float("nan")

    def problems(self, shape: tuple[int, ...] | None = None) -> list[str]:
        """Every breach of the law in one plain line each; [] where it holds. `shape` is the shape wanted of the codes.

        Made for tensors from foreign code: no field is trusted to have its declared type, and nothing is raised.
        """
        return breaches(self, shape)

    def check(self, shape: tuple[int, ...] | None = None) -> None:
        """Raises ValueError naming all `problems`."""
        if found := self.problems(shape):
            raise ValueError("; ".join(found))

    def _spread(self, field_name: str, value: Any) -> Floats:
        """A scalar, per-axis or per-block value as float64 in the shape of `codes`."""
        array, shape = np.asarray(value, dtype=np.float64), self.codes.shape
        if array.ndim == 0:
            return np.broadcast_to(array, shape)
        if self.axis is None:
            raise ValueError(f"{field_name}: shape {array.shape} without an axis, expected a scalar")
        axis = self.axis
        wanted = parts_shape(shape, axis, self.block)
        if array.shape != wanted:
            raise ValueError(f"{field_name}: shape {array.shape}, expected {wanted} or a scalar")
        if self.block is not None:
            # the last block may be short: repeat all of it, then cut
            return np.take(np.repeat(array, self.block, axis=axis), np.arange(shape[axis]), axis=axis)
        return np.broadcast_to(array.reshape([-1 if d == axis % len(shape) else 1 for d in range(len(shape))]), shape)


def parts_shape(shape: tuple[int, ...], axis: int, block: int | None) -> tuple[int, ...]:
    """The shape that a per-axis (1-d) or per-block scale, zero point or offset of a tensor of `shape` must have."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"axis {axis} of a tensor of shape {shape}")
    axis %= len(shape)
    if block is None:
        return (shape[axis],)
    if block < 1:
        raise ValueError(f"block {block}, expected 1 or more")
    return (*shape[:axis], -(-shape[axis] // block), *shape[axis + 1 :])


def _plain_zero(value: Any) -> bool:
    return np.ndim(value) == 0 and value == 0


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


def breaches(tensor: QuantizedTensor, shape: tuple[int, ...] | None = None) -> list[str]:
    """What `QuantizedTensor.problems` lists. Shapes first: values are looked at only where types and shapes are right."""
    found = _form(tensor, shape)
    return found or _shapes(tensor) or _values(tensor)


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)


def _form(tensor: QuantizedTensor, shape: tuple[int, ...] | None) -> list[str]:
    """Types of the fields, and the shape wanted."""
    codes, qtype = tensor.codes, tensor.qtype
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "iu":
        return [f"codes: {_kind(codes)}, expected an integer array"]
    found = []
    if shape is not None and codes.shape != tuple(shape):
        found.append(f"codes: shape {codes.shape}, expected {tuple(shape)}")
    if not isinstance(qtype, QType) or not _whole(qtype.bits) or not 1 <= qtype.bits <= 32:
        found.append(f"qtype: {qtype!r}, expected a QType of 1 to 32 bits")
    elif qtype.signed and qtype.narrow and qtype.bits < 2:
        found.append("qtype: a narrow signed format of 1 bit has the code 0 only, expected 2 bits or more")
    for name in ("axis", "block", "dither_seed"):
        value = getattr(tensor, name)
        if value is not None and not _whole(value):
            found.append(f"{name}: {_kind(value)}, expected an integer or None")
    if _whole(tensor.dither_seed) and not 0 <= int(tensor.dither_seed or 0) < 2**SEED_BITS:
        found.append(f"dither_seed: {tensor.dither_seed}, expected 0 to 2**{SEED_BITS} - 1")
    for name, kinds in (("scale", "iuf"), ("zero_point", "iu"), ("offset", "iuf"), ("mask", "b"), ("table", "iuf")):
        value = getattr(tensor, name)
        plain = value is None if name in ("mask", "table") else isinstance(value, QuantizedTensor) and name == "scale"
        if not plain and (isinstance(value, list | tuple | QuantizedTensor) or np.asarray(value).dtype.kind not in kinds):
            found.append(f"{name}: {_kind(value)}, expected {_WANTED[name]}")
    if not isinstance(tensor.formula, str | None):
        found.append(f"formula: {_kind(tensor.formula)}, expected text or None")
    return found


_WANTED = {
    "scale": "real numbers",
    "zero_point": "integers",
    "offset": "real numbers",
    "mask": "booleans",
    "table": "real numbers",
}


def _kind(value: Any) -> str:
    return f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__


def _shapes(tensor: QuantizedTensor) -> list[str]:
    """Shapes of the parts against the shape of the codes."""
    found = []
    if isinstance(tensor.scale, QuantizedTensor):
        found += [f"scale: {line}" for line in breaches(tensor.scale)]
    elif np.size(tensor.scale) == 0 and tensor.codes.size:
        found.append("scale: empty")
    if not found:
        parts = {"scale": tensor.scale, "zero_point": tensor.zero_point, "offset": tensor.offset}
        for name, value in parts.items():
            try:
                tensor._spread(name, value.dequantize() if isinstance(value, QuantizedTensor) else value)
            except ValueError as wrong:
                found.append(str(wrong))
    if tensor.mask is not None and np.shape(tensor.mask) != tensor.codes.shape:
        found.append(f"mask: shape {np.shape(tensor.mask)}, expected {tensor.codes.shape}")
    if tensor.table is not None:
        if np.ndim(tensor.table) != 1 or not np.size(tensor.table):
            found.append(f"table: shape {np.shape(tensor.table)}, expected one entry or more in one dimension")
        extra = tensor.mask is not None or tensor.dither_seed is not None
        if extra or not _plain_zero(tensor.zero_point) or not _plain_zero(tensor.offset):
            found.append("table: goes with a scale alone, without zero point, offset, mask or dither")
    return found


def _values(tensor: QuantizedTensor) -> list[str]:
    """Ranges: codes in their format, scales positive, everything finite."""
    found = []
    low, high = tensor.qtype.low, tensor.qtype.high
    if tensor.table is not None:
        low, high = 0, len(tensor.table) - 1
        if not np.isfinite(tensor.table).all():
            found.append("table: not finite")
    if tensor.codes.size and (int(tensor.codes.min()) < low or int(tensor.codes.max()) > high):
        found.append(f"codes: from {tensor.codes.min()} to {tensor.codes.max()}, expected {low} to {high}")
    step = tensor.step()
    if not (np.isfinite(step).all() and (step > 0).all()):
        found.append("scale: not finite and positive everywhere")
    if not np.isfinite(np.asarray(tensor.offset, dtype=np.float64)).all():
        found.append("offset: not finite")
    if not found:
        with np.errstate(over="ignore", invalid="ignore"):
            if not np.isfinite(tensor.dequantize()).all():
                found.append("values: not finite after dequantizing")
    return found
