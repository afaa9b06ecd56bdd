"""`run --in-process` and `run --keep`: what helps an author find a fault, on a small model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commandline import Answer, qaudit
from sklearn.linear_model import LogisticRegression
from skops.io import dump

pytestmark = pytest.mark.slow

FAILS = """
import os
import numpy as np
from qaudit import QType, QuantizedTensor, Quantizer, Setting, hookimpl

def mine(values, calibration, *, bits):
    if bits == 4:
        raise RuntimeError(f"four bits of {calibration.name}")
    with open(os.environ.get("SEEN_BY", os.devnull), "a") as file:
        file.write(f"{os.getpid()}\\n")
    scale = float(np.abs(values).max()) / 127
    return QuantizedTensor(np.rint(values / scale).astype(np.int32), scale=scale, qtype=QType(8))

@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("mine", "fails at four bits", mine, settings={"bits": Setting((4, 8))})
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("author")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    target = pd.Series(np.where(rows["a"] + 0.3 * rng.normal(size=120) > 0, "yes", "no"), name="y")
    dump(LogisticRegression().fit(rows, target), folder / "model.skops")
    rows.assign(y=target).to_csv(folder / "holdout.csv", index=False)
    (folder / "mine.py").write_text(FAILS)
    return folder


def run(place: Path, *words: object, env: dict[str, str] | None = None) -> Answer:
    fixed = ("--target", "y", "--positive", "yes", "--plugin", "mine.py", "--quantizers", "mine", "--explainers", "permutation")
    return qaudit(
        "run", "model.skops", "holdout.csv", *fixed, "--format", "html", *words, home=place / "home", cwd=place, env=env
    )


def test_in_process_runs_here_and_seals_nothing(place: Path) -> None:
    answer = run(place, "--in-process", "-o", "here", env={"SEEN_BY": str(place / "seen.txt")})
    assert "--in-process: plugins run in this process, without limits; nothing is sealed" in answer.err
    assert answer.code == 2  # one candidate failed
    # a child's environment is scrubbed and would not know the file: the calls were made in the command's own process
    assert len(set((place / "seen.txt").read_text().split())) == 1
    report = json.loads((place / "here" / "report.json").read_text("utf-8"))
    assert [row["id"] for row in report["candidates"]] == ["mine(bits=8)"]
    assert not (place / "here" / "seal.json").exists()
    assert qaudit("verify", "here", home=place / "home", cwd=place).code == 2


def test_keep_leaves_the_failed_unit_with_a_script_that_runs_it_again(place: Path) -> None:
    answer = run(place, "--keep", "kept", "-o", "sealed")
    assert (place / "sealed" / "seal.json").exists(), answer.err
    (unit,) = (place / "kept").iterdir()
    assert unit.name == "quantize-mine-1"
    assert (unit / "reason.txt").read_text().startswith("RuntimeError: four bits of layer0.weight")
    done = subprocess.run([sys.executable, unit / "repro.py"], cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "phase quantize" in done.stderr
    assert "failed: RuntimeError: four bits of layer0.weight" in done.stdout


def test_a_unit_that_was_killed_is_kept_and_the_script_shows_the_traceback(place: Path) -> None:
    broken = FAILS.replace('raise RuntimeError(f"four bits of {calibration.name}")', "os.abort()")
    (place / "mine.py").write_text(
        broken.replace("def qaudit_offer_quantizers(subject):", "def qaudit_offer_quantizers(subject):\n    1 / 0")
    )
    run(place, "--keep", "killed", "-o", "sealed2")
    (unit,) = (place / "killed").iterdir()
    done = subprocess.run([sys.executable, unit / "repro.py"], cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "mine.py" in done.stderr


def test_keep_leaves_units_whose_breach_only_the_host_finds(place: Path) -> None:
    """Answers that come back whole and break the contract: each folder says what was wrong and finds it again."""
    zoo = Path(__file__).parent.parent / "zoo"
    files = ("far_off", "changes_kind", "no_values", "trusts_all")
    plugins = [word for name in files for word in ("--plugin", zoo / f"{name}.py")]
    words = (*plugins, "--target", "y", "--positive", "yes", "--quantizers", "far_off", "--explainers", "changes_kind,no_values")
    answer = qaudit(
        "run", "model.skops", "holdout.csv", *words, "--format", "html", "--keep", "host", "-o", "host_out",
        home=place / "home", cwd=place,
    )  # fmt: skip
    assert answer.code == 2
    skipped = json.loads((place / "host_out" / "report.json").read_text("utf-8"))["skipped"]
    told = {row["by"]: row["reason"] for row in skipped if row["kind"] == "failed"}
    assert set(told) == set(files)
    units = {unit.name: unit for unit in (place / "host").iterdir()}
    named = {f"quantize-{files[0]}-1", f"explain-sklearn_skops-{files[1]}-1", f"explain-{files[2]}-1", f"recognise-{files[3]}-1"}
    assert set(units) == named
    for name in files:
        (unit,) = [folder for folder in units.values() if f"-{name}-" in folder.name]
        reason = (unit / "reason.txt").read_text().strip()
        # the report names the kind of failure first
        assert told[name].removeprefix("broken contract: ").startswith(reason.removeprefix("broken contract: "))
        done = subprocess.run([sys.executable, unit / "repro.py"], cwd="/", capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[-1] == f"in the audit: {reason}"
        assert any(line.startswith("failed: ") and reason.startswith(line.removeprefix("failed: ")) for line in lines), lines
