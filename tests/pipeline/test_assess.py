"""Verdicts against limits: the table of the rules, and the worst row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qaudit.core.evidence import Assessment, Evidence, Interval, Limit
from qaudit.inputs.policy import Policy
from qaudit.pipeline.stages.assess import assess, exit_code, next_steps, verdict_of

JUDGED = "symmetric(axis='tensor',bits=8)"


def limit(**changes: object) -> Limit:
    plain: dict[str, object] = {"id": "Q1", "measure": "flip_rate", "where": {}, "use": None, "at_most": 0.01, "at_least": None}
    return Limit(**{**plain, "near": None, "reason": "r", **changes})  # type: ignore[arg-type]


def row(value: float | None, ends: tuple[float, float] | None = None, **about: str) -> Evidence:
    interval = None if ends is None else Interval(*ends, 0.95, "clopper-pearson")
    known = {"candidate": JUDGED, "against": "reference", **about}
    return Evidence("flip_rate", value, "share", interval, 100, known, "evaluate", "quantization.precision_loss")


def policy(*limits: Limit) -> Policy:
    return Policy("p", "1", "2026-11-01", "0" * 64, limits)


@pytest.mark.parametrize(
    ("changes", "value", "ends", "verdict"),
    [
        ({}, 0.005, (0.001, 0.01), "within"),
        ({}, 0.005, (0.001, 0.02), "undecided"),
        ({}, 0.02, (0.009, 0.03), "undecided"),
        ({}, 0.02, (0.011, 0.03), "outside"),
        ({}, 0.01, None, "within"),
        ({}, 0.0101, None, "outside"),
        ({"near": 0.008}, 0.005, (0.001, 0.009), "near"),
        ({"near": 0.008}, 0.005, (0.001, 0.008), "within"),
        ({"near": 0.008}, 0.009, None, "near"),
        ({"use": "value"}, 0.005, (0.001, 0.02), "within"),
        ({"use": "upper"}, 0.005, (0.001, 0.02), "outside"),
        ({"use": "lower"}, 0.02, (0.001, 0.03), "within"),
        ({"use": "upper"}, 0.005, None, "not_assessed"),
        ({}, None, None, "not_assessed"),
        ({"at_most": None, "at_least": 0.9}, 0.95, (0.91, 0.97), "within"),
        ({"at_most": None, "at_least": 0.9}, 0.95, (0.89, 0.97), "undecided"),
        ({"at_most": None, "at_least": 0.9}, 0.85, (0.8, 0.89), "outside"),
        ({"at_most": None, "at_least": 0.9, "near": 0.92}, 0.95, (0.91, 0.97), "near"),
        ({"at_most": None, "at_least": 0.9, "use": "lower"}, 0.95, (0.89, 0.97), "outside"),
        ({"at_most": None, "at_least": 0.9}, 0.9, None, "within"),
    ],
)
def test_the_verdict_table(
    changes: dict[str, object], value: float | None, ends: tuple[float, float] | None, verdict: str
) -> None:
    assert verdict_of(limit(**changes), row(value, ends))[0] == verdict


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(-1, 1), st.floats(0, 0.5))
def test_mirroring_everything_changes_no_verdict(value: float, half: float, bound: float, band: float) -> None:
    up = verdict_of(limit(at_most=bound, near=bound - band), row(value, (value - half, value + half)))
    down = verdict_of(limit(at_most=None, at_least=-bound, near=-(bound - band)), row(-value, (-(value + half), -(value - half))))
    assert up == down


def test_omitted_where_means_all_rows_and_not_the_groups() -> None:
    table = [row(0.5, group="afam=yes"), row(0.001)]
    (found,) = assess(policy(limit()), table, JUDGED)
    assert (found.evidence, found.verdict, found.section) == (1, "within", "precision")


def test_the_whole_decides_before_its_parts() -> None:
    table = [row(0.9, value_of="max"), row(0.001)]
    (found,) = assess(policy(limit()), table, JUDGED)
    assert (found.evidence, found.verdict, found.reason) == (1, "within", "")
    (found,) = assess(policy(limit()), [row(0.9, value_of="max"), row(0.001, value_of="p99")], JUDGED)
    assert (found.evidence, found.reason) == (0, "worst of 2 rows: value_of max")


def test_the_worst_of_several_rows_decides_and_is_named() -> None:
    table = [row(0.0, group="afam=no"), row(0.02, group="afam=yes"), row(0.03, group="single=yes"), row(0.9)]
    (found,) = assess(policy(limit(where={"group": "*"})), table, JUDGED)
    assert (found.evidence, found.verdict) == (2, "outside")
    assert found.reason == "worst of 3 rows: group single=yes"


def test_a_row_not_assessed_is_never_counted_as_within() -> None:
    table = [row(0.0, group="afam=no"), row(None, group="afam=yes")]
    (found,) = assess(policy(limit(where={"group": "*"})), table, JUDGED)
    assert (found.evidence, found.verdict) == (1, "not_assessed")


def test_nothing_measured_and_nothing_judged_are_not_assessed() -> None:
    (found,) = assess(policy(limit(where={"group": "afam=yes"})), [row(0.0)], JUDGED)
    assert (found.evidence, found.verdict) == (None, "not_assessed")
    assert found.reason == "nothing was measured for flip_rate where group afam=yes"
    (found,) = assess(policy(limit()), [row(0.0)], None)
    assert found.reason == "no candidate is judged"
    assert exit_code([found]) == 0


def test_other_candidates_are_not_judged() -> None:
    other = Evidence("flip_rate", 0.9, "share", None, 9, {"candidate": "other()"}, "evaluate", "quantization.precision_loss")
    (found,) = assess(policy(limit()), [other], JUDGED)
    assert found.verdict == "not_assessed"


def test_no_policy_has_no_limits() -> None:
    assert assess(None, [row(0.5)], JUDGED) == ()


def test_exit_codes() -> None:
    def of(verdict: str) -> Assessment:
        return Assessment(limit(), None, verdict, "precision")  # type: ignore[arg-type]

    assert exit_code([of("within"), of("near"), of("undecided"), of("not_assessed")]) == 0
    assert exit_code([of("within"), of("outside")]) == 1
    assert exit_code([of("outside")], failed=True) == 2


def test_next_steps_take_the_authors_words_outside_first() -> None:
    table = [row(0.009), row(0.02, group="afam=yes"), row(0.02, (0.001, 0.03), group="single=yes")]
    limits = [
        limit(id="A", near=0.008),
        limit(id="B", where={"group": "single=yes"}),
        limit(id="C", where={"group": "afam=yes"}, todo="Ask the owner."),
    ]
    steps = next_steps(assess(policy(*limits), table, JUDGED), table)
    assert [step["limit"] for step in steps] == ["C", "B", "A"]
    assert steps[0] == {"text": "Ask the owner.", "limit": "C", "section": "precision"}
    assert "these rows do not decide it" in steps[1]["text"]
    assert "group single=yes" in steps[1]["text"]
