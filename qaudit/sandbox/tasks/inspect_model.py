"""Reads a model file: its features, classes, output, and its program where it can be lowered to one."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from qaudit.core.json_values import Json
from qaudit.core.records import Loaded
from qaudit.sandbox.job import Job
from qaudit.sandbox.pack_program import pack_program
from qaudit.sandbox.subject_model import open_model


def facts(model: Loaded) -> Json:
    """The properties of a loaded model that are not arrays, as JSON."""
    return {
        "features": [{"name": f.name, "kind": f.kind, "takes_missing": f.takes_missing} for f in model.features],
        "classes": list(model.classes),
        "output": model.output,
        "family": model.family,
        "width": model.width,
        "why_not": model.why_not,
        "refittable": model.refit is not None,
        "categories": {name: list(texts) for name, texts in model.categories.items()},
    }


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """request["model"] -> the model's properties, and its packed program (None for a black box) with its arrays."""
    model = open_model(job)
    if model.program is None:
        return facts(model) | {"program": None}, {}
    packed, arrays = pack_program(model.program)
    return facts(model) | {"program": packed}, arrays
