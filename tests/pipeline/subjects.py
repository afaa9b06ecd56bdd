"""A small loaded subject for the tests of the stages: a logistic model, a softmax model or a linear regression."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision
from qaudit.core.program import Program, Quantized
from qaudit.core.records import Feature
from qaudit.core.steps import Dense
from qaudit.core.table import Table
from qaudit.core.tensor import QType, QuantizedTensor
from qaudit.engine.sweep import predict
from qaudit.pipeline.types import Candidate, LoadedSubject
from qaudit.sandbox.job import PluginRef

FORMAT = PluginRef("format", "sklearn_skops", "m", "qaudit", "0.1.0", "0" * 64)


def subject(
    output: str = "binary", n: int = 200, seed: int = 0, groups: Mapping[str, NDArray[Any]] | None = None, **changes: Any
) -> LoadedSubject:
    """n rows of three numbers; the target follows the model with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    k = {"binary": 1, "multiclass": 4, "regression": 1}[output]
    link = {"binary": "logistic", "multiclass": "softmax", "regression": "identity"}[output]
    classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c", "d"), "regression": ()}[output]
    weight = rng.normal(size=(k, 3))
    program = Program(("x0", "x1", "x2"), (Dense(weight, np.zeros(k)),), link, output, classes)  # type: ignore[arg-type]
    native = predict(program, x)
    noise = rng.random(n)
    if output == "binary":
        target: NDArray[Any] = (native[:, 1] > noise).astype(np.int64)
    elif output == "multiclass":
        target = np.where(noise < 0.7, native.argmax(axis=1), rng.integers(0, 4, n))
    else:
        target = native[:, 0] + noise
    given: dict[str, Any] = {
        "name": "credit",
        "version": 1,
        "digest": "1" * 64,
        "model": Path("model.skops"),
        "format": FORMAT,
        "tier": "checked",
        "family": "LogisticRegression",
        "features": tuple(Feature(f"x{i}", "number") for i in range(3)),
        "classes": classes,
        "decision": Decision(output),
        "program": program,
        "why_not": None,
        "refittable": False,
        "tables": {"holdout": Table({f"x{i}": x[:, i] for i in range(3)})},
        "encoded": {"holdout": x},
        "native": {"holdout": native},
        "target": {"holdout": target},
        "groups": groups or {},
        "report": {"subject": {}, "data": {}},
    }
    return LoadedSubject(**{**given, **changes})


def candidate(of: LoadedSubject, bits: int, name: str = "symmetric") -> Candidate:
    """The subject's weights, rounded to `bits` bits."""
    assert of.program is not None
    step = of.program.steps[0]
    assert isinstance(step, Dense)
    scale = float(np.abs(step.weight).max()) / (2 ** (bits - 1) - 1)
    codes = np.rint(step.weight / scale).astype(np.int32)
    tensors = {"layer0.weight": QuantizedTensor(codes, scale, QType(bits))}
    return made(of, f"{name}(bits={bits})", tensors, name, {"bits": bits}, bits)


def made(
    of: LoadedSubject,
    id: str,
    tensors: dict[str, QuantizedTensor],
    name: str = "foreign",
    settings: Mapping[str, Any] | None = None,
    bits: float | None = None,
) -> Candidate:
    """A candidate of given tensors."""
    assert of.program is not None
    row = {
        "id": id,
        "by": name,
        "settings": dict(settings or {}),
        "formulas": {"weight": "round(values / scale)"},
        "effective_bits": bits,
        "size_bytes": 24,
        "explained": False,
        "tensors": [],
    }
    return Candidate(id, name, settings or {}, Quantized(of.program, tensors), row)
