"""Findings: the sentence, the numbers under it, and the words that are never used."""

from __future__ import annotations

import dataclasses
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from subjects import candidate, subject

from qaudit.core.evidence import Evidence, Finding, Interval, Skipped
from qaudit.inputs.policy import Policy
from qaudit.pipeline.stages import find as stage
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.stages.find import find
from qaudit.pipeline.stages.find_text import interval, named
from qaudit.pipeline.types import Candidate, Candidates, Choice, LoadedSubject
from qaudit.rendering.table import shown
from qaudit.report.model import Row

LOWERED = {"proved": True, "statement": "Proved on 200 rows.", "why_not": None}
OWN = "Decisions are the model's own: the class with the largest probability, and of several the first."
BANNED = re.compile(
    r"\b(compliant|compliance|certif\w+|guarantee\w*|safe\w*|approved?|conform\w*|bias-free|unbiased|"
    r"because|caus\w+|due to|leads? to|drives?|driven|prove[sn]? that the model)\b",
    re.IGNORECASE,
)


def told(
    of: LoadedSubject, some: tuple[Candidate, ...], judged: Candidate | None, *more: Evidence, **extra: Any
) -> dict[str, Finding]:
    evidence = [*evaluate(of, Candidates(some), judged).evidence, *more]
    return {finding.code: finding for finding in find(of, Candidates(some), evidence, judged, **extra)}


def row(measure: str, value: float | None, about: dict[str, str], **changes: Any) -> Evidence:
    given: dict[str, Any] = {"unit": "share", "interval": None, "n": 100, "by": "x", "topic": "explain.drift"}
    return Evidence(measure=measure, value=value, about=about, **{**given, **changes})


def test_flips_are_told_with_their_split_and_rows() -> None:
    of = subject(report={"subject": {"lowering": LOWERED, "decision": OWN}, "data": {}})
    two, eight = candidate(of, 2), candidate(of, 8)
    evidence = evaluate(of, Candidates((two, eight)), two).evidence
    found = {f.code: f for f in find(of, Candidates((two, eight)), evidence, two)}
    flips = found["QA-002"]
    numbers = {evidence[i].measure: evidence[i].value for i in flips.evidence}
    assert set(numbers) == {"flips", "flip_rate", "flips_fixed", "flips_broken", "flips_other"}
    assert flips.statement.startswith(f"{numbers['flips']:.0f} of 200 decisions changed")
    assert f"{numbers['flips_broken']:.0f} to the wrong one" in flips.statement
    assert "between two wrong ones" not in flips.statement
    assert "QA-003" not in found
    assert found["QA-001"].statement == "Proved on 200 rows."
    assert found["QA-016"].statement == f"No cut-off was declared. {OWN}"
    assert found["QA-016"].severity == "note"
    assert {"QA-005", "QA-006"} <= set(found)


def test_no_flips_prove_only_a_bound() -> None:
    of = subject(n=299)
    fine = candidate(of, 16)
    found = told(of, (fine,), fine)["QA-003"]
    assert found.statement == (
        "0 of 299 decisions changed; at the 95% level this proves only that fewer than 1.23% of such rows change."
    )


def test_the_choice_is_told_where_one_was_made() -> None:
    of = subject()
    some = (candidate(of, 3), candidate(of, 12))
    choice = Choice(some[1], {"chosen": some[1].id, "rows": 1234, "why": "It alone changes no decision on these rows."})
    size = row("size_bytes", 24.0, {"candidate": some[1].id}, unit="bytes")
    found = told(of, some, some[1], size, choice=choice)["QA-008"]
    assert found.statement == (
        "No candidate was named. symmetric(bits=12) was chosen on 1,234 training rows on which no quantizer was calibrated; the "
        "holdout took no part. It alone changes no decision on these rows."
    )
    assert len(found.evidence) == 1
    assert "QA-008" not in told(of, some, some[1], size)
    none = told(of, some, None, choice=Choice(None, {"why": "No candidate was chosen: no training rows were given."}))
    assert "QA-008" not in none
    assert none["QA-019"].statement.endswith("No candidate was chosen: no training rows were given.")


def test_groups_worst_and_small() -> None:
    of = subject(groups={"g": np.where(np.arange(200) < 100, "a", "b"), "s": np.where(np.arange(200) < 5, "x", "y")})
    two = candidate(of, 2)
    evidence = evaluate(of, Candidates((two,)), two).evidence
    found = {f.code: f for f in find(of, Candidates((two,)), evidence, two)}
    rates = {r.about["group"]: r.value for r in evidence if r.measure == "flip_rate" and "group" in r.about}
    large = {group: rate for group, rate in rates.items() if group != "s=x"}
    assert max(large, key=lambda g: large[g] or 0) in found["QA-004"].statement
    assert found["QA-012"].statement == "One declared group has fewer than 30 rows, too few to say much: s=x (5)."


def test_regression_speaks_of_r2() -> None:
    of = subject("regression")
    two = candidate(of, 2)
    found = told(of, (two,), two)
    assert found["QA-007"].statement.startswith("R² went from ")
    assert not {"QA-002", "QA-003", "QA-016"} & set(found)


def test_reasons_drift_and_surrogate_stand_beside_floor_and_base() -> None:
    of = subject()
    two = candidate(of, 2)
    about = {"candidate": two.id, "explainer": "lime"}
    against = {**about, "against": "reference"}
    floor = Interval(0.0, 0.02, 1.0, "reruns")
    more = [
        row("reason_change_rate", 0.1, against, interval=Interval(0.05, 0.18, 0.95, "clopper-pearson")),
        row("reason_change_floor", 0.01, against, interval=floor),
        row("drift", 0.5, {**against, "value_of": "loss_change size"}, unit=""),
        row("drift_floor", 0.01, {**against, "value_of": "loss_change size"}, unit="", interval=floor),
        row("fidelity", 0.9, about, interval=Interval(0.8, 0.95, 0.95, "clopper-pearson")),
        row("base_rate_fidelity", 0.85, about),
    ]
    found = told(of, (two,), two, *more)
    assert found["QA-009"].severity == "attention"
    assert "explaining the reference again changes 1.00% (floor)" in found["QA-009"].statement
    assert "0.5000, above its floor" in found["QA-010"].statement
    assert found["QA-011"].statement.endswith("It tells hardly more than the base rate.")
    still = told(of, (two,), two, row("drift", 0.015, more[2].about, unit=""), more[3])["QA-010"]
    assert (still.severity, "not told from its floor" in still.statement) == ("note", True)
    alike = told(of, (two,), two, row("drift", 0.0, more[2].about, unit=""), more[3])["QA-010"]
    assert alike.statement.endswith("both variants are explained alike.")


def test_a_tree_that_misses_a_rare_decision_asks_for_attention() -> None:
    of = subject()
    two = candidate(of, 2)
    about = {"candidate": two.id, "explainer": "tree"}

    def part(measure: str, value: float | None, n: int, **where: str) -> Evidence:
        return row(measure, value, {**about, **where}, n=n, interval=Interval(0.5, 0.9, 0.95, "clopper-pearson"))

    whole = [
        row("fidelity", 0.926, about, n=780, interval=Interval(0.9, 0.94, 0.95, "clopper-pearson")),
        row("base_rate_fidelity", 0.84, about),
        part("class_fidelity", 0.98, 657, output="no"),
        part("leaf_fidelity", 0.97, 600, output="no", value_of="leaf 1"),
        part("leaf_fidelity", None, 0, output="no", value_of="leaf 2"),
    ]
    poor = [
        part("class_fidelity", 0.66, 123, output="yes"),
        part("leaf_fidelity", 0.79, 100, output="yes", value_of="leaf 3"),
        part("leaf_fidelity", 0.80, 80, output="yes", value_of="leaf 4"),
    ]
    finding = told(of, (two,), two, *whole, *poor)["QA-011"]
    assert finding.severity == "attention"
    assert 'Where the model decides "yes", the tree agrees on 66.00% of 123 rows' in finding.statement
    assert "On 1 of its 3 leaves, which 100 rows reach, it agrees on fewer than 80.00%." in finding.statement
    assert len(finding.evidence) == 4
    fine = told(of, (two,), two, *whole)["QA-011"]
    assert fine.severity == "note"
    assert 'Where the model decides "no", the tree agrees on 98.00% of 657 rows' in fine.statement
    assert "leaves" not in fine.statement
    # another explainer's parts are not mixed in
    others = [dataclasses.replace(each, about={**each.about, "explainer": "other"}) for each in poor]
    assert told(of, (two,), two, *whole, *others)["QA-011"] == fine


def test_what_was_skipped_seen_and_overlaps() -> None:
    of = subject()
    skipped = (
        Skipped("quantize", "acme", "raised KeyError"),
        Skipped("quantize", "noisy", "not reproducible: two runs differ"),
        Skipped("explain", "drop_column", "needs training rows", "declined"),
    )
    more = [
        row("unseen_categories", 3.0, {"feature": "phist"}, unit="rows"),
        row("overlap_rows", 2.0, {"value_of": "holdout and training"}, unit="rows"),
        row("overlap_rows", 0.0, {"value_of": "calibration and holdout"}, unit="rows"),
    ]
    found = told(of, (), None, *more, skipped=skipped)
    assert found["QA-014"].statement == "2 parts of this audit failed and left no number: acme (quantize), noisy (quantize)."
    assert found["QA-015"].statement == "1 part of this audit did not apply here: drop_column (explain)."
    assert found["QA-013"].statement.endswith("phist (3 rows).")
    assert "noisy" in found["QA-017"].statement
    assert found["QA-018"].statement == "2 rows stand in more than one role: holdout and training."
    assert found["QA-019"].statement.startswith("No candidate is judged")


def test_a_judged_candidate_that_failed_is_said() -> None:
    of = subject()
    two = candidate(of, 2)
    evidence = evaluate(of, Candidates(()), None).evidence
    found = {f.code: f for f in find(of, Candidates(()), evidence, two)}
    assert found["QA-019"].severity == "attention"


def test_limits_set_after_the_run_and_old_lists_are_said() -> None:
    of, limits = subject(), Policy("p", "1", "2026-11-25", "sha256:0", ())
    lists = [{"id": "old", "dated": "2026-05-01"}, {"id": "new", "dated": "2026-11-01"}]
    found = told(of, (), None, policy=limits, frameworks=lists, date="2026-11-24")
    assert found["QA-020"].statement.startswith("The policy was set on 2026-11-25, after this audit of 2026-11-24")
    assert found["QA-021"].statement.endswith("check them first: old (2026-05-01).")
    later = told(of, (), None, policy=limits, frameworks=lists[1:], date="2026-11-25")
    assert not {"QA-020", "QA-021"} & set(later)


def test_no_word_that_is_never_used() -> None:
    sources = [f for f in (files("qaudit") / "pipeline" / "stages").iterdir() if f.name.startswith(("find", "assess", "report"))]
    texts = [string for f in sources for string in re.findall(r'"([^"\n]*)"', f.read_text("utf-8"))]
    texts += [f.read_text("utf-8") for f in (files("qaudit") / "inputs" / "policies").iterdir() if f.name.endswith(".toml")]
    assert len(texts) > 100
    assert [text for text in texts if BANNED.search(text)] == []


def test_every_code_has_its_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "findings.md").read_text("utf-8")
    sources = "".join(
        f.read_text("utf-8") for f in (files("qaudit") / "pipeline" / "stages").iterdir() if f.name.startswith("find")
    )
    codes = sorted(set(re.findall(r"QA-\d{3}", sources)))
    assert len(codes) == 29
    assert sorted(re.findall(r"^## (QA-\d{3})", page, re.MULTILINE)) == codes


def test_names_are_cut_and_an_interval_may_be_missing() -> None:
    assert named("a\n\u202eb" + "c" * 100, 10) == "a bcccccc…"
    assert interval(row("flip_rate", 1.0, {})) == "no interval"
    small = Interval(0.0, 3e-5, 0.95, "clopper-pearson")
    assert interval(row("flip_rate", 1e-5, {}, interval=small)) == "95% interval 0.0000% to 0.0030%"


@pytest.mark.parametrize("value", [0.0123, 3e-5, 1e-7, 2.5e-14])
def test_a_finding_prints_a_number_as_the_pages_do(value: float) -> None:
    of = subject()
    two = candidate(of, 2)
    about = {"candidate": two.id, "explainer": "lime", "against": "reference"}
    found = told(of, (two,), two, row("reason_change_rate", value, about), row("reason_change_floor", 0.0, about))
    on_the_page = shown(Row(**dataclasses.asdict(row("reason_change_rate", value, about))))
    assert f"the top reason changed on {on_the_page} of" in found["QA-009"].statement


def test_findings_are_in_the_order_of_their_codes() -> None:
    of = subject(report={"subject": {"lowering": LOWERED, "decision": OWN}, "data": {}})
    two = candidate(of, 2)
    found = find(of, Candidates((two,)), evaluate(of, Candidates((two,)), two).evidence, two)
    codes = [finding.code for finding in found]
    assert codes == sorted(codes)
    assert len(stage.FINDERS) == 27
