"""The choice of a candidate on training rows: the rows, the rule, and the same choice by a slow twin."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from subjects import candidate, made, subject

from qaudit.core.catalogue.measures import MEASURES
from qaudit.core.table import Table
from qaudit.core.tensor import QType, QuantizedTensor
from qaudit.engine.sweep import predict
from qaudit.inputs.policy import Policy, parse_policy
from qaudit.pipeline.stages.choose import SMALL_CHANGE, WITHOUT_TARGET, choose
from qaudit.pipeline.stages.load_choice import CHOICE_ROWS, FEWEST, choice_rows
from qaudit.pipeline.stages.load_roles import Role, calibration_of
from qaudit.pipeline.stages.quantize import sizes
from qaudit.pipeline.types import Candidate, Candidates, ChoiceRows, LoadedSubject


def with_training(output: str, n: int = 900, seed: int = 0, rows: int | None = None, **changes: Any) -> LoadedSubject:
    """A subject whose holdout is also its training rows; the choice rows are every second of them."""
    made_subject = subject(output, n, seed)
    parts = {name: {**getattr(made_subject, name)} for name in ("tables", "encoded", "native", "target")}
    for part in parts.values():
        part["training"] = part["holdout"]
    choice = ChoiceRows(np.arange(0, n, 2)[:rows], {}, "every second row")
    return dataclasses.replace(made_subject, **parts, choice=choice, **changes)


def sized(each: Candidate) -> Candidate:
    """The candidate with its true size in its row."""
    return dataclasses.replace(each, row={**each.row, "size_bytes": sizes(each.quantized)[1]})


def several(of: LoadedSubject, bits: Sequence[int] = (2, 3, 4, 5, 6, 8, 10, 12, 16)) -> Candidates:
    return Candidates(tuple(sized(candidate(of, each)) for each in bits))


def policy(*limits: Mapping[str, Any]) -> Policy:
    lines = ['name = "small"', 'version = "1"', "set = 2026-11-01"]
    for number, each in enumerate(limits, 1):
        lines += ["[[limit]]", f'id = "L{number}"', 'reason = "test"']
        for key, value in each.items():
            plain = (
                "{" + ", ".join(f'{k} = "{v}"' for k, v in value.items()) + "}" if isinstance(value, dict) else json.dumps(value)
            )
            lines.append(f"{key} = {plain}")
    return parse_policy("\n".join(lines).encode(), "policy.toml")


def decisions(of: LoadedSubject, each: Candidate | None) -> list[int]:
    """Row by row, from the choice rows alone."""
    assert of.program is not None
    decided = []
    for row in of.choice.rows:
        values = of.encoded["training"][row][None, :]
        answer = predict(of.program if each is None else each.quantized, values)[0]
        decided.append(int(np.argmax(answer)))
    return decided


def slow_twin(of: LoadedSubject, candidates: Candidates, most: float) -> str:
    """The id of the smallest candidate with at most this share of changed decisions, else of the one with the fewest."""
    before = decisions(of, None)
    counted = []
    for place, each in enumerate(candidates.all):
        flips = sum(a != b for a, b in zip(before, decisions(of, each), strict=True))
        counted.append((flips, each.row["size_bytes"], place, each.id))
    good = [(size, place, name) for flips, size, place, name in counted if flips <= most * len(before)]
    return min(good)[2] if good else min(counted)[3]


@pytest.mark.parametrize("output", ["binary", "multiclass"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_smallest_without_a_changed_decision_is_that_of_the_slow_twin(output: str, seed: int) -> None:
    of = with_training(output, seed=seed)
    candidates = several(of)
    found = choose(of, candidates, None, {})
    assert found is not None
    assert found.candidate is not None
    assert found.candidate.id == found.row["chosen"] == slow_twin(of, candidates, 0.0)
    assert found.row["rows"] == 450
    assert [each["candidate"] for each in found.row["compared"]] == [each.id for each in candidates.all]


@pytest.mark.parametrize("rows", [0, 4, 20])
def test_with_a_limit_on_the_changed_decisions(rows: int) -> None:
    of = with_training("binary", seed=4)
    candidates = several(of)
    found = choose(of, candidates, policy({"measure": "flips", "at_most": rows}), {})
    assert found is not None
    assert found.row["chosen"] == slow_twin(of, candidates, rows / 450)
    assert "L1" in found.row["rule"]


def test_a_looser_limit_never_takes_a_larger_candidate() -> None:
    of = with_training("binary", seed=4)
    candidates = several(of)
    taken = []
    for most in (0, 1, 5, 14, 45, 450):
        found = choose(of, candidates, policy({"measure": "flips", "at_most": most}), {})
        assert found is not None
        assert found.candidate is not None
        taken.append(found.candidate.row["size_bytes"])
    assert taken == sorted(taken, reverse=True)
    assert taken[0] > taken[-1]


def test_where_none_qualifies_the_one_with_the_fewest_changed_decisions_is_taken_and_said() -> None:
    of = with_training("binary", seed=5)
    candidates = several(of, (2, 3))
    found = choose(of, candidates, None, {})
    assert found is not None
    changed = {each["candidate"]: each["changed"] for each in found.row["compared"]}
    assert min(changed.values()) > 0
    assert found.row["chosen"] == min(changed, key=lambda name: changed[name])
    assert found.row["why"].startswith("None of 2 candidates changes no decision on these rows; this one has the fewest")
    assert not any(each["holds"] for each in found.row["compared"])


def test_a_regression_takes_the_smallest_whose_predictions_hardly_move() -> None:
    of = with_training("regression", seed=6)
    candidates = several(of)
    found = choose(of, candidates, None, {})
    assert found is not None
    assert of.program is not None
    rows = of.encoded["training"][of.choice.rows]
    before = predict(of.program, rows)[:, 0]
    moved = {each.id: float(np.quantile(np.abs(predict(each.quantized, rows)[:, 0] - before), 0.99)) for each in candidates.all}
    good = [each for each in candidates.all if moved[each.id] <= np.std(before) / SMALL_CHANGE]
    assert 0 < len(good) < len(candidates.all)
    assert found.row["chosen"] == min(good, key=lambda each: each.row["size_bytes"]).id
    assert all(each["changed"] is None for each in found.row["compared"])
    assert "a twentieth of the standard deviation" in found.row["rule"]


def test_equal_sizes_are_taken_in_the_order_of_ids() -> None:
    of = with_training("binary")
    assert of.program is not None
    candidates = several(of, (12, 16))
    same = [sized(made(of, f"{name}(bits=16)", dict(candidates.all[1].quantized.tensors), name)) for name in ("a", "b")]
    found = choose(of, Candidates(tuple(same)), None, {})
    assert found is not None
    assert found.row["chosen"] == "a(bits=16)"


def test_the_holdout_takes_no_part() -> None:
    """Other values in the holdout change nothing of the choice, not a byte."""
    of = with_training("binary", seed=7)
    draw = np.random.default_rng(1)
    parts = {}
    for name in ("encoded", "native", "target"):
        values = getattr(of, name)["holdout"]
        parts[name] = {**getattr(of, name), "holdout": draw.permutation(values)}
    other = dataclasses.replace(of, **parts)
    limits = policy({"measure": "flip_rate", "at_most": 0.01}, {"measure": "auc_change", "at_least": -0.01})
    for chosen_by in (None, limits):
        first, second = (choose(each, several(each), chosen_by, {}) for each in (of, other))
        assert first is not None
        assert second is not None
        assert first.row == second.row


def test_limits_that_cannot_be_assessed_on_these_rows_are_left_to_the_holdout() -> None:
    of = with_training("binary", seed=7)
    limits = policy(
        {"measure": "flip_rate", "at_most": 0.02},
        {"measure": "drift", "at_most": 0.1},
        {"measure": "flip_rate", "at_most": 0.1, "where": {"group": "region=north"}},
        {"measure": "auc_change", "at_least": -0.01},
    )
    found = choose(of, several(of), limits, {})
    assert found is not None
    assert found.candidate is not None
    assert found.row["rule"].endswith("L1, L4.")
    once, optimistic, left = found.row["notes"]
    assert "assessed once, on the holdout" in once
    assert optimistic.startswith("Limit L4 was compared by the true values of training rows")
    assert left == "Limits L2, L3 were not assessed on these rows and took no part in the choice."


def test_a_policy_without_a_limit_that_these_rows_can_show_falls_back_on_changed_decisions() -> None:
    of = with_training("binary", seed=7)
    candidates = several(of)
    found, plain = choose(of, candidates, policy({"measure": "drift", "at_most": 0.1}), {}), choose(of, candidates, None, {})
    assert found is not None
    assert plain is not None
    assert (found.row["chosen"], found.row["rule"]) == (plain.row["chosen"], plain.row["rule"])


def test_group_limits_use_the_groups_of_the_training_file() -> None:
    of = with_training("binary", seed=8)
    north = of.encoded["training"][of.choice.rows][:, 0] > 0.5
    groups = {"region": np.where(north, "north", "south").astype(object)}
    of = dataclasses.replace(of, choice=dataclasses.replace(of.choice, groups=groups))
    limits = policy({"measure": "flip_rate", "at_most": 0.06, "where": {"group": "region=north"}})
    found = choose(of, several(of), limits, {})
    assert found is not None
    assert found.candidate is not None
    before, n = np.array(decisions(of, None))[north], int(north.sum())
    bounds = []
    for each in several(of).all:
        flips = int(np.sum(np.array(decisions(of, each))[north] != before))
        bounds.append((binomtest(flips, n).proportion_ci(0.95).high, each.row["size_bytes"], each.id))
    good = [(size, name) for high, size, name in bounds if high <= 0.06]
    assert 0 < len(good) < len(bounds)
    assert found.candidate.id == min(good)[1]


def test_a_candidate_that_gives_no_finite_number_is_compared_and_not_taken() -> None:
    of = with_training("binary")
    broken = sized(candidate(of, 8))
    tensor = QuantizedTensor(np.full((1, 3), 127, dtype=np.int32), 1e308, QType(8))
    huge = sized(made(of, "huge()", {"layer0.weight": tensor}))
    found = choose(of, Candidates((huge, broken)), None, {})
    assert found is not None
    entry = next(each for each in found.row["compared"] if each["candidate"] == "huge()")
    if entry["changed"] is None:
        assert entry["against"] == "could not be evaluated"
    assert found.row["chosen"] == broken.id


def test_no_choice_without_rows_and_none_among_one() -> None:
    of = subject("binary")
    assert choose(of, several(of, (8,)), None, {}) is None
    found = choose(of, several(of), None, {})
    assert found is not None
    assert found.candidate is None
    assert found.row["why"].startswith("No candidate was chosen: no training rows were given")
    assert "--judge" in found.row["why"]
    assert choose(dataclasses.replace(of, program=None), several(of), None, {}) is None


def test_a_model_that_is_not_finite_on_training_rows_is_no_reason_to_stop() -> None:
    of = with_training("regression")
    encoded = of.encoded["training"].copy()
    encoded[of.choice.rows[3]] = 1e308
    with np.errstate(all="ignore"):
        found = choose(dataclasses.replace(of, encoded={**of.encoded, "training": encoded}), several(of), None, {})
    assert found is not None
    assert found.candidate is None
    assert "not finite" in found.row["why"]


def test_every_name_of_a_measure_that_needs_no_target_is_known() -> None:
    assert set(MEASURES) >= WITHOUT_TARGET


def role(n: int, seed: int = 0, decimals: int | None = None, **groups: Any) -> Role:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 2))
    if decimals is not None:
        x = np.round(x, decimals)
    return Role(Table({"a": x[:, 0], "b": x[:, 1]}), draw.integers(0, 2, n), groups, "train.csv", "0" * 64, "")


def contents(of: Role, rows: Any) -> list[tuple[float, ...]]:
    return sorted(zip(of.table.columns["a"][rows].tolist(), of.table.columns["b"][rows].tolist(), strict=True))


@pytest.mark.parametrize("n", [60, 500, 1500, 2600, 9000])
def test_choice_rows_are_no_calibration_rows(n: int) -> None:
    roles = {"training": role(n)}
    calibration_of(roles, None, 5, choosing=True)
    found = choice_rows(roles, 5)
    calibrated = contents(roles["calibration"], slice(None))
    chosen = contents(roles["training"], found.rows)
    assert not set(calibrated) & set(chosen)
    assert len(calibrated) == min(1000, n // 2)
    assert len(chosen) == min(CHOICE_ROWS, n - len(calibrated))
    assert found.how.startswith(f"{len(chosen):,} of {n:,} training rows, drawn by their content with seed 5")


def test_with_a_named_candidate_the_calibration_rows_stay_what_they_were() -> None:
    first, second = {"training": role(700)}, {"training": role(700)}
    calibration_of(first, None, 3)
    calibration_of(second, None, 3, choosing=True)
    assert first["calibration"].table.rows == 700
    assert second["calibration"].table.rows == 350
    assert not len(choice_rows(first, 3).rows)
    assert "fewer than 30" in choice_rows(first, 3).how


def test_given_calibration_rows_are_left_out_as_often_as_they_occur() -> None:
    training = role(600, decimals=0)
    kept = np.arange(0, 600, 3)
    roles = {"training": training, "calibration": dataclasses.replace(training.take(kept, ""), target=None)}
    found = choice_rows(roles, 0)
    assert len(found.rows) == 400
    everything = contents(training, slice(None))
    for row in contents(training, kept):
        everything.remove(row)
    assert contents(training, found.rows) == everything


def test_the_order_of_the_training_rows_and_nothing_else_is_irrelevant() -> None:
    given = role(900, region=np.array([f"r{number % 7}" for number in range(900)], dtype=object))
    apart = {"calibration": role(50, seed=9)}
    order = np.random.default_rng(2).permutation(900)
    first, second = choice_rows({"training": given} | apart, 1), choice_rows({"training": given.take(order, "")} | apart, 1)
    assert contents(given, first.rows) == contents(given, order[second.rows])
    assert sorted(first.groups["region"].tolist()) == sorted(second.groups["region"].tolist())
    big = role(CHOICE_ROWS + 4000)
    one, other = (set(choice_rows({"training": big}, seed).rows.tolist()) for seed in (0, 1))
    assert len(one) == len(other) == CHOICE_ROWS
    assert one != other


def test_fewer_rows_than_say_anything_are_none() -> None:
    assert not len(choice_rows({"training": role(FEWEST - 1)}, 0).rows)
    assert len(choice_rows({"training": role(FEWEST)}, 0).rows) == FEWEST
    assert choice_rows({}, 0).how == "no training rows were given"
