"""The quantized tensor and its dequantization formula, which is defined here once for the whole program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.plugin_measures import ignored

Floats = NDArray[np.float64]
Array = NDArray[Any]

REAL_BITS = 32
SEED_BITS = 64


@dataclass(frozen=True, slots=True)
class QType:
    """An integer format of `bits` bits.

    A narrow signed format is symmetric: its codes are -Q to Q with Q = 2**(bits-1) - 1, without the lowest code of the format.
    """

    bits: int
    signed: bool = True
    narrow: bool = True

    @property
    def low(self) -> int:
        """The smallest code of the format."""
        if not self.signed:
            return 0
        return int(-(2 ** (self.bits - 1))) + (1 if self.narrow else 0)

    @property
    def high(self) -> int:
        """The largest code of the format."""
        return int(2 ** (self.bits - 1)) - 1 if self.signed else int(2**self.bits) - 1


@dataclass(frozen=True, slots=True)
class Grid:
    """A quantization grid for the inputs of a dense layer: x ~ (code - zero_point) * scale."""

    scale: float
    zero_point: int
    qtype: QType


def dither(seed: int, shape: tuple[int, ...]) -> Floats:
    """Reproducible random numbers of U(-1, 1)/2 in units of one step (numpy Philox, C order; Schuchman 1964)."""
    return (np.random.Generator(np.random.Philox(seed)).random(shape) * 2.0 - 1.0) / 2.0


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedTensor:
    """values ~ offset + where(mask, (codes - zero_point - dither) * scale, 0), or scale * table[codes] for a codebook.

    `codes` are integers in the shape of the tensor. `scale`, `zero_point` and `offset` are scalars, or have one value per index
    of `axis` (1-d), or one value per block of `block` elements along `axis` (the shape of codes with that axis shortened).
    `scale` may itself be a QuantizedTensor. Where `mask` is False the value is the offset. `dither_seed` is the
    seed of the random numbers that are subtracted again. `formula` is the text of the expression that made the codes; None
    where the plugin used its own code. A table (codebook) can be combined with a scale only.
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
        """The values by the dequantization formula, float64 in the shape of `codes`.

        Raises ValueError where a part does not fit that shape.
        """
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
        """The stored size of the whole tensor in bits.

        It counts `bits` for each code that is not masked, 1 for each element of a mask, 32 for each scale, offset or table entry,
        `bits` for each zero point, and 64 for a dither seed. A zero point or offset that is the plain number 0 is part of the
        type and costs nothing; a nested scale counts its own bits. 32 bits for a stored real number is a convention: the
        formula is evaluated in float64.
        """
        stored_codes = self.codes.size if self.mask is None else int(np.count_nonzero(self.mask))
        bits = stored_codes * self.qtype.bits + (0 if self.mask is None else self.mask.size)
        bits += self.scale.size_bits if isinstance(self.scale, QuantizedTensor) else REAL_BITS * np.size(self.scale)
        bits += 0 if _plain_zero(self.zero_point) else self.qtype.bits * np.size(self.zero_point)
        bits += 0 if _plain_zero(self.offset) else REAL_BITS * np.size(self.offset)
        bits += 0 if self.table is None else REAL_BITS * np.size(self.table)
        return int(bits + (0 if self.dither_seed is None else SEED_BITS))

    @property
    def effective_bits(self) -> float:
        """`size_bits` per element; NaN for an empty tensor."""
        return self.size_bits / self.codes.size if self.codes.size else float("nan")

    def problems(self, shape: tuple[int, ...] | None = None) -> list[str]:
        """Every reason why the tensor is not well formed, one line each; [] where it is.

        `shape` is the expected shape of the codes. The tensor may come from foreign code, so no field is assumed to have its
        declared type, and nothing is raised.
        """
        return breaches(self, shape)

    def check(self, shape: tuple[int, ...] | None = None) -> None:
        """Raise ValueError with all `problems`; do nothing where there are none."""
        if problems := self.problems(shape):
            raise ValueError("; ".join(problems))

    def _spread(self, field_name: str, value: Any) -> Floats:
        """A scalar, per-axis or per-block value as float64 in the shape of `codes`."""
        array, shape = np.asarray(value, dtype=np.float64), self.codes.shape
        if array.ndim == 0:
            return np.broadcast_to(array, shape)
        if self.axis is None:
            raise ValueError(f"{field_name}: shape {array.shape} without an axis, expected a scalar")
        axis = self.axis
        expected = parts_shape(shape, axis, self.block)
        if array.shape != expected:
            raise ValueError(f"{field_name}: shape {array.shape}, expected {expected} or a scalar")
        if self.block is not None:
            # The last block may be shorter: every block is repeated in full, then the end is cut off.
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
    """What a quantizer may know about one parameter. It is computed from calibration rows, never from the holdout.

    `low` and `high` are the observed range, `inputs` the inputs (n, in) of the parameter's layer or None.
    `effect(replaced, label=None)` is the mean absolute change of the prediction on the calibration rows when this parameter (an
    array), or several ({parameter: array}), are replaced. A call with a label becomes evidence of the measure `contribution`.
    `record_measure(name, value, whole=False)` records a value of a measure that the plugin declares, of this parameter or of the
    whole candidate, once each.
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
    record_measure: Callable[..., None] = field(default=ignored, repr=False)


QuantizeResult = QuantizedTensor | None
ModelResult = Mapping[str, QuantizedTensor]


def breaches(tensor: QuantizedTensor, shape: tuple[int, ...] | None = None) -> list[str]:
    """The list for `QuantizedTensor.problems`.

    Types are checked first, then shapes, then values, because each check needs the one before it to have passed.
    """
    problems = _form(tensor, shape)
    return problems or _shapes(tensor) or _values(tensor)


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)


def _form(tensor: QuantizedTensor, shape: tuple[int, ...] | None) -> list[str]:
    """Problems of the types of the fields and of the expected shape."""
    codes, qtype = tensor.codes, tensor.qtype
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "iu":
        return [f"codes: {_kind(codes)}, expected an integer array"]
    problems = []
    if shape is not None and codes.shape != tuple(shape):
        problems.append(f"codes: shape {codes.shape}, expected {tuple(shape)}")
    if not isinstance(qtype, QType) or not _whole(qtype.bits) or not 1 <= qtype.bits <= 32:
        problems.append(f"qtype: {qtype!r}, expected a QType of 1 to 32 bits")
    elif qtype.signed and qtype.narrow and qtype.bits < 2:
        problems.append("qtype: a narrow signed format of 1 bit has the code 0 only, expected 2 bits or more")
    for name in ("axis", "block", "dither_seed"):
        value = getattr(tensor, name)
        if value is not None and not _whole(value):
            problems.append(f"{name}: {_kind(value)}, expected an integer or None")
    if _whole(tensor.dither_seed) and not 0 <= int(tensor.dither_seed or 0) < 2**SEED_BITS:
        problems.append(f"dither_seed: {tensor.dither_seed}, expected 0 to 2**{SEED_BITS} - 1")
    for name, kinds in (("scale", "iuf"), ("zero_point", "iu"), ("offset", "iuf"), ("mask", "b"), ("table", "iuf")):
        value = getattr(tensor, name)
        plain = value is None if name in ("mask", "table") else isinstance(value, QuantizedTensor) and name == "scale"
        if not plain and (isinstance(value, list | tuple | QuantizedTensor) or np.asarray(value).dtype.kind not in kinds):
            problems.append(f"{name}: {_kind(value)}, expected {_WANTED[name]}")
    if not isinstance(tensor.formula, str | None):
        problems.append(f"formula: {_kind(tensor.formula)}, expected text or None")
    return problems


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
    """Problems of the shapes of scale, zero point, offset, mask and table against the shape of the codes."""
    problems = []
    if isinstance(tensor.scale, QuantizedTensor):
        problems += [f"scale: {line}" for line in breaches(tensor.scale)]
    elif np.size(tensor.scale) == 0 and tensor.codes.size:
        problems.append("scale: empty")
    if not problems:
        parts = {"scale": tensor.scale, "zero_point": tensor.zero_point, "offset": tensor.offset}
        for name, value in parts.items():
            try:
                tensor._spread(name, value.dequantize() if isinstance(value, QuantizedTensor) else value)
            except ValueError as error:
                problems.append(str(error))
    if tensor.mask is not None and np.shape(tensor.mask) != tensor.codes.shape:
        problems.append(f"mask: shape {np.shape(tensor.mask)}, expected {tensor.codes.shape}")
    if tensor.table is not None:
        if np.ndim(tensor.table) != 1 or not np.size(tensor.table):
            problems.append(f"table: shape {np.shape(tensor.table)}, expected one entry or more in one dimension")
        extra = tensor.mask is not None or tensor.dither_seed is not None
        if extra or not _plain_zero(tensor.zero_point) or not _plain_zero(tensor.offset):
            problems.append("table: goes with a scale alone, without zero point, offset, mask or dither")
    return problems


def _values(tensor: QuantizedTensor) -> list[str]:
    """Problems of the values: codes outside their format, scales that are not positive, and values that are not finite."""
    problems = []
    low, high = tensor.qtype.low, tensor.qtype.high
    if tensor.table is not None:
        low, high = 0, len(tensor.table) - 1
        if not np.isfinite(tensor.table).all():
            problems.append("table: not finite")
    if tensor.codes.size and (int(tensor.codes.min()) < low or int(tensor.codes.max()) > high):
        problems.append(f"codes: from {tensor.codes.min()} to {tensor.codes.max()}, expected {low} to {high}")
    step = tensor.step()
    if not (np.isfinite(step).all() and (step > 0).all()):
        problems.append("scale: not finite and positive everywhere")
    if not np.isfinite(np.asarray(tensor.offset, dtype=np.float64)).all():
        problems.append("offset: not finite")
    if not problems:
        with np.errstate(over="ignore", invalid="ignore"):
            if not np.isfinite(tensor.dequantize()).all():
                problems.append("values: not finite after dequantizing")
    return problems
