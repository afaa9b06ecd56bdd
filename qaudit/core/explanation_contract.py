"""What the host checks before it uses an explanation: finite numbers, declared shapes, and the rules of its kind."""

from __future__ import annotations

import numpy as np

from qaudit.core.catalogue.explanations import kind_of
from qaudit.core.explanation import Explanation

LARGEST = 1e100
"""The largest allowed magnitude; sums of squares of larger values could overflow."""


def contract_problem(explanation: Explanation, *, rows: int, names: int, outputs: int) -> str | None:
    """One line about what is wrong with an explanation of `rows` rows and `names` columns; None where it keeps the contract.

    `outputs` is the width of a tree's values: the number of classes, or 1 for regression.
    """
    kind = kind_of(explanation)
    sizes = {"rows": rows, "names": names, "outputs": outputs}
    for field in kind.arrays:
        if not np.isfinite(values := getattr(explanation, field)).all():
            return f"{kind.name}.{field} holds a value that is not finite at {np.argwhere(~np.isfinite(values))[0].tolist()}"
        if values.size and (top := np.abs(values).max()) > LARGEST:
            return f"{kind.name}.{field} holds values up to {top:.3g}, expected at most {LARGEST:g}"
    for field, declared in kind.arrays.items():
        shape, wanted = getattr(explanation, field).shape, tuple(sizes.get(name, name) for name in declared.shape)
        if not _fits(shape, wanted):
            inside = ", ".join(map(str, wanted)) + ("," if len(wanted) == 1 else "")
            return f"{kind.name}.{field} has shape {shape}, expected ({inside})"
        sizes |= dict(zip(declared.shape, shape, strict=True))
    return kind.problem(explanation, sizes)


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    """Whether a shape is the wanted one; a name stands for any size of at least 1."""
    return len(shape) == len(wanted) and all(
        size >= 1 if isinstance(each, str) else size == each for size, each in zip(shape, wanted, strict=True)
    )
