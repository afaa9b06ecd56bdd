"""Tests of a private copy of the project, in a process forked from one that has the libraries loaded already.

The copy stands first on the path of that process, and the units that tests start take over this path: so what stands in a file
of the copy is what runs, in whichever process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

EXAMPLES = 50
PRELOAD = [
    *("numpy", "numpy.testing", "scipy.special", "scipy.stats", "pandas", "numexpr", "skops.io", "hypothesis.extra.numpy"),
    *("pluggy", "pydantic", "psutil", "threadpoolctl", "jinja2"),
    *("sklearn.compose", "sklearn.datasets", "sklearn.ensemble", "sklearn.impute", "sklearn.linear_model", "sklearn.metrics"),
    *("sklearn.neural_network", "sklearn.pipeline", "sklearn.preprocessing", "sklearn.tree"),
]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
NOT_COPIED = (".git", ".venv", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]


def preload() -> None:
    """Import what tests and units import, once for all forks."""
    os.environ.update(ONE_THREAD)
    for name in PRELOAD:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # pytest collects all garbage at its end, several times: it need not look at these


class Copy:
    """A private copy of the tree at `root`, in which files may be changed for a while."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = Path(tempfile.mkdtemp(prefix="qaudit-mutants-"))
        self.path = self.folder / "tree"
        shutil.copytree(root, self.path, ignore=shutil.ignore_patterns(*NOT_COPIED))
        self.changes = 0

    @contextlib.contextmanager
    def changed(self, file: str, text: str) -> Iterator[None]:
        """qaudit/<file> holds `text` for a while."""
        path = self.path / "qaudit" / file
        before = path.read_text(encoding="utf-8")
        try:
            self._write(path, text)
            yield
        finally:
            self._write(path, before)

    def _write(self, path: Path, text: str) -> None:
        # Python takes compiled code for that of a file of the same size and second: no two texts have one time
        self.changes += 1
        path.write_text(text, encoding="utf-8")
        os.utime(path, (time.time(), 10**9 + self.changes))

    def remove(self) -> None:
        """Delete the copy."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(eq=False)
class Chosen:
    """A pytest plugin: only the tests `wanted` (None: all), in that order, with few fixed examples. Notes what failed first."""

    wanted: Sequence[str] | None = None
    failed: str = ""

    def pytest_sessionstart(self) -> None:
        """After the project's conftest.py, before any test is imported."""
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=phases)
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is not wanted."""
        if self.wanted is not None:
            rank = {name: number for number, name in enumerate(self.wanted)}
            items[:] = sorted((item for item in items if item.nodeid in rank), key=lambda item: rank[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file of tests that cannot be imported is a failure as well."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


@dataclass(eq=False)
class Recorded(Chosen):
    """A pytest plugin that notes the seconds and the called functions of every test, and those of the import of its file."""

    trace: Any = None
    of: tuple[str, ...] = ()
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)

    def pytest_collection_finish(self) -> None:
        """What was called up to now is shared by all tests."""
        self.imported = self._taken()

    def _taken(self) -> set[str]:
        return {function for function in self.trace.taken() if function.startswith(self.of)}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """One test with its fixtures."""
        started = time.monotonic()
        result = yield
        seconds = round(time.monotonic() - started, 3)
        self.tests[item.nodeid] = {"seconds": seconds, "functions": sorted(self._taken() | self.imported)}
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tests that do not pass are of no use."""
        if not report.passed:
            self.bad.add(report.nodeid)


def record(copy: Copy, file: str, of: tuple[str, ...], seconds: float = 600) -> dict[str, Any]:
    """Run all tests of a file: {"start": seconds before the first test, "tests": {name: seconds, functions}, "bad": names}.

    `of` are beginnings of files whose functions are of interest.
    """

    def work() -> dict[str, Any]:
        folder = copy.path / "traced"
        folder.mkdir(exist_ok=True)
        shutil.copy(Path(__file__).with_name("function_trace.py"), folder / "sitecustomize.py")
        sys.path.insert(0, str(folder))
        sys.modules.pop("sitecustomize", None)
        started = time.monotonic()
        plugin = Recorded(trace=importlib.import_module("sitecustomize"), of=of)
        status = int(pytest.main([*OPTIONS[1:], file], plugins=[plugin]))
        tests = {name: test for name, test in plugin.tests.items() if name not in plugin.bad}
        spent = sum(float(test["seconds"]) for test in plugin.tests.values())
        return {"start": time.monotonic() - started - spent, "tests": tests, "bad": sorted(plugin.bad), "status": status}

    return forked(copy, work, seconds) or {"start": 0.0, "tests": {}, "bad": [file], "status": -1}


def run(copy: Copy, batches: Sequence[Collection[str]], seconds: float) -> dict[str, Any] | None:
    """Run batches of tests until one fails. {"failed": name or ""}, None where the time is over."""

    def work() -> dict[str, Any]:
        for batch in batches:
            files = sorted({name.split("::")[0] for name in batch}, key=[name.split("::")[0] for name in batch].index)
            plugin = Chosen(list(batch))
            status = int(pytest.main([*OPTIONS, *files], plugins=[plugin]))
            if status == pytest.ExitCode.INTERNAL_ERROR:
                raise RuntimeError((copy.folder / "log.txt").read_text(errors="replace")[-4000:])
            if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                return {"failed": plugin.failed or f"pytest ended with {status}"}
        return {"failed": ""}

    return forked(copy, work, seconds)


def forked(copy: Copy, work: Callable[[], dict[str, Any]], seconds: float) -> dict[str, Any] | None:
    """`work` in a process of its own that sees the copy. None where it is not done in time; "failed" is set where it died.

    Raises RuntimeError for what `work` raises: that is trouble of ours and says nothing of a mutant.
    """
    scratch = Path(tempfile.mkdtemp(prefix="run-", dir=copy.folder))
    answer = scratch / "answer.json"
    pid = os.fork()
    if pid == 0:
        try:
            _settle(copy, scratch)
            answer.write_text(json.dumps(work()))
        except BaseException:
            answer.write_text(json.dumps({"trouble": traceback.format_exc()}))
        finally:
            os._exit(0)
    ended = _wait(pid, seconds)
    results = json.loads(answer.read_text()) if answer.exists() else {"failed": "the process of the tests died"}
    shutil.rmtree(scratch, ignore_errors=True)
    if ended and "trouble" in results:
        raise RuntimeError(results["trouble"])
    return results if ended else None


def _settle(copy: Copy, scratch: Path) -> None:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(copy.folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(copy.path)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    own = [str(copy.path), str(copy.path / "plugins")]
    libraries = Path(sys.prefix)
    others = [each for each in sys.path if each and (libraries in Path(each).parents or copy.root not in _up(Path(each)))]
    sys.path[:] = [*own, *others]
    os.environ["PYTHONPATH"] = os.pathsep.join(own)


def _up(path: Path) -> list[Path]:
    return [path, *path.parents]


def _wait(pid: int, seconds: float) -> bool:
    """Wait for the end of the process and end its group. False where it did not end by itself."""
    handle = os.pidfd_open(pid)
    try:
        ended = bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if not ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return ended
