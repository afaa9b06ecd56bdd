"""What `from qaudit import ...` gives: the plugin author's vocabulary and the two user calls."""

from __future__ import annotations

from typing import Any

from qaudit.core.__about__ import SPEC
from qaudit.core.__about__ import VERSION as __version__
from qaudit.core.explanation import Attributions, Importance, LocalModels, TreeModel
from qaudit.core.program import Dense, Program, Trees
from qaudit.core.records import (
    Claims,
    Context,
    Decline,
    Explainer,
    Feature,
    Format,
    Framework,
    Loaded,
    Quantizer,
    Setting,
    Subject,
)
from qaudit.core.tensor import Calibration, Grid, QType, QuantizedTensor, dither
from qaudit.errors import Refused
from qaudit.hookspecs import hookimpl

__all__ = [
    "SPEC",
    "Attributions",
    "Calibration",
    "Claims",
    "Context",
    "Decline",
    "Dense",
    "Explainer",
    "Feature",
    "Format",
    "Framework",
    "Grid",
    "Importance",
    "Loaded",
    "LocalModels",
    "Program",
    "QType",
    "QuantizedTensor",
    "Quantizer",
    "Refused",
    "Setting",
    "Subject",
    "TreeModel",
    "Trees",
    "__version__",
    "audit",
    "dither",
    "evaluate",
    "hookimpl",
    "register",
]


def evaluate(formula: str, **arrays: Any) -> Any:
    """Check, evaluate (numexpr) and record a formula over named arrays; the report prints it. Raises ValueError on anything but
    names, numbers, + - * / and abs, sqrt, minimum, maximum, round, where."""
    from qaudit.engine.formula import evaluate as run

    return run(formula, **arrays)


def register(name: str, estimator: Any, X: Any, y: Any, **options: Any) -> Any:
    """Register a fitted scikit-learn estimator with its holdout; returns "name@version". Options as `qaudit register`."""
    from qaudit.pipeline.python_calls import register as run

    return run(name, estimator, X, y, **options)


def audit(model: Any, X: Any = None, y: Any = None, **options: Any) -> Any:
    """Audit a registered name or a fitted estimator; returns a Report with .html and .pdf paths. Options as `qaudit run`."""
    from qaudit.pipeline.python_calls import audit as run

    return run(model, X, y, **options)
