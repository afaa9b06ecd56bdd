"""The worst slice of an audit: searched on other rows than it is measured on, said where; what cannot be assessed says why."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from subjects import candidate, subject

from qaudit.core.evidence import Finding
from qaudit.core.inference.intervals import clopper_pearson
from qaudit.core.steps import Dense
from qaudit.core.table import Table
from qaudit.core.tensor import QType, QuantizedTensor
from qaudit.engine.sweep import predict
from qaudit.pipeline.stages.find import find
from qaudit.pipeline.stages.worst_slice import MOST_SEARCHED, worst_slice
from qaudit.pipeline.types import Candidate, Candidates, ChoiceRows, LoadedSubject, WorstSlice


def planted(output: str, n: int = 3000, *, training: bool = True, strong: bool = True) -> tuple[LoadedSubject, Candidate]:
    """Rows on which x2 is 0 except where a column says "car": there a candidate that lost the weight of x2 decides otherwise."""
    base = subject(output, n, 1)
    draw = np.random.default_rng(7)
    parts: dict[str, dict[str, Any]] = {name: {} for name in ("tables", "encoded", "native", "target")}
    assert base.program is not None
    kinds: dict[str, Any] = {}
    for role in ("holdout", "training") if training else ("holdout",):
        x = draw.normal(size=(n, 3))
        kind = draw.choice(np.array(["car", "house", "boat"], dtype=object), n)
        kinds[role] = kind
        if strong:
            x[:, 2] = np.where(kind == "car", 6.0 * x[:, 2], 0.0)
        parts["encoded"][role] = x
        parts["tables"][role] = Table({**{f"x{i}": x[:, i] for i in range(3)}, "kind": kind})
        parts["native"][role] = predict(base.program, x)
        parts["target"][role] = base.target["holdout"]
    choice = ChoiceRows(np.arange(0, n), {}, "all") if training else ChoiceRows()
    of = dataclasses.replace(base, **parts, choice=choice)
    step = base.program.steps[0]
    assert isinstance(step, Dense)
    kept = step.weight.copy()
    kept[:, 2] = 0.0
    scale = float(np.abs(kept).max()) / 2**20
    tensor = QuantizedTensor(np.rint(kept / scale).astype(np.int32), scale, QType(24))
    shaped = candidate(base, 8)
    return of, dataclasses.replace(shaped, quantized=dataclasses.replace(shaped.quantized, tensors={"layer0.weight": tensor}))


def ran(of: LoadedSubject, each: Candidate, seed: int = 0) -> WorstSlice:
    assert of.program is not None
    rows = of.encoded["holdout"]
    found = worst_slice(of, each, {"reference": predict(of.program, rows), each.id: predict(each.quantized, rows)}, seed)
    assert found is not None
    return found


def told(of: LoadedSubject, each: Candidate, found: WorstSlice) -> list[Finding]:
    return [f for f in find(of, Candidates((each,)), list(found.evidence), each, slice=found) if f.code == "QA-026"]


@pytest.mark.parametrize("output", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("training", [True, False])
def test_a_planted_slice_is_seen_and_measured_on_rows_that_were_not_searched(output: str, training: bool) -> None:
    of, each = planted(output, training=training)
    found = ran(of, each)
    assert found.slice is not None
    assert "kind = car" in found.row["slice"]
    assert found.row["measured_on"] == ("the holdout" if training else "the other half of the holdout")
    assert found.row["searched_on"].startswith("one half of the training rows" if training else "one half of the holdout")
    assert found.row["rows"] + found.row["others"] == 3000 if training else found.row["rows"] + found.row["others"] < 1700
    assert found.row["compared"] > 20
    level, difference = found.evidence
    assert level.n == found.row["rows"]
    assert difference.interval is not None
    assert difference.interval.low > 0
    (finding,) = told(of, each, found)
    assert finding.severity == "attention"
    assert "kind = car" in finding.statement
    if output != "regression" and training:
        assert of.program is not None
        rows = of.encoded["holdout"]
        changed = of.decision(predict(of.program, rows)) != of.decision(predict(each.quantized, rows))
        inside = found.slice.rows(dict(of.tables["holdout"].columns))
        assert level.value == changed[inside].mean()
        assert level.interval == clopper_pearson(int(changed[inside].sum()), int(inside.sum()))
        assert difference.value == pytest.approx(changed[inside].mean() - changed[~inside].mean())


def test_where_nothing_changed_on_the_choice_rows_the_holdout_is_halved() -> None:
    of, each = planted("binary")
    quiet = dataclasses.replace(of, encoded={**of.encoded, "training": np.full((3000, 3), 5.0)})
    assert ran(quiet, each).row["searched_on"] == "one half of the holdout"
    assert ran(of, each).row["searched_on"].startswith("one half of the training")


def test_nothing_changed_is_not_assessed_with_the_reason() -> None:
    of, _ = planted("binary", training=False)
    same = candidate(of, 31)
    found = ran(of, same)
    assert found.slice is None
    assert "nothing changed on the" in found.row["reason"]
    assert [row.value for row in found.evidence] == [None, None]
    assert {row.reason for row in found.evidence} == {found.row["reason"]}
    assert told(of, same, found) == []


def test_too_few_rows_say_so() -> None:
    of, each = planted("binary", 40, training=False)
    assert "too few to be searched" in ran(of, each).row["reason"]


def test_declared_groups_are_columns_of_the_search_and_missing_values_a_condition() -> None:
    of, each = planted("binary", training=False)
    kind = of.tables["holdout"].columns["kind"]
    numbers = Table({name: of.tables["holdout"].columns[name] for name in ("x0", "x1", "x2")})
    lost = np.array([None if value == "car" else value for value in kind], dtype=object)
    found = ran(dataclasses.replace(of, tables={"holdout": numbers}, groups={"<b>\x00kind": lost}), each)
    assert found.slice is not None
    assert "<b>\x00kind missing" in found.row["slice"]
    assert "\x00" not in told(of, each, found)[0].statement


def test_the_order_of_rows_changes_nothing() -> None:
    of, each = planted("multiclass", training=False)
    order = np.random.default_rng(3).permutation(3000)
    moved = dataclasses.replace(
        of,
        tables={"holdout": of.tables["holdout"].take(order)},
        encoded={"holdout": of.encoded["holdout"][order]},
        target={"holdout": of.target["holdout"][order]},
    )
    assert ran(of, each).row == ran(moved, each).row
    assert ran(of, each).row != ran(of, each, seed=1).row


def test_the_search_is_bounded() -> None:
    of, each = planted("binary", 2 * MOST_SEARCHED + 3000, training=False)
    found = ran(of, each)
    assert found.row["searched"] == MOST_SEARCHED
    assert found.row["rows"] + found.row["others"] > MOST_SEARCHED


def test_none_is_searched_without_a_candidate() -> None:
    of, each = planted("binary", 100)
    assert worst_slice(of, None, {}, 0) is None
    assert worst_slice(of, each, {}, 0) is None
