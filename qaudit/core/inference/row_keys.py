"""A 64-bit key for each row, made from its content, so that random weights do not depend on the order of rows.

SplitMix64 mixes the cells of named columns in the order of the names. Numbers are keyed by value: 1, 1.0 and True are one cell,
-0.0 is 0.0, every NaN and None is one missing cell. Texts are keyed by BLAKE2b. Rows with equal cells are numbered, so that
each has its own key. Which of them takes which number depends on their order: name every column that a statistic reads (the
true value too), then rows that change places are equal in all that counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

GAMMA = 0x9E3779B97F4A7C15
_MISSING = 0x7FF8000000000000
"""The bits of the usual NaN."""
_BEYOND = 0x94D049BB133111EB
"""Distinguishes integers that no float64 equals from floats with the same bits."""


def mix(words: Keys) -> Keys:
    """One step of SplitMix64 from each state (Steele, Lea and Flood 2014): a bijection of 64-bit words."""
    z = words + np.uint64(GAMMA)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def row_keys(columns: Mapping[str, NDArray[Any]]) -> Keys:
    """Keys (n,) of rows of named columns (n,); rows with equal cells have different keys."""
    return numbered(content_keys(columns))


def content_keys(columns: Mapping[str, NDArray[Any]]) -> Keys:
    """Keys (n,) of what stands in each row. Rows that come in blocks: join the keys of the blocks, then `numbered`."""
    if not columns:
        raise ValueError("row keys need at least one column")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"row keys: columns of different lengths {sorted(lengths)}")
    keys = np.zeros(lengths.pop(), dtype=np.uint64)
    for name in sorted(columns):
        keys = mix(keys ^ mix(_cells(columns[name]) ^ np.uint64(_text_word(name))))
    return keys


def numbered(keys: Keys) -> Keys:
    """Keys (n,) that all differ: equal keys are counted 0, 1, 2 ... in the order in which they stand."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(keys) else np.empty(0, dtype=bool)
    places = np.arange(len(keys))
    counts = np.empty(len(keys), dtype=np.uint64)
    counts[order] = places - np.maximum.accumulate(np.where(begins, places, 0))
    return mix(keys ^ mix(counts))


def cluster_keys(clusters: NDArray[Any]) -> Keys:
    """Keys (n,) of the cluster of each row: equal in one cluster. ValueError where the cluster of a row is missing."""
    cells = _cells(clusters)
    if missing := int(np.sum(cells == np.uint64(_MISSING))):
        raise ValueError(f"{missing} rows belong to no cluster")
    return mix(cells)


def first_half(keys: Keys, seed: int = 0) -> NDArray[np.bool_]:
    """About half of the rows (n,), chosen by their keys alone."""
    return np.asarray(mix(keys ^ mix(np.array([seed], dtype=np.uint64))) >> np.uint64(63) == 0)


def _cells(values: NDArray[Any]) -> Keys:
    """One word a cell (n,)."""
    kind = values.dtype.kind
    if kind == "f" and values.dtype.itemsize <= 8:
        return _float_words(values.astype(np.float64))
    if kind in "biu":
        return _integer_words(values)
    if kind in "OUT":
        words: dict[Any, int] = {}
        return np.array([_object_word(value, words) for value in values.tolist()], dtype=np.uint64)
    raise TypeError(f"row keys: no rule for columns of type {values.dtype}")


def _float_words(values: NDArray[np.float64]) -> Keys:
    # adding 0.0 turns -0.0 into 0.0
    words = (values + 0.0).view(np.uint64)
    words[np.isnan(values)] = _MISSING
    return words


def _integer_words(values: NDArray[Any]) -> Keys:
    wide = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64)
    floats = wide.astype(np.float64)
    # 2**63 and 2**64 themselves cannot be turned back
    inside = floats < (2.0**64 if values.dtype.kind == "u" else 2.0**63)
    exact = inside & (np.where(inside, floats, 0.0).astype(wide.dtype) == wide)
    above = np.uint64(_BEYOND) + (wide < 0).astype(np.uint64)
    return np.where(exact, _float_words(floats), mix(wide.view(np.uint64) ^ above))


def _object_word(value: Any, words: dict[Any, int]) -> int:
    """The word of a cell of mixed type; `words` holds what was seen before, since texts repeat."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _MISSING
    if value not in words:
        if isinstance(value, str):
            words[value] = _text_word(value)
        elif isinstance(value, bool | int | float):
            words[value] = int(_cells(np.asarray([value]))[0])
        else:
            raise TypeError(f"row keys: no rule for a cell of type {type(value).__name__}")
    return words[value]


def _text_word(text: str) -> int:
    # surrogates come from names of files that are no UTF-8
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
