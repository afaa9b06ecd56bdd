"""Limits that these rows cannot show to be met: known before the run, overall and by group, and said as findings."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from subjects import candidate, subject

from qaudit.core.evidence import Limit
from qaudit.core.inference.intervals import newcombe_paired, zero_bound
from qaudit.inputs.policy import Policy
from qaudit.pipeline.stages.assess import assess
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.stages.find import find
from qaudit.pipeline.stages.reach import out_of_reach
from qaudit.pipeline.types import Candidates, LoadedSubject


def limit(id: str, measure: str = "flip_rate", **changes: Any) -> Limit:
    plain: dict[str, Any] = {"where": {}, "use": None, "at_most": None, "at_least": None, "near": None, "reason": "r"}
    return Limit(id=id, measure=measure, **{**plain, **changes})


def policy(*limits: Limit) -> Policy:
    return Policy("p", "1", "2026-11-01", "sha256:" + "0" * 64, limits)


def grouped() -> LoadedSubject:
    of = subject(report={"subject": {}, "data": {}})
    n = len(of.target["holdout"])
    return dataclasses.replace(of, groups={"afam": np.array(["yes"] * 30 + ["no"] * (n - 30), dtype=object)})


def test_a_share_that_no_row_could_show() -> None:
    of = grouped()
    n = len(of.target["holdout"])
    end = zero_bound(n)
    assert out_of_reach(policy(limit("A", at_most=end * 1.001)), of) == ()
    (found,) = out_of_reach(policy(limit("A", at_most=end * 0.9, title="Flips")), of)
    assert found.startswith(
        f"Limit A (Flips) cannot be shown to be met with {n} rows, even if there were none at all: the 95% int"
    )
    assert found.endswith("would do.")
    (none,) = out_of_reach(policy(limit("A", at_most=0.0)), of)
    assert none.endswith("no number of rows would do.")


def test_groups_are_checked_each() -> None:
    of = grouped()
    every = limit("G", at_most=0.1, where={"group": "*"})
    (small,) = out_of_reach(policy(every), of)
    assert "with 30 rows of afam=yes, even if there were none at all: the 95% interval would reach 11.57%" in small
    assert "the limit is at most 10.00%; 36 would do." in small
    column = limit("G", at_most=0.01, where={"group": "afam=*"})
    assert [text.split(" of ")[1].split(",")[0] for text in out_of_reach(policy(column), of)] == ["afam=no", "afam=yes"]
    assert out_of_reach(policy(limit("G", at_most=0.1, where={"group": "afam=no"})), of) == ()


def test_a_change_and_a_level_of_accuracy() -> None:
    of = grouped()
    n = len(of.target["holdout"])
    right = int((of.decision(of.native["holdout"]) == of.target["holdout"]).sum())
    end = newcombe_paired(right, 0, 0, n - right).low
    assert out_of_reach(policy(limit("A", "accuracy_change", at_least=end - 1e-9)), of) == ()
    (found,) = out_of_reach(policy(limit("A", "accuracy_change", at_least=end + 1e-9)), of)
    assert "even if no decision changed" in found
    (level,) = out_of_reach(policy(limit("A", "accuracy", at_least=0.999)), of)
    assert "even if there were no exception" in level
    assert f"the 95% interval would reach {100 * (1 - zero_bound(n)):.2f}%" in level
    (rise,) = out_of_reach(policy(limit("A", "accuracy_change", at_most=1e-6)), of)
    assert "the limit is at most" in rise


def test_what_is_no_matter_of_these_rows_is_left_out() -> None:
    of = grouped()
    limits = policy(
        limit("A", at_most=0.0001, use="value"),
        limit("B", "reason_change_rate", at_most=0.0001),
        limit("C", at_most=0.0001, where={"repeat": "1"}),
        limit("D", at_least=0.5),
        limit("E", "size_bytes", at_most=1),
    )
    assert out_of_reach(limits, of) == ()
    assert out_of_reach(None, of) == ()


def test_the_findings_about_limits() -> None:
    of = grouped()
    judged = candidate(of, 8)
    evidence = evaluate(of, Candidates((judged,)), judged).evidence
    limits = policy(
        limit("A", at_most=0.9),
        limit("B", at_most=0.9, where={"group": "afam=yes"}, use="upper"),
        limit("C", "max_abs_error", at_most=9.0),
        limit("D", "local_r2", at_least=0.5),
    )
    assessments = assess(limits, evidence, judged.id)
    found = find(of, Candidates((judged,)), evidence, judged, policy=limits, assessments=assessments, out_of_reach=["s"] * 25)
    by_code: dict[str, list[str]] = {}
    for each in found:
        by_code.setdefault(each.code, []).append(each.statement)
    assert by_code["QA-030"] == ["s"] * 20 + ["5 further limits or groups cannot be shown to be met with these rows."]
    assert by_code["QA-031"] == [
        "4 limits in 3 comparisons with a row of evidence, 2 by an interval. If every limit was just met in truth, the chance "
        "that at least one of them was found outside would be at most 5.00%."
    ]
    assert by_code["QA-032"] == ["No limit is set on decisions changed of these groups, which were measured: afam=no."]
    assert by_code["QA-033"][0].startswith('Limits B have use = "upper" or "lower", of policies of version 0.1.')
    assert "QA-034" not in by_code, "nothing was measured for D"
    plain = find(of, Candidates((judged,)), evidence, judged, policy=policy(), assessments=())
    assert not {each.code for each in plain} & {"QA-030", "QA-031", "QA-033"}
