"""Whole audits of small models: files, exit codes, failures as rows, nothing written on refusal, same bytes twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from marks import first_fast
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import qaudit
from qaudit.errors import Refused
from qaudit.inputs.audit_toml import Settings, validated
from qaudit.pipeline.stages.seal import verify
from qaudit.sandbox.job import Limits

QUICK: dict[str, Any] = {"explainers": ["permutation"], "formats": ["html"], "date": "2026-11-24"}
SYMMETRIC = {"symmetric": {"bits": [3, 8], "axis": "tensor"}}

BAD_PLUGIN = """
import os
from qaudit import Quantizer, hookimpl

def quantize(values, calibration):
    {body}

@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("bad", "does not keep the contract", quantize)
"""
POLICY = """
name = "small"
version = "1"
set = 2026-11-01
[[limit]]
id = "L1"
measure = "flip_rate"
at_most = {at_most}
use = "value"
reason = "test"
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "registry"))
    monkeypatch.chdir(tmp_path)


def rows(n: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    draw = np.random.default_rng(seed)
    X = pd.DataFrame(draw.normal(size=(n, 4)), columns=["a", "b", "c", "d"])
    score = X["a"] - 0.7 * X["b"] + 0.3 * X["c"] + draw.normal(scale=0.4, size=n)
    return X, pd.Series(np.where(score > 0, "yes", "no"), name="answer")


@pytest.fixture(scope="module")
def fitted() -> tuple[LogisticRegression, pd.DataFrame, pd.Series]:
    X, y = rows(300, 0)
    return LogisticRegression().fit(X, y), *rows(120, 1)


@pytest.fixture(scope="module")
def plain(fitted: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The audit with nothing added, made once: several tests look at it, and none changes it."""
    folder = tmp_path_factory.mktemp("plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QAUDIT_HOME", str(folder / "registry"))
        return small(fitted, folder)


def small(fitted: Any, tmp_path: Path, name: str = "out", **options: Any) -> Any:
    given = {**QUICK, "quantizers": SYMMETRIC, "positive": "yes", **options}
    return qaudit.audit(*fitted, output=tmp_path / name, **given)


def test_files_and_report(plain: Any) -> None:
    report, out = plain, plain.html.parent
    assert report.exit_code == 0
    assert sorted(os.listdir(out)) == ["log.txt", "report.html", "report.json", "seal.json", "timings.json"]
    assert verify(out)[0] == "verified"
    assert report.pdf is None
    assert (out.name, report.html.name) == ("out", "report.html")
    ids = [each["id"] for each in report.content["candidates"]]
    assert ids == ["symmetric(axis='tensor',bits=3)", "symmetric(axis='tensor',bits=8)"]
    frame = report.evidence
    kept = frame[(frame.measure == "flips") & (frame.candidate == ids[1]) & frame.group.isna()]
    assert len(kept) == 1
    assert 0 <= kept.value.iloc[0] <= 120
    times, log = json.loads((out / "timings.json").read_text()), (out / "log.txt").read_text()
    assert times["network_of_units"] in ("isolated", "not isolated")
    assert times["processes_of_units"] in ("limited", "counted")
    assert f"units: network {times['network_of_units']}, processes {times['processes_of_units']}" in log


@pytest.mark.usefixtures("plain")
def test_the_call_still_works_after_its_first_use() -> None:
    """A submodule of the same name would take the function's place in the package."""
    assert callable(qaudit.audit)
    assert callable(qaudit.register)


@pytest.mark.parametrize(("at_most", "verdict", "code"), [(0.9, "within", 0), (-1.0, "outside", 1)])
def test_exit_code_speaks_of_the_judged_candidate(fitted: Any, tmp_path: Path, at_most: float, verdict: str, code: int) -> None:
    (tmp_path / "policy.toml").write_text(POLICY.format(at_most=at_most))
    report = small(fitted, tmp_path, policy="policy.toml", judge="symmetric(axis='tensor',bits=3)")
    assert report.verdicts == {"L1": verdict}
    assert report.exit_code == code


def test_none_judged_is_not_assessed(fitted: Any, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY.format(at_most=-1.0))
    report = small(fitted, tmp_path, policy="policy.toml")
    assert report.content["judged"] is None
    assert report.verdicts == {"L1": "not_assessed"}
    assert report.exit_code == 2, "a limit that was asked for never passes unmeasured"


@pytest.mark.parametrize(
    ("body", "reason"),
    first_fast(
        [
            ("raise ValueError('broken')", "ValueError: broken"),
            ("os._exit(0)", "ended without an answer while quantizing"),
            ("os.kill(os.getpid(), 11)", "crashed (SIGSEGV) while quantizing"),
            ("return values", "broken contract"),
        ]
    ),
)
def test_bad_plugin_is_a_row_and_changes_no_other_number(fitted: Any, plain: Any, tmp_path: Path, body: str, reason: str) -> None:
    plugin = tmp_path / "bad.py"
    plugin.write_text(BAD_PLUGIN.format(body=body))
    report = small(fitted, tmp_path, quantizers={**SYMMETRIC, "bad": {}}, plugins=[plugin])
    assert report.exit_code == 2
    (row,) = [each for each in report.content["skipped"] if each["by"] == "bad"]
    assert row["kind"] == "failed"
    assert reason in row["reason"]
    assert verify(tmp_path / "out")[0] == "verified"

    def numbers(found: Any) -> list[str]:
        skip = ("environment_packages", "inputs_hashed")
        return [json.dumps(each) for each in found.content["evidence"] if each["measure"] not in skip]

    assert numbers(report) == numbers(plain)
    assert report.content["candidates"] == plain.content["candidates"]


def test_what_a_plugin_says_of_its_own_failures_stands_in_the_roster(fitted: Any, tmp_path: Path) -> None:
    plugin = tmp_path / "bad.py"
    plugin.write_text(
        BAD_PLUGIN.format(body="raise ValueError('no')") + '\nqaudit_expected_failures = {"B5": "coarse by design"}\n'
    )
    report = small(fitted, tmp_path, quantizers={"bad": {}}, plugins=[plugin])
    (row,) = [each for each in report.content["plugins"] if each["name"] == "bad"]
    assert row["expected_failures"] == {"B5": "coarse by design"}
    assert row["status"] == "failed"
    assert "check B5 is expected to fail: coarse by design" in report.html.read_text(encoding="utf-8")
    assert all("expected_failures" not in each for each in report.content["plugins"] if each["name"] != "bad")


@pytest.mark.slow
def test_same_bytes_elsewhere(fitted: Any, tmp_path: Path) -> None:
    """Other time zone, language, hash seed, folder, number of workers and order of plugins; report, page and seal stay."""
    X, y = fitted[1], fitted[2]
    name = qaudit.register("small", *fitted, positive="yes", X_train=rows(300, 0)[0], y_train=rows(300, 0)[1])
    assert name == "small@1"
    assert qaudit.register("small", *fitted, positive="yes", X_train=rows(300, 0)[0], y_train=rows(300, 0)[1]) == "small@1"
    assert len(X) == len(y)
    made = []
    for number, (zone, lang, seed) in enumerate([("UTC", "C", "0"), ("Asia/Tokyo", "de_DE.UTF-8", "77")], 1):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        code = (
            "import importlib.metadata as found, qaudit\n"
            "installed = found.entry_points\n"
            f"found.entry_points = lambda **given: list(installed(**given))[::{(1, -1)[number - 1]}]\n"
            "qaudit.audit('small@1', output='out', quantizers={'symmetric': {'bits': [4]}, 'dithered': {}},"
            f" explainers=['drop_column', 'permutation'], formats=['html'], date='2026-11-24', jobs={number},"
            " results='none')\n"
        )
        env = {**os.environ, "TZ": zone, "LANG": lang, "LC_ALL": lang, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-"], input=code, text=True, cwd=folder, env=env, capture_output=True, timeout=250)
        assert done.returncode == 0, done.stderr
        made.append({each: (folder / "out" / each).read_bytes() for each in ("report.json", "report.html", "seal.json")})
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantizers": ["symetric"]}, "unknown quantizer plugin 'symetric'; did you mean 'symmetric'"),
        ({"quantizers": {"symmetric": {"bit": 4}}}, "did you mean 'bits'"),
        ({"judge": "symmetric(bits=5)"}, r"\[policy\] judge: unknown candidate"),
        ({"positive": "maybe"}, "the classes of the model are no, yes"),
        ({"date": "tomorrow"}, "a date such as 2026-11-24"),
        ({"nonsense": 1}, "unknown option 'nonsense'"),
        ({"frameworks": ["sr_26"]}, "unknown framework plugin 'sr_26'; did you mean 'sr_26_2'"),
    ],
)
def test_refused_in_one_line_and_nothing_written(fitted: Any, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message) as caught:
        small(fitted, tmp_path, **options)
    assert "\n" not in str(caught.value)
    assert set(os.listdir(tmp_path)) <= {"registry"}


@pytest.mark.slow
def test_pages_that_cannot_be_made_leave_a_sealed_report(fitted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qaudit.pipeline.stages.render.LIMITS", Limits(seconds=0.05))
    report = small(fitted, tmp_path, formats=["html", "pdf"])
    assert report.exit_code == 2
    assert [note for note in report.notes if "pdf: timed out" in note]
    assert sorted(os.listdir(tmp_path / "out")) == ["log.txt", "report.json", "seal.json", "timings.json"]
    assert verify(tmp_path / "out")[0] == "verified"


@pytest.mark.slow
def test_a_later_run_replaces_the_pages_and_leaves_no_stale_one(fitted: Any, tmp_path: Path) -> None:
    small(fitted, tmp_path)
    (tmp_path / "out" / "report.pdf").write_bytes(b"stale")
    small(fitted, tmp_path)
    assert not (tmp_path / "out" / "report.pdf").exists()
    assert verify(tmp_path / "out")[0] == "verified"


@pytest.mark.slow
def test_settings_are_an_input_of_the_audits_id(fitted: Any, tmp_path: Path) -> None:
    first, again, other = (
        small(fitted, tmp_path, str(number), quantizers={"symmetric": {"bits": bits, "axis": "tensor"}}, explainers=[]).content[
            "audit"
        ]["id"]
        for number, bits in enumerate((4, 4, 5))
    )
    assert first == again != other
    assert len(first) == 12
    assert isinstance(validated({}, ""), Settings)


def test_accuracy_and_positive_rate_are_those_of_predict(tmp_path: Path) -> None:
    """A forest of ten trees is often undecided; its decisions in the report are those of `predict`, ties included."""
    draw = np.random.default_rng(3)
    X = pd.DataFrame(draw.integers(0, 12, size=(700, 3)), columns=["a", "b", "c"]).astype(float)
    y = pd.Series((X["a"] - X["b"] + draw.normal(scale=4, size=700) > 0).astype(int), name="answer")
    forest = RandomForestClassifier(10, random_state=0).fit(X[:300], y[:300])
    held, answers = X[300:], y[300:]
    decided = forest.predict(held)
    assert (decided != (forest.predict_proba(held)[:, 1] >= 0.5)).sum() > 10
    report = small((forest, held, answers), tmp_path, positive="1")
    frame = report.evidence
    reference = frame[(frame.candidate == "reference") & frame.group.isna()].set_index("measure")["value"]
    assert reference["accuracy"] == (decided == answers).mean()
    assert reference["positive_rate"] == (decided == 1).mean()
    subject = report.content["subject"]
    assert (subject["cutoff"], subject["decided_otherwise"]) == (None, 0)
    assert subject["decision"].endswith("The model's own predict decides the same on all 400 holdout rows.")
