"""Counts the inputs of dense layers that lie outside the range of their grid, so that their codes are clipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.program import Quantized
from qaudit.core.tensor import Floats, Grid
from qaudit.engine.sweep import watch_inputs


@dataclass(frozen=True, slots=True, eq=False)
class Clipping:
    """What was clipped on n rows.

    `values` maps the number of a dense step with a grid to the rows in which each of its inputs was clipped (in,), `rows` to the
    rows in which any of them was; `anywhere` are the rows in which any input of any layer was.
    """

    n: int
    values: dict[int, NDArray[np.int64]]
    rows: dict[int, int]
    anywhere: int


def clipping(model: Quantized, encoded: Any) -> Clipping:
    """Evaluate a candidate on encoded rows (n, width) and count. Raises ValueError where it cannot be evaluated."""
    values: dict[int, NDArray[np.int64]] = {}
    masks: dict[int, list[NDArray[np.bool_]]] = {}

    def count(layer: int, grid: Grid, inputs: Floats) -> None:
        outside = clipped(grid, inputs)
        values[layer] = values.get(layer, np.zeros(inputs.shape[1], dtype=np.int64)) + outside.sum(axis=0)
        masks.setdefault(layer, []).append(np.asarray(outside.any(axis=1)))

    # values that overflow are clipped as well; the evaluation has reported them
    with np.errstate(all="ignore"):
        watch_inputs(model, encoded, count)
    by_layer = {layer: np.concatenate(parts) for layer, parts in masks.items()}
    anywhere = np.any(list(by_layer.values()), axis=0) if by_layer else np.zeros(len(encoded), dtype=bool)
    return Clipping(len(encoded), values, {layer: int(rows.sum()) for layer, rows in by_layer.items()}, int(anywhere.sum()))


def clipped(grid: Grid, x: Floats) -> NDArray[np.bool_]:
    """Which inputs (n, in) have no code of their own: rounded, they lie below the lowest or above the highest. NaN is not one."""
    codes = np.rint(x / grid.scale) + grid.zero_point
    return np.asarray((codes < grid.qtype.low) | (codes > grid.qtype.high))
