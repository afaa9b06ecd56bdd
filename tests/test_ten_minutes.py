"""The newcomer's ten minutes, from the wheel in a fresh environment: a plugin written, broken, audited, installed, tested."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fresh import ROOT, built, environment, run
from sklearn.linear_model import LogisticRegression
from skops.io import dump

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
EXPLAINER = "examples/third_party_explainer"
FORMAT = "examples/third_party_format"
FRAMEWORK = "examples/third_party_framework"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("fresh")
    names = {"host": ROOT, **{name: ROOT / name for name in (EXPLAINER, FORMAT, FRAMEWORK)}}
    environment(at, [built(source, at / "dist" / name) for name, source in names.items()])
    task = at / "task"
    task.mkdir()
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    target = pd.Series(np.where(rows["a"] + 0.3 * rng.normal(size=120) > 0, "yes", "no"), name="outcome")
    dump(LogisticRegression().fit(rows, target), task / "model.skops")
    rows.assign(outcome=target).to_csv(task / "holdout.csv", index=False)
    return at


@pytest.fixture
def typed(fresh: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    def command(*words: str | Path, code: int = 0, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        done = run(fresh, cwd, *words)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return command


def audited(folder: Path) -> dict[str, object]:
    report: dict[str, object] = json.loads((folder / "report.json").read_text("utf-8"))
    return report


def test_a_newcomer(typed, fresh: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    # 1-2: three files
    made = typed("qaudit", "plugins", "new", "quantizer", "halves")
    assert made.stdout.split() == ["qaudit_halves.py", "pyproject.toml", "test_halves.py"]
    assert made.stderr.strip() == "next: qaudit plugins check ./qaudit_halves.py"
    # 2-3: ticks
    ticks = typed(*made.stderr.split()[1:]).stdout
    assert "0 failed" in ticks.splitlines()[-1]
    assert ticks.count("\nok ") >= 20
    # 3-6: broken, and told so
    module = tmp_path / "qaudit_halves.py"
    good = module.read_text("utf-8")
    module.write_text(
        good.replace("peak / top", "peak / (top + 13)").replace(
            "np.clip(np.rint(values / scale), -top, top)", "np.rint(values / scale)"
        )
    )
    told = typed("qaudit", "plugins", "check", "./qaudit_halves.py", code=1).stdout
    block = told[told.index("FAILED   B2") :].splitlines()
    assert block[1].strip().startswith("codes outside int2 (-1 to 1): ")
    assert "why:  a code outside its type cannot be stored in those bits" in told
    assert "look: qaudit_halves.py:4; docs/plugin-checks.md#b2" in told
    module.write_text(good)
    # 6-7: an audit with the file as it lies there
    task = fresh / "task"
    few = ("--quantizers", "halves,symmetric", "--bits", "8", "--explainers", "permutation", "--format", "html", "-o", "report")
    asked = ("--target", "outcome", "--positive", "yes", "--plugin", "./qaudit_halves.py")
    typed("qaudit", "run", task / "model.skops", task / "holdout.csv", *asked, *few)
    report = audited(tmp_path / "report")
    assert {row["id"] for row in report["candidates"]} >= {"halves(bits=8)"}  # type: ignore[attr-defined]
    row = next(row for row in report["plugins"] if row["name"] == "halves")  # type: ignore[attr-defined]
    assert (row["distribution"], row["status"], len(row["digest"].removeprefix("sha256:"))) == ("unpackaged", "ran", 64)
    assert "halves" in (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "verified" in typed("qaudit", "verify", "report").stdout
    # 7-8: installed
    typed("python", "-m", "pip", "install", "-q", "--no-build-isolation", "--no-index", "--no-deps", "-e", ".")
    # 8-9: listed
    rows = {row["name"]: row for row in json.loads(typed("qaudit", "plugins", "--json").stdout)}
    found = rows["halves"]
    assert (found["kind"], found["distribution"], found["version"], found["spec"], found["status"]) == (
        "quantizer",
        "qaudit-halves",
        "0.1.0",
        1,
        "ok",
    )
    assert found["digest"]
    # 9-10: its own tests
    assert " passed" in typed("python", "-m", "pytest", "-q", "-p", "no:cacheprovider").stdout


@pytest.mark.parametrize(
    ("folder", "name"), [(EXPLAINER, "shapley_sampling"), (FORMAT, "scorecard"), (FRAMEWORK, "acme_model_policy")]
)
def test_the_strangers_pass_their_checks_from_their_wheels(folder: str, name: str, typed) -> None:  # type: ignore[no-untyped-def]
    assert ", 0 failed" in typed("qaudit", "plugins", "check", name).stdout.splitlines()[-1]


def test_the_strangers_are_in_one_report(typed, fresh: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A scorecard, read by a stranger's format, explained by a stranger's explainer, beside a stranger's evidence list."""
    site = next((fresh / "venv" / "lib").iterdir()) / "site-packages"
    code = "import sys, pathlib, qaudit_scorecard; qaudit_scorecard.qaudit_sample(pathlib.Path('card.json'))"
    typed("python", "-c", code)
    rows = "\n".join(
        f"{(k * 37 % 101) / 40 - 1.2:.4f},{(k * 53 % 97) / 40 - 1.2:.4f},{'yes' if k % 3 else 'no'}" for k in range(150)
    )
    (tmp_path / "holdout.csv").write_text(f"income,debt,outcome\n{rows}\n")
    few = ("--quantizers", "symmetric", "--bits", "2", "--explainers", "shapley_sampling", "--framework", "acme_model_policy")
    asked = (
        "--target",
        "outcome",
        "--positive",
        "yes",
        "--judge",
        "symmetric(axis='tensor',bits=2)",
        "--format",
        "html",
        "-o",
        "report",
    )
    typed("qaudit", "run", "card.json", "holdout.csv", *few, *asked)
    report = audited(tmp_path / "report")
    roster = {row["name"]: (row["distribution"], row["status"]) for row in report["plugins"]}  # type: ignore[attr-defined]
    assert roster["scorecard"] == ("qaudit-scorecard", "ran")
    assert roster["shapley_sampling"] == ("qaudit-shapley-sampling", "ran")
    assert roster["acme_model_policy"] == ("acme-model-policy", "ran")
    assert report["subject"]["lowering"]["proved"]  # type: ignore[index]
    assert {row["explainer"] for row in report["explanations"]} == {"shapley_sampling"}  # type: ignore[attr-defined]
    (listed,) = report["frameworks"]  # type: ignore[misc]
    assert {item["id"]: item["state"] for item in listed["items"]}["s7-loss"] == "here"
    assert "ACME Bank" in (tmp_path / "report" / "report.html").read_text("utf-8")
    assert not list(site.glob("acme_model_policy*.py"))
