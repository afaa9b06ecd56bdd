"""Toy subjects for the checks: small programs, tensors and tables made in code, without files and without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from qaudit.core.program import Program
from qaudit.core.records import Subject
from qaudit.core.steps import STEP_NAMES, Dense, StepName, Trees
from qaudit.core.tensor import Floats

Columns = Mapping[str, NDArray[Any]]
ROWS = 48


def draws(seed: int) -> np.random.Generator:
    """The random generator of one toy subject."""
    return np.random.Generator(np.random.Philox(seed))


def rows_of(width: int) -> Floats:
    """Encoded calibration rows (48, width)."""
    return draws(1000 + width).normal(size=(ROWS, width))


def network() -> Program:
    """A network with four inputs, five hidden units and two classes."""
    rng = draws(1)
    hidden = Dense(rng.normal(size=(5, 4)), rng.normal(size=5), "relu")
    return Program(_names(4), (hidden, Dense(rng.normal(size=(1, 5)), np.array([0.1]))), "logistic", "binary", ("no", "yes"))


def layer(weight: Floats) -> Program:
    """One dense layer (out, in) whose outputs are the predictions."""
    weight = np.asarray(weight, dtype=np.float64)
    return Program(_names(weight.shape[1]), (Dense(weight, np.zeros(len(weight))),), "identity", "regression")


def tree(leaves: Floats, thresholds: Floats | None = None) -> Program:
    """One tree over one input with the leaf values (n,), n >= 1. It is a chain: the left child of each inner node is a leaf."""
    leaves = np.asarray(leaves, dtype=np.float64).ravel()
    inner = len(leaves) - 1
    cuts = np.sort(draws(3).normal(size=inner)) if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    nodes = 2 * inner + 1
    left, right = np.full(nodes, -1, dtype=np.int32), np.full(nodes, -1, dtype=np.int32)
    feature, threshold = np.full(nodes, -2, dtype=np.int32), np.zeros(nodes)
    value = np.zeros((nodes, 1))
    for number in range(inner):
        node = 2 * number
        left[node], right[node], feature[node], threshold[node] = node + 1, node + 2, 0, cuts[number]
        value[node + 1, 0] = leaves[number]
    value[nodes - 1, 0] = leaves[-1]
    ensemble = Trees(
        left, right, feature, threshold, value, np.zeros(1, dtype=np.int32), np.zeros(1), np.zeros(nodes, dtype=bool), "sum"
    )
    return Program(_names(1), (ensemble,), "identity", "regression")


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"x{number}" for number in range(count))


def plain() -> dict[str, Program]:
    """The ordinary subjects by name, of every kind of step."""
    programs: dict[str, Program] = {}
    for step in STEP_NAMES:
        programs |= _plain(step)
    return programs


def _plain(step: StepName) -> dict[str, Program]:
    match step:
        case "dense":
            normal = draws(4).normal(size=(7, 11))
            sparse = np.where(draws(5).random((6, 8)) < 0.5, 0.0, draws(6).normal(size=(6, 8)))
            spread = draws(7).normal(size=(4, 4)) * np.array([[1.0], [100.0], [0.01], [1.0]])
            return {
                "network": network(),
                "layer": layer(normal),
                "sparse layer": layer(sparse),
                "layer of unequal rows": layer(spread),
            }
        case "trees":
            return {"tree": tree(draws(8).normal(size=24) + 0.3)}
        case _:
            assert_never(step)


def holding(step: StepName, values: Floats) -> tuple[str, Program]:
    """What the parameters of a step are called, and a program of one such step that holds the values (rows, columns)."""
    match step:
        case "dense":
            return "weights", layer(values)
        case "trees":
            return "leaves", tree(values.ravel())
        case _:
            assert_never(step)


def special() -> dict[str, Program]:
    """Programs with unusual tensors that occur in real models, as weights and as leaves, by name."""
    outlier = draws(9).normal(size=(3, 5))
    outlier[1, 2] = 1e6
    zero_row = draws(10).normal(size=(3, 5))
    zero_row[1] = 0.0
    tensors = {
        "all zero": np.zeros((3, 5)),
        "constant": np.full((3, 5), 0.7),
        "a single element": np.array([[-1.3]]),
        "denormal": np.array([[5e-324, -1e-322, 0.0], [1e-323, 5e-324, -5e-324]]),
        "of size 1e30": draws(11).normal(size=(3, 5)) * 1e30,
        "one outlier": outlier,
        "one row of zeros": zero_row,
        "negative": -np.abs(draws(12).normal(size=(3, 5))) - 1.0,
    }
    programs: dict[str, Program] = {}
    for step in STEP_NAMES:
        for name, values in tensors.items():
            what, program = holding(step, values)
            programs[f"{name}, as {what}"] = program
    return programs


def nonsense() -> dict[str, Program]:
    """Programs with NaN or infinity among their values, by name. They cannot be quantized."""
    programs: dict[str, Program] = {}
    for name, bad in (("NaN", np.nan), ("infinity", np.inf)):
        values = draws(13).normal(size=(3, 5))
        values[1, 1] = bad
        for step in STEP_NAMES:
            what, program = holding(step, values)
            programs[f"{name} among {what}"] = program
    return programs


def subject(program: Program, training: bool = True) -> Subject:
    """The description of a toy program that a plugin receives."""
    parameters = tuple((p.name, p.role, tuple(p.values.shape)) for p in program.parameters().values())
    return Subject(program.output, program.inputs, program.classes, parameters, calibration=True, training=training)


def table(texts: bool = True, holes: bool = False, rows: int = 40, seed: int = 20) -> dict[str, NDArray[Any]]:
    """Raw columns: three numbers and, with `texts`, one text; with `holes` missing values in a number and in the text."""
    rng = draws(seed)
    columns: dict[str, NDArray[Any]] = {name: rng.normal(size=rows) for name in ("age", "income", "debt")}
    # drawn with or without `texts`, so that the numbers of both tables are equal
    words = np.array([("car", "home", "other")[k] for k in rng.integers(0, 3, size=rows)], dtype=object)
    if holes:
        columns["income"] = np.where(np.arange(rows) % 5 == 1, np.nan, columns["income"])
        words[2::7] = None
    return {**columns, "purpose": words} if texts else columns


def signal_of(columns: Columns, name: str) -> Floats:
    """A column as numbers (n,): a number with 0 where missing; for text 1 where it is "car", else -1."""
    values = columns[name]
    if values.dtype == object:
        return np.array([1.0 if value == "car" else -1.0 for value in values])
    return np.nan_to_num(np.asarray(values, dtype=np.float64))
