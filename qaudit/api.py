"""What `from qaudit import ...` gives: the plugin author's vocabulary and the two user calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from qaudit.core.__about__ import SPEC
from qaudit.core.__about__ import VERSION as __version__
from qaudit.core.catalogue.measures import Measure
from qaudit.core.explanation import Attributions, Importance, LocalModels, TreeModel
from qaudit.core.program import Program
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
from qaudit.core.steps import Dense, Trees
from qaudit.core.tensor import Calibration, Grid, QType, QuantizedTensor, dither
from qaudit.errors import Refused, unexpected
from qaudit.hookspecs import hookimpl
from qaudit.inputs.options import AuditOptions, RegisterOptions
from qaudit.inputs.python_types import Estimator, Rows, Values
from qaudit.inputs.signature import shows

if TYPE_CHECKING:
    from qaudit.core.explanation import Explanation
    from qaudit.core.steps import Step
    from qaudit.pipeline.python_report import Report

    def _named(part: Explanation | Step) -> Attributions | Importance | LocalModels | TreeModel | Dense | Trees:
        """Here mypy names a kind of explanation, or a step, that is missing above."""
        return part


T = TypeVar("T")

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
    "Measure",
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


@shows(RegisterOptions)
def register(name: str, estimator: Estimator, X: Rows, y: Values, **options: Unpack[RegisterOptions]) -> str:
    """Register a fitted scikit-learn estimator with its holdout X, y; returns "name@version". Raises Refused."""
    from qaudit.pipeline.python_calls import register as run

    return _in_one_line(lambda: run(name, estimator, X, y, **options))


@shows(AuditOptions)
def audit(
    model: str | Path | Estimator, X: Rows | None = None, y: Values | None = None, **options: Unpack[AuditOptions]
) -> Report:
    """Audit a registered name, an audit.toml, or a fitted estimator on its holdout X, y; returns a Report with .html and .pdf
    paths. Raises Refused."""
    from qaudit.pipeline.python_calls import audit as run

    return _in_one_line(lambda: run(model, X, y, **options))


def _in_one_line(call: Callable[[], T]) -> T:
    """The value of a call. Whatever stops it is raised again as one Refused without the frames inside qaudit."""
    try:
        return call()
    except Refused as error:
        refusal = error.with_traceback(None)
    except Exception as error:
        refusal = Refused(unexpected(error))
    raise refusal from None
