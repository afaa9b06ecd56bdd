"""Limits and the rows of evidence that they mean: the whole, the parts, the groups, and the worst row."""

from __future__ import annotations

from qaudit.core.evidence import Bound, Evidence, Interval, Limit, RowsNeeded
from qaudit.core.inference.rows_needed import rows_for_share
from qaudit.core.outcome import exit_code
from qaudit.inputs.policy import Policy
from qaudit.pipeline.stages.assess import assess, next_steps

JUDGED = "symmetric(axis='tensor',bits=8)"


def limit(**changes: object) -> Limit:
    plain: dict[str, object] = {
        "id": "Q1",
        "measure": "flip_rate",
        "where": {},
        "use": "value",
        "at_most": 0.01,
        "at_least": None,
    }
    return Limit(**{**plain, "near": None, "reason": "r", **changes})  # type: ignore[arg-type]


def row(value: float | None, ends: tuple[float, float] | None = None, **about: str) -> Evidence:
    interval = None if ends is None else Interval(*ends, 0.95, "clopper-pearson")
    known = {"candidate": JUDGED, "against": "reference", **about}
    return Evidence("flip_rate", value, "share", interval, 100, known, "evaluate", "quantization.precision_loss")


def policy(*limits: Limit) -> Policy:
    return Policy("p", "1", "2026-11-01", "0" * 64, limits)


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
    assert exit_code([found]) == 2


def test_other_candidates_are_not_judged() -> None:
    other = Evidence("flip_rate", 0.9, "share", None, 9, {"candidate": "other()"}, "evaluate", "quantization.precision_loss")
    (found,) = assess(policy(limit()), [other], JUDGED)
    assert found.verdict == "not_assessed"


def test_no_policy_has_no_limits() -> None:
    assert assess(None, [row(0.5)], JUDGED) == ()


def test_one_column_of_groups_is_meant_by_a_star_behind_it() -> None:
    table = [row(0.9), row(0.0, group="afam=no"), row(0.02, group="afam=yes"), row(0.03, group="single=yes")]
    (found,) = assess(policy(limit(where={"group": "afam=*"})), table, JUDGED)
    assert (found.evidence, found.verdict, found.reason) == (2, "outside", "worst of 2 rows: group afam=yes")
    assert [(each.evidence, each.verdict, each.observed) for each in found.rows] == [(1, "within", 0.0), (2, "outside", 0.02)]
    (alone,) = assess(policy(limit(where={"group": "single=*"})), table, JUDGED)
    assert (alone.evidence, alone.rows, alone.reason) == (3, (), "")
    (literal,) = assess(policy(limit(where={"group": "single=yes"})), table, JUDGED)
    assert literal.evidence == 3
    (none,) = assess(policy(limit(where={"group": "age=*"})), table, JUDGED)
    assert (none.verdict, none.reason) == ("not_assessed", "nothing was measured for flip_rate where group age=*")


def test_an_assessment_holds_what_was_observed_apart_from_what_it_bounds() -> None:
    table = [row(0.0, (0.0, 0.004), group="afam=no"), row(0.005, (0.001, 0.02), group="afam=yes")]
    (found,) = assess(policy(limit(where={"group": "*"}, use=None)), table, JUDGED)
    assert (found.verdict, found.observed, found.n) == ("not_demonstrable", 0.005, 100)
    assert found.bound == Bound(0.02, "upper", 0.95, "clopper-pearson")
    assert found.rows_needed == RowsNeeded(rows_for_share(0.005, 0.01), rows_for_share(0.0, 0.01))
    assert found.rows[1].rows_needed == found.rows_needed
    assert [each.verdict for each in found.rows] == ["within", "not_demonstrable"]


def test_next_steps_take_the_authors_words_outside_first() -> None:
    table = [row(0.009), row(0.02, group="afam=yes"), row(0.02, (0.001, 0.03), group="single=yes")]
    limits = [
        limit(id="A", near=0.008),
        limit(id="B", where={"group": "single=yes"}, use=None),
        limit(id="C", where={"group": "afam=yes"}, todo="Ask the owner."),
        limit(id="D", where={"group": "age=old"}, todo="Take more bits."),
    ]
    steps = next_steps(assess(policy(*limits), table, JUDGED), table)
    assert [step["limit"] for step in steps] == ["C", "B", "D", "A"]
    assert steps[0] == {"text": "Ask the owner.", "limit": "C", "section": "precision"}
    assert steps[1]["text"].startswith(
        "Measure more rows, or record an exception with its reason: flip_rate (group single=yes): not"
    )
    assert steps[2]["text"] == (
        "Give what is missing, or take the limit out of the policy: flip_rate is not assessed: "
        "nothing was measured for flip_rate where group age=old."
    )
