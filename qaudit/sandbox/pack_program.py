"""Packs programs and quantized tensors as JSON and numeric arrays, to pass them between processes, and unpacks them.

Unpacking reads what another process wrote: it checks every key and index, and a ValueError names the fault in one line. `prefix`
keeps the array names of several values apart; the JSON contains it, so that unpacking needs no further argument.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.steps import STEP_KINDS, kind_of
from qaudit.core.json_values import Json
from qaudit.core.program import Link, Output, Program, Quantized
from qaudit.core.steps import Step
from qaudit.core.tensor import Grid, QType, QuantizedTensor
from qaudit.sandbox.job import Arrays

Packed = tuple[Json, dict[str, NDArray[Any]]]


def pack_program(program: Program, prefix: str = "program") -> Packed:
    """A program as JSON and arrays named `prefix.step.field`."""
    steps: list[Json] = []
    arrays: dict[str, NDArray[Any]] = {}
    for index, step in enumerate(program.steps):
        if not isinstance(step, Step):
            raise ValueError(f"step {index}: {type(step).__name__}, expected one of {', '.join(STEP_KINDS)}")
        kind = kind_of(step)
        words: Json = {name: getattr(step, name) for name in kind.words}
        present: Json = {name: getattr(step, name) is not None for name in kind.optional}
        steps.append({"kind": kind.name, **words, **present})
        for name, dtype in kind.arrays.items():
            if (array := getattr(step, name)) is not None or name not in kind.optional:
                arrays[f"{prefix}.{index}.{name}"] = np.ascontiguousarray(array, dtype=dtype)
    answer: Json = {
        "prefix": prefix,
        "inputs": list(program.inputs),
        "steps": steps,
        "link": program.link,
        "output": program.output,
        "classes": list(program.classes),
        "link_scale": float(program.link_scale),
    }
    return answer, arrays


def unpack_program(answer: Json, arrays: Arrays) -> Program:
    """The program that `pack_program` packed. Raises ValueError where the parts are not a valid program (`Program.problems`)."""
    prefix = _text(answer, "prefix")
    steps = _list(answer, "steps")
    program = Program(
        inputs=_names(answer, "inputs"),
        steps=tuple(_step(step, arrays, f"{prefix}.{index}") for index, step in enumerate(steps)),
        link=_one_of(answer, "link", get_args(Link)),
        output=_one_of(answer, "output", get_args(Output)),
        classes=_names(answer, "classes"),
        link_scale=_real(answer, "link_scale"),
    )
    if problems := program.problems():
        raise ValueError("; ".join(problems))
    return program


def _step(step: Any, arrays: Arrays, prefix: str) -> Step:
    if not isinstance(step, dict):
        raise ValueError(f"{prefix}: {type(step).__name__}, expected an object")
    kind = STEP_KINDS[_one_of(step, "kind", tuple(STEP_KINDS))]
    parts: dict[str, Any] = {name: _one_of(step, name, allowed) for name, allowed in kind.words.items()}
    for name, dtype in kind.arrays.items():
        absent = name in kind.optional and not step.get(name)
        parts[name] = None if absent else _array(arrays, f"{prefix}.{name}", dtype)
    unpacked: Step = kind.record(**parts)
    return unpacked


def pack_tensor(tensor: QuantizedTensor, prefix: str = "tensor") -> Packed:
    """A tensor as JSON and arrays named `prefix.field`. The tensor should have passed `problems` first."""
    answer: Json = {
        "prefix": prefix,
        "qtype": _pack_qtype(tensor.qtype),
        "dither_seed": None if tensor.dither_seed is None else int(tensor.dither_seed),
        "axis": None if tensor.axis is None else int(tensor.axis),
        "block": None if tensor.block is None else int(tensor.block),
        "formula": tensor.formula,
    }
    arrays: dict[str, NDArray[Any]] = {f"{prefix}.codes": tensor.codes}
    for name in ("scale", "zero_point", "offset", "mask", "table"):
        value = getattr(tensor, name)
        if isinstance(value, QuantizedTensor):
            answer[name], inner = pack_tensor(value, f"{prefix}.{name}")
            arrays |= inner
        elif value is None or (np.ndim(value) == 0 and math.isfinite(value)):
            # JSON has no infinity and no NaN, so a scalar that is not finite goes as an array, and `problems` reports it
            answer[name] = None if value is None else int(value) if name == "zero_point" else float(value)
        else:
            answer[name] = "array"
            arrays[f"{prefix}.{name}"] = np.asarray(value)
    return answer, arrays


def unpack_tensor(answer: Json, arrays: Arrays, depth: int = 0) -> QuantizedTensor:
    """The tensor that `pack_tensor` packed. Whether its parts fit together is checked by `problems` afterwards.

    Raises ValueError where fields are missing or are not numbers.
    """
    # an answer may nest scales without end; the limit keeps the recursion short
    if depth > 3:
        raise ValueError("scale: more than three scales inside one another")
    prefix = _text(answer, "prefix")
    parts: dict[str, Any] = {}
    for name in ("scale", "zero_point", "offset", "mask", "table"):
        value = _key(answer, name)
        if value == "array":
            value = _array(arrays, f"{prefix}.{name}")
        elif isinstance(value, dict):
            value = unpack_tensor(value, arrays, depth + 1)
        elif isinstance(value, bool) or not isinstance(value, int | float | None):
            raise ValueError(f"{prefix}.{name}: {type(value).__name__}, expected a number, an array or a tensor")
        parts[name] = value
    for name in ("dither_seed", "axis", "block", "formula"):
        parts[name] = _key(answer, name)
    return QuantizedTensor(codes=_array(arrays, f"{prefix}.codes"), qtype=_unpack_qtype(answer), **parts)


def pack_tensors(tensors: Mapping[str, QuantizedTensor], prefix: str = "tensors") -> Packed:
    """Tensors by parameter; arrays are numbered, since parameter names may be any text."""
    answer: Json = {"names": list(tensors), "tensors": []}
    arrays: dict[str, NDArray[Any]] = {}
    for index, tensor in enumerate(tensors.values()):
        packed, inner = pack_tensor(tensor, f"{prefix}.{index}")
        answer["tensors"].append(packed)
        arrays |= inner
    return answer, arrays


def unpack_tensors(answer: Json, arrays: Arrays) -> dict[str, QuantizedTensor]:
    """Tensors by parameter, in order. Raises ValueError as `unpack_tensor`."""
    names, packed = _names(answer, "names"), _list(answer, "tensors")
    if len(names) != len(packed) or not all(isinstance(tensor, dict) for tensor in packed):
        raise ValueError(f"tensors: {len(packed)} for {len(names)} names, expected one object a name")
    return {name: unpack_tensor(tensor, arrays) for name, tensor in zip(names, packed, strict=True)}


def pack_quantized(quantized: Quantized, prefix: str = "quantized") -> Packed:
    """A quantized program: the program, its tensors, its grids."""
    program, arrays = pack_program(quantized.program, f"{prefix}.program")
    tensors, inner = pack_tensors(quantized.tensors, f"{prefix}.tensors")
    grids = pack_grids(quantized.grids)
    return {"program": program, "tensors": tensors, "grids": grids}, arrays | inner


def unpack_quantized(answer: Json, arrays: Arrays) -> Quantized:
    """The quantized program that `pack_quantized` packed.

    Raises ValueError as the functions for its parts do, and where a tensor does not fit its parameter.
    """
    program = unpack_program(_key(answer, "program"), arrays)
    tensors = unpack_tensors(_key(answer, "tensors"), arrays)
    known = program.parameters()
    for name, tensor in tensors.items():
        if name not in known:
            raise ValueError(f"no parameter {name!r}")
        if problems := tensor.problems(known[name].values.shape):
            raise ValueError(f"{name}: {'; '.join(problems)}")
    return Quantized(program, tensors, unpack_grids(_key(answer, "grids")))


def pack_grids(grids: Mapping[int, Grid]) -> Json:
    """Grids by layer, as JSON alone."""
    return {
        str(layer): {"scale": float(grid.scale), "zero_point": int(grid.zero_point), "qtype": _pack_qtype(grid.qtype)}
        for layer, grid in grids.items()
    }


def unpack_grids(answer: Json) -> dict[int, Grid]:
    """Grids by layer. Raises ValueError where a scale is not positive or a key is no layer number."""
    grids: dict[int, Grid] = {}
    for layer, grid in answer.items():
        if not layer.isdecimal():
            raise ValueError(f"grids: key {layer!r}, expected a layer number")
        scale = _real(grid, "scale")
        if not scale > 0:
            raise ValueError(f"grids.{layer}.scale: {scale}, expected above 0")
        grids[int(layer)] = Grid(scale, _whole(grid, "zero_point"), _unpack_qtype(grid))
    return grids


def _pack_qtype(qtype: QType) -> Json:
    return {"bits": int(qtype.bits), "signed": bool(qtype.signed), "narrow": bool(qtype.narrow)}


def _unpack_qtype(answer: Json) -> QType:
    packed = _key(answer, "qtype")
    bits = _whole(packed, "bits")
    if not 1 <= bits <= 32:
        raise ValueError(f"qtype.bits: {bits}, expected 1 to 32")
    return QType(bits, _key(packed, "signed") is True, _key(packed, "narrow") is True)


def _key(answer: Any, key: str) -> Any:
    if not isinstance(answer, dict):
        raise ValueError(f"{type(answer).__name__} where an object with {key!r} is wanted")
    if key not in answer:
        raise ValueError(f"no key {key!r}")
    return answer[key]


def _text(answer: Any, key: str) -> str:
    value = _key(answer, key)
    if not isinstance(value, str):
        raise ValueError(f"{key}: {type(value).__name__}, expected text")
    return value


def _list(answer: Any, key: str) -> list[Any]:
    value = _key(answer, key)
    if not isinstance(value, list):
        raise ValueError(f"{key}: {type(value).__name__}, expected a list")
    return value


def _names(answer: Any, key: str) -> tuple[str, ...]:
    value = _list(answer, key)
    if not all(isinstance(name, str) for name in value) or len(set(value)) != len(value):
        raise ValueError(f"{key}: expected different texts")
    return tuple(value)


def _one_of(answer: Any, key: str, allowed: tuple[str, ...]) -> Any:
    if (value := _text(answer, key)) not in allowed:
        raise ValueError(f"{key}: {value!r}, expected one of {', '.join(allowed)}")
    return value


def _whole(answer: Any, key: str) -> int:
    value = _key(answer, key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key}: {type(value).__name__}, expected a whole number")
    return value


def _real(answer: Any, key: str) -> float:
    value = _key(answer, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key}: {value!r}, expected a finite number")
    return float(value)


def _array(arrays: Arrays, name: str, dtype: str | None = None) -> NDArray[Any]:
    """An array of the answer; exactly of `dtype` where one is wanted, any number otherwise."""
    if name not in arrays:
        raise ValueError(f"no array {name!r}")
    array = np.asarray(arrays[name])
    if array.dtype.kind not in "biuf" or (dtype is not None and array.dtype != np.dtype(dtype)):
        raise ValueError(f"{name}: {array.dtype} array, expected {dtype or 'numbers'}")
    return array
