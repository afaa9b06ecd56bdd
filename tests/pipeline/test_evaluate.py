"""Evaluation on a small subject, through the real engine."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from subjects import candidate, made, subject

from qaudit.core.decision import Decision
from qaudit.core.evidence import Evidence
from qaudit.core.tensor import QType, QuantizedTensor
from qaudit.engine.sweep import predict
from qaudit.errors import Refused
from qaudit.pipeline.stages import evaluate as stage
from qaudit.pipeline.stages.evaluate import evaluate
from qaudit.pipeline.types import Candidate, Candidates, LoadedSubject, Measured


def rows(found: Measured, measure: str, **about: str) -> list[Evidence]:
    return [r for r in found.evidence if r.measure == measure and dict(r.about) == about]


def one(found: Measured, measure: str, **about: str) -> Evidence:
    (row,) = rows(found, measure, **about)
    return row


def candidates(of: LoadedSubject, *bits: int) -> tuple[Candidate, ...]:
    return tuple(sorted((candidate(of, b) for b in bits), key=lambda c: c.id))


def about(of: Candidate) -> dict[str, str]:
    return {"candidate": of.id, "against": "reference"}


def test_binary_numbers_are_those_of_the_predictions() -> None:
    of = subject(decision=Decision("binary", 1, 0.3))
    two, eight = candidates(of, 2, 8)
    found = evaluate(of, Candidates((two, eight)), two, also=(eight.id,))
    truth, before = of.target["holdout"], of.native["holdout"]
    after = predict(two.quantized, of.encoded["holdout"])
    assert one(found, "accuracy", candidate="reference").value == pytest.approx(
        metrics.accuracy_score(truth, before[:, 1] >= 0.3), abs=1e-15
    )
    assert one(found, "roc_auc", candidate=two.id).value == pytest.approx(metrics.roc_auc_score(truth, after[:, 1]))
    assert one(found, "log_loss", candidate=two.id).value == pytest.approx(metrics.log_loss(truth, after))
    was, now = before[:, 1] >= 0.3, after[:, 1] >= 0.3
    assert one(found, "flips", **about(two)).value == (was != now).sum() > 0
    assert one(found, "flips_broken", **about(two)).value == ((was == truth) & (now != truth)).sum()
    assert one(found, "max_abs_error", **about(two)).value == np.abs(before - after).max()
    assert one(found, "score_change", **about(two)).value == np.quantile(np.abs(before - after)[:, 1], 0.99)
    assert one(found, "positive_rate_change", **about(two)).value == pytest.approx(now.mean() - was.mean())
    brier = [one(found, "brier", candidate=name).value for name in (two.id, "reference")]
    assert one(found, "brier_change", **about(two)).value == pytest.approx(brier[0] - brier[1])  # type: ignore[operator]
    assert set(found.predictions) == {"reference", two.id, eight.id}
    assert set(found.seconds) == {"reference", two.id, eight.id}
    assert {r.by for r in found.evidence} == {"evaluate"}


def test_the_histogram_is_of_the_judged_and_holds_every_row() -> None:
    of = subject()
    two, eight = candidates(of, 2, 8)
    found = evaluate(of, Candidates((two, eight)), eight)
    bins = [r for r in found.evidence if r.measure == "score_change_histogram"]
    assert {r.about["candidate"] for r in bins} == {eight.id}
    assert sum(r.value or 0 for r in bins) == 200
    assert bins[0].about["range"].count(" to ") == 1


def test_groups_are_measured_and_small_ones_marked() -> None:
    afam = np.where(np.arange(200) < 20, "yes", "no").astype(object)
    afam[199] = None
    of = subject(groups={"afam": afam, "age": np.arange(200.0)})
    two, eight = candidates(of, 2, 8)
    found = evaluate(of, Candidates((two, eight)), two)
    small = one(found, "flip_rate", **about(two), group="afam=yes")
    assert small.value is not None
    assert (small.n, small.reason) == (20, "small group: n < 30")
    large = one(found, "flip_rate", **about(two), group="afam=no")
    assert (large.n, large.reason) == (179, None)
    assert one(found, "flip_rate", **about(two), group="afam=missing").n == 1
    was, now = (predict(m, of.encoded["holdout"])[:20, 1] >= 0.5 for m in (of.program, two.quantized))  # type: ignore[arg-type]
    assert small.value == (was != now).mean()
    assert one(found, "accuracy", candidate="reference", group="afam=no").value is not None
    assert rows(found, "accuracy", candidate=eight.id, group="afam=no") == []
    assert len(rows(found, "flip_rate", **about(eight), group="afam=no")) == 1
    (skip,) = found.skipped
    assert (skip.by, skip.kind) == ("age", "declined")


def test_several_passes_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    of = subject(groups={"g": np.arange(200) % 3})
    some = candidates(of, 2, 3, 4, 8)
    whole = evaluate(of, Candidates(some), some[0])
    monkeypatch.setattr(stage, "BYTES_AT_ONCE", 1.0)
    lines: list[str] = []
    parts = evaluate(of, Candidates(some), some[0], progress=lines.append)
    assert whole.evidence == parts.evidence
    assert len(lines) == 4


def test_a_candidate_that_breaks_the_engine_is_lost_alone() -> None:
    of = subject()
    good = candidate(of, 4)
    wrong = QuantizedTensor(np.zeros((9, 9), np.int32), 1.0, QType(4))
    bad = made(of, "foreign()", {"layer0.weight": wrong})
    alone = evaluate(of, Candidates((good,)), good)
    both = evaluate(of, Candidates((bad, good)), good)
    assert both.evidence == alone.evidence
    (skip,) = both.skipped
    assert (skip.stage, skip.by, skip.kind) == ("evaluate", "foreign()", "failed")
    assert "shape" in skip.reason
    only = evaluate(of, Candidates((bad,)), bad)
    assert one(only, "accuracy", candidate="reference").value is not None
    assert set(only.predictions) == {"reference"}


def test_predictions_that_are_not_finite_are_a_row() -> None:
    of = subject("regression")
    good = candidate(of, 8)
    huge = made(of, "huge()", {"layer0.weight": QuantizedTensor(np.full((1, 3), 7, np.int32), 1e308, QType(4))})
    found = evaluate(of, Candidates((huge, good)), good)
    (skip,) = found.skipped
    assert skip.by == "huge()"
    assert one(found, "r2", candidate=good.id).value is not None


def test_a_reference_that_is_not_finite_is_refused() -> None:
    native = np.full((200, 2), 0.5)
    native[7, 0] = np.nan
    with pytest.raises(Refused, match=r"credit: the model's predictions are not finite in 1 of 200 rows \(first: row 7\)"):
        evaluate(subject(program=None, native={"holdout": native}), Candidates(()), None)


def test_a_black_box_has_its_own_measures_only() -> None:
    of = subject(program=None)
    found = evaluate(of, Candidates(()), None)
    assert one(found, "accuracy", candidate="reference").value is not None
    assert {r.about["candidate"] for r in found.evidence} == {"reference"}
    assert found.predictions["reference"] is of.native["holdout"]


def test_regression_has_no_flips() -> None:
    of = subject("regression", groups={"g": np.arange(200) % 2})
    (four,) = candidates(of, 4)
    found = evaluate(of, Candidates((four,)), four)
    after = predict(four.quantized, of.encoded["holdout"])[:, 0]
    assert one(found, "r2", candidate=four.id).value == pytest.approx(metrics.r2_score(of.target["holdout"], after))
    assert one(found, "mae", candidate=four.id, group="g=1").n == 100
    measured = {r.measure for r in found.evidence}
    assert not measured & {"flips", "flip_rate", "accuracy", "kl"}
    assert {"r2_change", "mae_change", "rmse_change", "sqnr_db", "score_change"} <= measured


def test_many_classes() -> None:
    of = subject("multiclass")
    (two,) = candidates(of, 2)
    found = evaluate(of, Candidates((two,)), two)
    assert one(found, "roc_auc", candidate="reference").reason == "measured for two classes only"
    before, after = of.native["holdout"].argmax(axis=1), predict(two.quantized, of.encoded["holdout"]).argmax(axis=1)
    truth = of.target["holdout"]
    other = (before != after) & (before != truth) & (after != truth)
    assert one(found, "flips_other", **about(two)).value == other.sum() > 0
    kl = [one(found, "kl", **about(two), **part).value for part in ({}, {"value_of": "p99"}, {"value_of": "max"})]
    assert 0 < kl[0] < kl[1] <= kl[2]  # type: ignore[operator]


def test_one_row_and_one_class_are_not_refused() -> None:
    of = subject(n=1)
    (two,) = candidates(of, 2)
    found = evaluate(of, Candidates((two,)), two)
    auc = one(found, "roc_auc", candidate=two.id)
    assert (auc.value, auc.reason) == (None, "one class only among these rows")
    assert one(found, "auc_change", **about(two)).value is None
    numbers = evaluate(subject("regression", n=1), Candidates(()), None)
    assert one(numbers, "r2", candidate="reference").reason == "fewer than 2 rows"


def test_margins_are_not_taken_for_probabilities() -> None:
    margins = np.linspace(-1, 1, 200)[:, None]
    of = subject(program=None, native={"holdout": margins}, decision=Decision("binary", 1, 0.0))
    found = evaluate(of, Candidates(()), None)
    assert one(found, "log_loss", candidate="reference").reason == "the model gives margins, not probabilities"
    expected = metrics.roc_auc_score(of.target["holdout"], margins[:, 0])
    assert one(found, "roc_auc", candidate="reference").value == pytest.approx(expected)


def test_groups_are_compared_and_the_largest_gap_is_named() -> None:
    rng = np.random.default_rng(1)
    of = subject(n=400, groups={"sex": rng.choice(["f", "m"], 400), "area": rng.choice(["n", "s"], 400, p=[0.95, 0.05])})
    (three,) = candidates(of, 3)
    found = evaluate(of, Candidates((three,)), three)
    for name in ("positive_rate", "tpr", "fpr", "accuracy"):
        gaps = [r for r in found.evidence if r.measure == f"{name}_gap" and r.about.get("group") == "sex"]
        assert {r.about["candidate"] for r in gaps} == {"reference", three.id}
        levels = {g: one(found, name, candidate=three.id, group=f"sex={g}").value or 0.0 for g in "fm"}
        gap = next(r for r in gaps if r.about["candidate"] == three.id)
        assert gap.value == pytest.approx(abs(levels["f"] - levels["m"]), abs=1e-12)
        high, low = ("f", "m") if levels["f"] > levels["m"] else ("m", "f")
        assert gap.about["value_of"] == f"sex={high} over sex={low}"
        (change,) = [r for r in found.evidence if r.measure == f"{name}_gap_change" and r.about["group"] == "sex"]
        assert change.interval is not None
    small = one(found, "accuracy_difference", candidate=three.id, group="area=s")
    assert small.reason is not None
    assert small.reason.startswith("small group")
    (unranked,) = [
        r for r in found.evidence if r.measure == "accuracy_gap" and dict(r.about) == {"candidate": three.id, "group": "area"}
    ]
    assert unranked.value is None
    cells = {r.about["intersection"] for r in found.evidence if "intersection" in r.about}
    assert cells == {"area=n, sex=f", "area=n, sex=m"}
    assert [row.by for row in found.skipped] == ["area with sex"]
