"""Every write fails once, at every step: out of space, input/output error, sudden end. Final names are whole or absent."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mutants import mutants
from storage_steps import act_before_writes
from tiny_pdf import tiny_pdf

from qaudit.cache.result_cache import ResultCache
from qaudit.errors import Refused
from qaudit.pipeline.publish import publish
from qaudit.pipeline.stages.seal import seal
from qaudit.sandbox.job import Outcome
from qaudit.seal.verification import NAME, check
from qaudit.storage.durable_files import write_bytes, write_json, write_text
from qaudit.storage.output_folder import locked

MODEL = "ab" * 32
KEY = "c" * 64


def pages(folder: Path, word: str) -> Path:
    folder.mkdir()
    write_json(folder / "report.json", {"audit": {"id": "A1"}, "subject": {"digest": MODEL}, "word": word})
    write_text(folder / "report.html", f"<p>{word}</p>" * 50)
    if word == "new":
        write_bytes(folder / "report.pdf", tiny_pdf((folder / "report.json").read_bytes()))
    return folder


def placed(made: Path, folder: Path) -> None:
    with locked(folder):
        publish(made, folder, {"model": MODEL}, "A1", {"word": 1}, ["line"])


class Fault:
    """Counts the steps of writes and does something at one of them."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.left, self.act, self.met = at, act, False

    def __call__(self, step: str, path: Path) -> None:
        self.left -= 1
        if self.left == 0:
            self.met = True
            self.act()


def raising(number: int) -> Callable[[], None]:
    def act() -> None:
        raise OSError(number, os.strerror(number))

    return act


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child; the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


ACTS = {"no space": raising(errno.ENOSPC), "i/o error": raising(errno.EIO), "kill": killed}
WORDS = {"no space": "No space left on device", "i/o error": "Input/output error"}


def struck(work: Callable[[], object], fault: str, at: int, folder: Path) -> tuple[bool, str]:
    """Do `work` with the fault at its step `at` in the folder: whether that step was reached, and what the user was told."""
    hit, told = Fault(at, ACTS[fault]), ""
    with pytest.MonkeyPatch.context() as patch:
        act_before_writes(patch, hit, folder)
        if fault == "kill":
            return in_child(work) == signal.SIGKILL, ""
        try:
            work()
        except Refused as error:
            told = str(error)
    return hit.met, told


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A sealed report of an earlier run; the run that follows makes a PDF besides."""
    placed(pages(tmp_path / "old_pages", "old"), tmp_path / "old")
    return tmp_path / "old"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.mark.parametrize("fault", ["no space", "i/o error", "kill"])
def test_every_step_of_placing_a_report_fails_once(fault: str, old: Path, tmp_path: Path) -> None:
    """The old report is untouched, or the new one complete, or there is no seal; the next run makes it whole."""
    made = pages(tmp_path / "pages", "new")
    placed(made, tmp_path / "whole")
    before, after = contents(old), contents(tmp_path / "whole")
    untouched = steps = 0
    for at in range(1, 200):
        folder = tmp_path / f"{at}"
        shutil.copytree(old, folder)
        met, told = struck(partial(placed, made, folder), fault, at, folder)
        found = contents(folder)
        assert fault == "kill" or found == after or (str(tmp_path) in told and WORDS[fault] in told)
        for name, data in found.items():
            assert data in (before.get(name), after.get(name)), f"{name} is torn at step {at}"
        status, lines = check(folder)
        if status == "verified":
            assert found in (before, after), f"step {at}: {lines}"
            untouched += found == before
        else:
            assert status == "could not verify", lines
            assert NAME not in found
        if fault != "kill":
            # a lock file that could not be removed is locked by nobody
            assert not [path for path in folder.iterdir() if path.name.startswith(".") and path.name != ".lock"]
        placed(made, folder)
        assert contents(folder) == after
        assert sorted(os.listdir(folder)) == sorted(after), "what a killed run left is swept"
        if not met:
            break
        steps += 1
    assert steps >= 40, "the loop ended because a run met no fault"
    assert untouched >= 15, "until all is written, the old report and its seal stay"


ANSWERED = Outcome({"answer": [1, 2]}, {kind: np.ones(5, dtype=kind) for kind in ("float64", "int32", "bool")})


def whole(found: Outcome | None) -> bool:
    return found is not None and found.answer == ANSWERED.answer and list(found.arrays) == list(ANSWERED.arrays)


@pytest.mark.parametrize("fault", ["no space", "i/o error", "kill"])
def test_every_step_of_keeping_a_result_fails_once(fault: str, tmp_path: Path) -> None:
    for at in range(1, 100):
        results = ResultCache(tmp_path / f"{at}")
        met, told = struck(partial(results.put, KEY, ANSWERED), fault, at, results.folder)
        found = results.get(KEY)
        assert whole(found) if found else fault == "kill" or WORDS[fault] in told
        assert fault == "kill" or len(os.listdir(results.folder)) <= (found is not None)
        assert results.damaged == 0
        assert results.put(KEY, ANSWERED)
        assert whole(results.get(KEY))
        if not met:
            break
    assert at - 1 == 8, "a temporary file, five writes, its final name, and the look whether the temporary one is gone"


class Disk:
    """At every step of a write, copies of what a power cut may leave of a folder there.

    Bytes that were not waited for are lost. Of the changes of names since the folder was last waited for, the copies have none,
    all, each one alone, or all but one: a file system may have kept any of them.
    """

    def __init__(self, folder: Path, copies: Path) -> None:
        self.folder, self.copies = folder, copies
        self.steps: list[tuple[str, Path]] = []
        self.made: list[Path] = []
        self.lasting = {file.stat().st_ino for file in folder.iterdir()}
        """Files whose bytes were waited for."""
        self.lasting_names = self.names()

    def names(self) -> dict[str, tuple[int, bytes]]:
        """Final names, each with its file and the bytes in it."""
        files = [file for file in self.folder.iterdir() if not file.name.startswith(".")]
        return {file.name: (file.stat().st_ino, file.read_bytes()) for file in files}

    def __call__(self, step: str, path: Path) -> None:
        if self.steps and self.steps[-1][0] == "fsync":
            self.waited_for(self.steps[-1][1])
        self.steps.append((step, path))
        now = self.names()
        changed = sorted(name for name in {*now, *self.lasting_names} if now.get(name) != self.lasting_names.get(name))
        kept = {frozenset(), frozenset(changed), *(frozenset({name}) for name in changed)}
        kept |= {frozenset(changed) - {name} for name in changed}
        for names in kept:
            left = {name: file for name, file in self.lasting_names.items() if name not in names}
            self.copy(left | {name: now[name] for name in names & now.keys()})

    def waited_for(self, path: Path) -> None:
        if path == self.folder:
            self.lasting_names = self.names()
        elif path.exists():
            self.lasting.add(path.stat().st_ino)

    def copy(self, names: dict[str, tuple[int, bytes]]) -> None:
        folder = self.copies / f"{len(self.steps)}-{len(self.made)}"
        folder.mkdir(parents=True)
        for name, (file, data) in names.items():
            (folder / name).write_bytes(data if file in self.lasting else b"")
        self.made.append(folder)


def test_a_power_cut_at_any_step_leaves_whole_files_and_no_seal_over_a_mixture(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pages(tmp_path / "pages", "new")
    placed(made, tmp_path / "whole")
    before, after = contents(old), contents(tmp_path / "whole")
    disk = Disk(old, tmp_path / "cuts")
    with monkeypatch.context() as patch:
        act_before_writes(patch, disk, old)
        placed(made, old)
        disk("end", old)
    assert len(disk.steps) > 40
    assert len(disk.made) > len(disk.steps) + 30, "changes of names that were not waited for were kept in part"
    states = set()
    for folder in disk.made:
        found = contents(folder)
        step = disk.steps[int(folder.name.split("-")[0]) - 1]
        for name, data in found.items():
            assert data in (before.get(name), after.get(name)), f"{name} is torn by a power cut before {step}"
        if NAME in found:
            assert check(folder)[0] == "verified"
            assert found in (before, after), f"a mixture after a power cut before {step}"
            states.add("old" if found == before else "new")
    assert states == {"old", "new"}
    assert contents(disk.made[-1]) == after, "what is published survives"


def test_a_page_larger_than_a_file_may_be(old: Path, tmp_path: Path) -> None:
    """A real limit of the system in the place of a full disk: errno 27, in one line, and the old report stays."""
    made = pages(tmp_path / "pages", "new")
    (made / "report.pdf").write_bytes(b"x" * 200_000)
    before = contents(old)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        with pytest.raises(Refused, match=r"report\.pdf: cannot be written: File too large"):
            placed(made, old)

    assert in_child(limited) == 0
    assert contents(old) == before
    assert check(old)[0] == "verified"


def test_600_mutants_of_a_seal_and_of_a_report_never_verify(old: Path) -> None:
    for name in (NAME, "report.json"):
        path = old / name
        whole = path.read_bytes()
        for _, data in mutants({name: whole}, 600, seed=7):
            path.write_bytes(data)
            status, lines = check(old)
            assert status in ("does not match", "could not verify"), (data, lines)
            assert lines
        path.write_bytes(whole)
    assert check(old)[0] == "verified"


def test_a_seal_of_doubled_keys_over_a_report_of_doubled_keys(old: Path) -> None:
    path = old / "report.json"
    path.write_bytes(path.read_bytes().replace(b'{"audit":', b'{"audit":{"id":"A2"},"audit":', 1))
    (old / NAME).unlink()
    seal(old, {"model": MODEL}, audit="A1", version="0.1.0")
    assert check(old) == ("could not verify", ["report.json: not readable: a key stands twice"])


def test_output_to_a_full_device_is_an_error_and_no_traceback() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "qaudit", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place_of", ["out", "out/deeper", "out/deeper/still"])
def test_a_file_in_the_place_of_a_folder(place_of: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(Refused, match="cannot be used as output folder: Not a directory"), locked(tmp_path / place_of):
        pass
    assert (tmp_path / "out").read_text() == "a file"


def test_who_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    def refused() -> None:
        with locked(tmp_path / "a" / "b"):
            assert (tmp_path / "a" / "b" / ".lock").is_file()
            raise Refused("something else")

    with pytest.raises(Refused, match="something else"):
        refused()
    assert os.listdir(tmp_path) == []
