"""The proof of a program that looks up leaves first and adds products then."""

from __future__ import annotations

import numpy as np

from qaudit.core.decision import Decision
from qaudit.core.program import Program
from qaudit.core.steps import Dense, Trees
from qaudit.engine import sweep
from qaudit.pipeline.stages.load_proof import prove


def test_raw_scores_of_products_behind_trees_need_not_be_equal_to_the_last_bit() -> None:
    trees = Trees(
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        feature=np.array([0, -2, -2], np.int32),
        threshold=np.zeros(3),
        value=np.array([[0.0], [0.25], [-0.5]]),
        roots=np.array([0], np.int32),
        base=np.zeros(1),
        missing_left=np.zeros(3, bool),
    )
    layer = Dense(np.array([[3.0]]), np.array([0.1]))
    program = Program(("x",), (trees, layer), "margin", "binary", ("p", "q"))
    rows = np.array([[-1.0], [1.0]])
    native = sweep.predict(program, rows)
    raw = native * (1 + 2.0**-52)
    assert not np.array_equal(raw, native)
    assert prove(program, rows, native, Decision("binary", cutoff=0.0), {"raw": raw}).proved
