"""A run that was killed, then the same command: finished units come from the store, the bytes are those of an unbroken run."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from commandline import qaudit
from sklearn.linear_model import LogisticRegression
from storage_steps import act_before_writes

from qaudit.errors import Refused
from qaudit.inputs.audit_toml import settings_of
from qaudit.pipeline import run as auditing
from qaudit.pipeline.progress import Reporter
from qaudit.seal.verification import check

pytestmark = pytest.mark.slow

OPTIONS = (
    *("--target", "answer", "--positive", "yes", "--quantizers", "symmetric", "--bits", "4", "--explainers", "permutation"),
    *("--format", "html", "--date", "2026-11-24"),
)
FLAGS: dict[str, Any] = {
    "subject": {"target": "answer", "positive": "yes"},
    "quantizers": ["symmetric"],
    "explainers": ["permutation"],
    "run": {"bits": [4]},
    "report": {"formats": ["html"], "date": "2026-11-24"},
}
SAME = ("report.json", "report.html", "seal.json")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    draw = np.random.default_rng(0)
    X = pd.DataFrame(draw.normal(size=(80, 3)), columns=["a", "b", "c"])
    y = np.where(X["a"] - X["b"] + draw.normal(scale=0.3, size=80) > 0, "yes", "no")
    skops.io.dump(LogisticRegression().fit(X, y), folder / "model.skops")
    X.assign(answer=y).to_csv(folder / "rows.csv", index=False)
    return folder


def run(files: Path, out: Path, results: Any = "use") -> auditing.FinishedAudit:
    settings = settings_of(str(files / "model.skops"), str(files / "rows.csv"), FLAGS)
    return auditing.run(settings, output=out, reporter=Reporter(quiet=True), results=results)


def units(out: Path) -> tuple[int, int]:
    counts = json.loads((out / "timings.json").read_text())["units"]
    return counts["ran"], counts["from_store"]


@pytest.fixture(scope="module")
def unbroken(files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of a run that was not disturbed and kept nothing."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    run(files, out, "none")
    return {name: (out / name).read_bytes() for name in SAME}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / "home"))


def same(out: Path, unbroken: dict[str, bytes]) -> None:
    for name in SAME:
        assert (out / name).read_bytes() == unbroken[name], name
    assert check(out)[0] == "verified"


def test_with_and_without_the_store_the_bytes_are_the_same(files: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    counts = []
    for results in ("use", "use", "fresh", "none"):
        run(files, tmp_path / "out", results)
        same(tmp_path / "out", unbroken)
        counts.append(units(tmp_path / "out"))
    ran, kept = counts[0]
    assert kept == 0
    assert ran > 7
    assert counts[1] == (2, ran - 2), "only the two questions whether a format knows the file are asked again"
    assert counts[2:] == [(ran, 0), (ran, 0)]
    assert f"units: {ran} ran, 0 came from the result store" in (tmp_path / "out" / "log.txt").read_text()


def steps_of(work: Callable[[], object], folder: Path) -> list[tuple[str, Path]]:
    met: list[tuple[str, Path]] = []
    with pytest.MonkeyPatch.context() as patch:
        act_before_writes(patch, lambda step, path: met.append((step, path)), folder)
        work()
    return met


def killed_at(step: int, work: Callable[[], object], folder: Path) -> None:
    """Do `work` in a forked process that kills itself at that step of its writes in the folder."""
    child = os.fork()
    if child == 0:
        left = [step]

        def act(name: str, path: Path) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        act_before_writes(pytest.MonkeyPatch(), act, folder)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the step was never reached"
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_killed_at_any_step_the_same_command_goes_on(
    files: Path, unbroken: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = steps_of(lambda: run(files, tmp_path / "counted"), tmp_path)
    placing = [number for number, (_, path) in enumerate(met, 1) if path.parent == tmp_path / "counted"]
    last = next(number for number in placing if met[number - 1] == ("replace", tmp_path / "counted" / "seal.json"))
    first = next(number for number in placing if met[number - 1] == ("replace", tmp_path / "counted" / "report.json"))
    points = [len(met) // 5, len(met) // 2, len(met) * 4 // 5, first, last]
    for number, point in enumerate(points):
        monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / f"home{number}"))
        out = tmp_path / f"out{number}"
        killed_at(point, lambda out=out: run(files, out), tmp_path)  # type: ignore[misc]
        assert not (out / "seal.json").exists()
        done = run(files, out)
        same(out, unbroken)
        assert units(out)[1] > 0, f"killed at step {point} of {len(met)}"
        assert [note for note in done.notes if "continues the interrupted run of" in note]
        assert sorted(path.name for path in out.iterdir()) == sorted((*SAME, "timings.json", "log.txt"))
    assert units(out)[0] == 2, "killed while placing, every unit was finished"


@pytest.mark.parametrize("lasting", [False, True])
def test_a_full_disk_at_any_step_is_told_and_leaves_what_was_there(
    lasting: bool, files: Path, unbroken: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One failing write, or a disk that stays full: the report is made whole, or refused in one line; never in between."""
    out = tmp_path / "out"
    steps = len(steps_of(lambda: run(files, out), tmp_path))
    before = os.listdir(out)
    ended = set()
    for point in [*(1 + steps * each // 7 for each in range(7)), steps - 8]:
        left = [point]

        def act(step: str, path: Path, left: list[int] = left) -> None:
            if step == "unlink":  # removing a file works on a full disk
                return
            left[0] -= 1
            if left[0] == 0 or (lasting and left[0] < 0):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

        monkeypatch.setenv("QAUDIT_HOME", str(tmp_path / f"home{point}"))
        with monkeypatch.context() as patch:
            act_before_writes(patch, act, tmp_path)
            try:
                run(files, out)
                ended.add("made")
                same(out, unbroken)
            except Refused as error:
                ended.add("refused")
                assert "No space left on device" in str(error)  # noqa: PT017 - both ends are right, each has its own demands
                if check(out)[0] == "verified":
                    same(out, unbroken)  # untouched, or complete: the last wait for the disk may be what failed
                    assert sorted(path.name for path in out.iterdir()) == sorted(before)
                else:
                    assert not (out / "seal.json").exists()
        run(files, out)
        same(out, unbroken)
    assert "refused" in ended
    assert lasting or "made" in ended


def test_kill_9_from_outside_and_a_second_run_meanwhile(files: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    words = ("run", "model.skops", "rows.csv", *OPTIONS, "-o", tmp_path / "out", "--quiet")
    env = {**os.environ, "QAUDIT_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "qaudit", *map(str, words)]
    running = subprocess.Popen(command, cwd=files, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journals = tmp_path / "home" / "store" / "journals"

    def finished() -> int:
        return sum(path.read_text().count('"unit"') for path in journals.glob("*.jsonl"))

    until(lambda: (tmp_path / "out" / ".lock").exists() and finished() >= 1)
    os.kill(running.pid, signal.SIGSTOP)
    second = qaudit(*words, home=tmp_path / "home", cwd=files)
    assert (second.code, second.out) == (2, "")
    assert f"in use by process {running.pid}, started 20" in second.err
    assert second.err.count("\n") == 1
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    again = qaudit(*words, home=tmp_path / "home", cwd=files)
    assert again.code == 0, again.err
    assert "continues the interrupted run of" in again.err
    same(tmp_path / "out", unbroken)
    assert units(tmp_path / "out")[1] >= 1


def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_damaged_store_is_made_anew(files: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    run(files, tmp_path / "out")
    for number, path in enumerate(sorted((tmp_path / "home" / "store").glob("*/*"))):
        data = bytearray(path.read_bytes())
        data[number * 31 % len(data)] ^= 1 << number % 8
        path.write_bytes(data)
    done = run(files, tmp_path / "out")
    same(tmp_path / "out", unbroken)
    assert units(tmp_path / "out")[1] == 0
    assert [note for note in done.notes if "damaged results were computed again" in note]
    run(files, tmp_path / "out")
    assert units(tmp_path / "out")[0] == 2


def test_a_store_that_cannot_be_used_is_told_and_stops_nothing(files: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    done = run(files, tmp_path / "out")
    assert [note for note in done.notes if "results are not kept" in note]
    assert done.exit_code == 0
    same(tmp_path / "out", unbroken)
