"""Packs an explanation as JSON and numeric arrays, to pass it between processes, and unpacks it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.explanations import EXPLANATION_KINDS, kind_of
from qaudit.core.explanation import Explanation
from qaudit.core.json_values import Json
from qaudit.sandbox.job import Arrays


def pack_explanation(explanation: object, prefix: str) -> tuple[Json, dict[str, NDArray[Any]]]:
    """The JSON (the kind and the text fields) and the arrays, named `prefix.field`. Raises ValueError for any other object."""
    if not isinstance(explanation, Explanation):
        expected = ", ".join(kind.record.__name__ for kind in EXPLANATION_KINDS.values())
        raise ValueError(f"an explainer returned {type(explanation).__name__}, expected one of {expected}")
    kind = kind_of(explanation)
    arrays: dict[str, NDArray[Any]] = {
        f"{prefix}.{field}": np.asarray(getattr(explanation, field), dtype=declared.dtype)
        for field, declared in kind.arrays.items()
    }
    texts: Json = {field: declared.pack(getattr(explanation, field)) for field, declared in kind.json.items()}
    return {"kind": kind.name, **texts}, arrays


def unpack_explanation(packed: Json, arrays: Arrays, prefix: str) -> Explanation:
    """The explanation that `pack_explanation` packed. Raises KeyError for an unknown kind or a missing field."""
    kind = EXPLANATION_KINDS[packed["kind"]]
    fields: dict[str, Any] = {field: arrays[f"{prefix}.{field}"] for field in kind.arrays}
    fields |= {field: declared.unpack(packed[field]) for field, declared in kind.json.items()}
    explanation: Explanation = kind.record(**fields)
    return explanation
