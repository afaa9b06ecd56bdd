"""Whole audits in which no candidate is named: chosen on training rows, assessed and explained, with and without a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

import qaudit
from qaudit.pipeline.stages.choose import SMALL_CHANGE

BITS = [2, 3, 4, 6, 8, 12]
OPTIONS: dict[str, Any] = {
    "explainers": ["permutation"],
    "formats": ["html"],
    "date": "2026-11-24",
    "quantizers": {"symmetric": {"bits": BITS, "axis": "tensor"}},
}
POLICY = """
name = "small"
version = "1"
set = 2026-11-01
[[limit]]
id = "L1"
measure = "{measure}"
at_most = {at_most}
reason = "test"
[[limit]]
id = "L2"
measure = "drift"
where = {{ explainer = "permutation", value_of = "prediction_change value" }}
at_most = 10.0
reason = "test"
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "registry"))
    monkeypatch.chdir(tmp_path)


def rows(task: str, n: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    draw = np.random.default_rng(seed)
    X = pd.DataFrame(draw.normal(size=(n, 3)), columns=["a", "b", "c"])
    score = X["a"] - 0.7 * X["b"] + 0.3 * X["c"] + draw.normal(scale=0.4, size=n)
    answer = {"binary": score > 0, "multiclass": np.digitize(score, [-0.7, 0.7]), "regression": score}[task]
    return X, pd.Series(np.asarray(answer), name="answer").astype(float if task == "regression" else int)


def audited(task: str, folder: Path, *, training: bool = True, **options: Any) -> Any:
    X, y = rows(task, 800, 0)
    model = (LinearRegression() if task == "regression" else LogisticRegression()).fit(X, y)
    given: dict[str, Any] = {**OPTIONS, **options}
    if training:
        given |= {"X_train": X, "y_train": y}
    return qaudit.audit(model, *rows(task, 200, 1), output=folder, **given), model, X


def codes(values: np.ndarray, bits: int) -> np.ndarray:
    """Symmetric rounding by hand."""
    scale = np.abs(values).max() / (2 ** (bits - 1) - 1)
    return np.asarray(np.rint(values / scale) * scale)


def slow_choice(task: str, model: Any, X: pd.DataFrame, answer: pd.Series, calibrated: int) -> int:
    """Bits of the candidate by hand: training rows that are no calibration rows, numpy instead of the engine."""
    from qaudit.pipeline.stages.load_roles import seeded

    drawn = set(seeded(0, "calibration").permutation(len(X))[:calibrated].tolist())
    free = X.iloc[[row for row in range(len(X)) if row not in drawn]].to_numpy()
    coef, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    before = free @ coef.T + intercept
    counted = []
    for bits in BITS:
        after = free @ codes(coef, bits).T + intercept
        if task == "regression":
            moved = np.quantile(np.abs(after - before), 0.99)
            counted.append((0 if moved <= np.std(before) / SMALL_CHANGE else 1, bits))
        elif before.shape[1] == 1:
            counted.append((int(np.sum((before > 0) != (after > 0))), bits))
        else:
            counted.append((int(np.sum(before.argmax(axis=1) != after.argmax(axis=1))), bits))
    return min(counted)[1]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_first_run_chooses_assesses_and_explains(task: str, tmp_path: Path) -> None:
    report, model, X = audited(task, tmp_path / "out")
    content = report.content
    choice, judged = content["choice"], content["judged"]
    assert (
        judged == choice["chosen"] == f"symmetric(axis='tensor',bits={slow_choice(task, model, X, rows(task, 800, 0)[1], 400)})"
    )
    assert choice["rows"] == 400
    assert content["data"]["roles"]["calibration"]["rows"] == 400
    assert {each["candidate"] for each in choice["compared"]} == {each["id"] for each in content["candidates"]}
    assert [each["explained"] for each in content["candidates"] if each["id"] == judged] == [True]
    frame = report.evidence
    assert len(frame[(frame.measure == "drift") & (frame.candidate == judged)])
    (finding,) = [each for each in content["findings"] if each["code"] == "QA-008"]
    assert judged in finding["statement"]
    page = report.html.read_text(encoding="utf-8")
    assert "How the candidate was chosen" in page
    assert "chosen on 400 training rows before the holdout was looked at" in page
    assert "it describes, and chooses nothing" in page
    assert "Where most changed" in page
    assert content["worst_slice"]["searched_on"].startswith("one half of")
    name = "worst_slice_mean_change" if task == "regression" else "worst_slice_flip_rate"
    rows_of = frame[frame.measure.isin([name, f"{name}_difference"])]
    assert len(rows_of) == 2
    assert (content["worst_slice"]["slice"] is None) == rows_of.value.isna().all()
    assert report.exit_code == 0


@pytest.mark.parametrize(("task", "measure", "at_most"), [("binary", "flips", 3), ("regression", "mean_abs_error", 0.05)])
def test_with_a_policy_the_limits_choose(task: str, measure: str, at_most: float, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY.format(measure=measure, at_most=at_most))
    report, _, _ = audited(task, tmp_path / "out", policy="policy.toml")
    choice = report.content["choice"]
    assert choice["rule"].endswith("within or near: L1.")
    assert report.content["judged"] == choice["chosen"] == next(each["candidate"] for each in choice["compared"] if each["holds"])
    assert any("Limit L2 was not assessed on these rows" in note for note in choice["notes"])
    assert report.verdicts["L1"] != "not_assessed"
    plain, _, _ = audited(task, tmp_path / "plain")
    sizes = {each["id"]: each["size_bytes"] for each in report.content["candidates"]}
    assert sizes[choice["chosen"]] <= sizes[plain.content["judged"]]


def test_without_training_rows_the_author_names_the_candidate(tmp_path: Path) -> None:
    report, _, _ = audited("binary", tmp_path / "out", training=False)
    assert report.content["judged"] is None
    assert report.content["choice"]["chosen"] is None
    assert report.content["choice"]["rows"] == 0
    (finding,) = [each for each in report.content["findings"] if each["code"] == "QA-019"]
    assert "no training rows were given" in finding["statement"]
    assert "--judge" in finding["statement"]
    assert not [each for each in report.content["findings"] if each["code"] == "QA-008"]
    assert "No candidate was chosen" in report.html.read_text(encoding="utf-8")


def test_a_named_candidate_is_not_chosen_and_calibrated_as_before(tmp_path: Path) -> None:
    report, _, _ = audited("binary", tmp_path / "out", judge="symmetric(axis='tensor',bits=8)")
    assert report.content["choice"] is None
    assert report.content["judged"] == "symmetric(axis='tensor',bits=8)"
    assert report.content["data"]["roles"]["calibration"]["how"] == "sampled: 800 of 800 training rows, seed 0"
    assert not [each for each in report.content["findings"] if each["code"] == "QA-008"]
    assert "How the candidate was chosen" not in report.html.read_text(encoding="utf-8")


def test_the_choice_is_the_same_in_another_order_of_rows(tmp_path: Path) -> None:
    X, y = rows("binary", 3000, 0)
    model = LogisticRegression().fit(X, y)
    order = np.random.default_rng(5).permutation(3000)
    calibration = rows("binary", 100, 2)[0]
    entries = []
    for number, rows_in in enumerate((np.arange(3000), order)):
        report = qaudit.audit(
            model, *rows("binary", 200, 1), output=tmp_path / str(number), **{**OPTIONS, "explainers": []},
            X_train=X.iloc[rows_in], y_train=y.iloc[rows_in], calibration=calibration,
        )  # fmt: skip
        entries.append(report.content["choice"])
    assert entries[0] == entries[1]
    assert entries[0]["rows"] == 3000


def test_hostile_names_and_missing_values_in_the_worst_slice(tmp_path: Path) -> None:
    X, y = rows("regression", 900, 0)
    X["<script>alert(1)</script>"] = np.where(np.arange(900) % 3 == 0, np.nan, 1.0)
    held, answers = X[500:], y[500:]
    model = make_pipeline(SimpleImputer(strategy="constant", fill_value=40.0), LinearRegression()).fit(X[:500], y[:500])
    report = qaudit.audit(
        model, held, answers, output=tmp_path / "out",
        **{**OPTIONS, "explainers": [], "quantizers": {"symmetric": {"bits": [3], "axis": "tensor"}}},
    )  # fmt: skip
    entry = report.content["worst_slice"]
    assert entry["slice"] is not None
    assert entry["measured_on"] == "the other half of the holdout"
    page = report.html.read_text(encoding="utf-8")
    assert "Where most changed" in page
    assert "<script>alert" not in page
