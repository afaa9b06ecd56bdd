"""Check E4 of formats: decisions that contradict the predictions are told, with the row and what was declared of ties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qaudit.core.records import Feature, Format, Loaded
from qaudit.core.tensor import Floats
from qaudit.testing.checks.formats import FormatTrial, same
from qaudit.testing.checks.side_effect_watch import SideEffectWatch

CLEAR = np.array([[0.75, 0.25]])
TIED = np.array([[0.5, 0.5]])


def problems(
    row: Floats, decided: int | list[int] | None, folder: Path, ties: str = "first", output: str = "binary"
) -> list[str]:
    """What E4 says of a model that gives every row the same predictions and the same decision."""

    def load(path: Path) -> Loaded:
        return Loaded(
            program=None,
            encode=None,
            predict=lambda frame: np.repeat(row, len(frame), axis=0),
            refit=None,
            features=(Feature("a", "number"),),
            classes=() if output == "regression" else ("no", "yes"),
            output=output,  # type: ignore[arg-type]
            family="constant",
            width=1,
            why_not="a test",
            decide=None if decided is None else lambda frame: np.resize(decided, np.shape(decided) or len(frame)),
            ties=ties,  # type: ignore[arg-type]
        )

    (folder / "m").write_bytes(b"m")
    return same(FormatTrial(Format("constant", "data", lambda path: True, load, ""), SideEffectWatch(), folder / "m"))


@pytest.mark.parametrize(
    ("row", "decided", "ties"),
    [(CLEAR, 0, "first"), (CLEAR, 0, "last"), (TIED, 0, "first"), (TIED, 1, "last"), (TIED, None, "first")],
)
def test_decisions_that_follow_the_predictions_pass(row: Floats, decided: int | None, ties: str, tmp_path: Path) -> None:
    assert problems(row, decided, tmp_path, ties) == []


@pytest.mark.parametrize(
    ("row", "decided", "ties", "says"),
    [
        (CLEAR, 1, "first", "row 1: decide gave class 1, its predictions say class 0"),
        (TIED, 1, "first", "row 1: decide gave class 1, its predictions say class 0, a tie of which the first is declared"),
        (TIED, 0, "last", "row 1: decide gave class 0, its predictions say class 1, a tie of which the last is declared"),
        (CLEAR, [0, 0], "first", "decide gave shape (2,), expected (32,)"),
        (CLEAR, 0, "both", "ties 'both', expected one of first, last"),
    ],
)
def test_decisions_that_do_not_are_told(row: Floats, decided: int | list[int], ties: str, says: str, tmp_path: Path) -> None:
    assert problems(row, decided, tmp_path, ties) == [says]


def test_a_regression_decides_nothing(tmp_path: Path) -> None:
    told = problems(np.ones((1, 1)), 0, tmp_path, output="regression")
    assert told == ["decide is given for a regression, which decides nothing"]
