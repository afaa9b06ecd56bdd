"""Units that were finished once are not run again: the runner with the result store in front of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qaudit.cache.result_cache import Journal, ResultCache, home
from qaudit.core.json_values import Json
from qaudit.errors import Refused
from qaudit.sandbox import runner
from qaudit.sandbox.job import Arrays, Limits, Outcome, PluginRef
from qaudit.sandbox.runner import Call
from qaudit.storage.digests import file_sha256

Mode = Literal["use", "fresh", "none"]
"""Look results up and keep them; keep new ones only; neither."""
_ALWAYS_RUN = ("recognise",)
"""Tasks on which trust depends are asked of the file itself, every time."""
_DEFAULT = Limits()


class CachedRunner:
    """`run` and `run_many` as the runner has them, answered from the store where it holds the answer.

    Trouble with the store never stops an audit: it is told once and the units run without it.
    """

    def __init__(
        self,
        results: ResultCache | None,
        facts: Json,
        *,
        jobs: int = 2,
        journal: Journal | None = None,
        fresh: bool = False,
        around: Callable[[PluginRef], str] = lambda ref: ref.digest,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`facts` is all that an answer depends on besides its request: versions, processor, code.

        `fresh`: look up nothing. `around` digests the package that a plugin lives in.
        """
        self._results, self._facts, self._jobs, self._journal = results, facts, jobs, journal
        self._fresh, self._progress = fresh, progress
        self._around = cache(around)
        self.notes: list[str] = []
        self._lock = threading.Lock()
        self._files: dict[tuple[Any, ...], str] = {}
        self.ran = 0
        self.kept = 0

    def run(
        self,
        task: str,
        request: Json,
        arrays: Arrays | None = None,
        *,
        plugins: Sequence[PluginRef] = (),
        limits: Limits = _DEFAULT,
    ) -> Outcome:
        """As `runner.run`."""
        call = Call(task, request, arrays or {}, plugins, limits)
        key = self._key(call)
        found = self._results.get(key) if self._results and key and not self._fresh else None
        outcome = found or runner.run(task, request, arrays, plugins=plugins, limits=limits)
        lasts = found is not None or self._keep(key, outcome)
        self._note(task, key if lasts else None, found is not None)
        return outcome

    def run_many(self, calls: Sequence[Call]) -> list[Outcome]:
        """As `runner.run_many`; each answer is kept as soon as it is there."""

        def one(call: Call) -> Outcome:
            return self.run(call.task, call.request, call.arrays, plugins=call.plugins, limits=call.limits)

        if self._jobs <= 1 or len(calls) < 2:
            return [one(call) for call in calls]
        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            return list(pool.map(one, calls))

    def tell(self, line: str) -> None:
        """What the user should know of the store: now as progress, and among the audit's notes."""
        self.notes.append(line)
        self._progress(line)

    def stopped(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Where an audit is left: one that was refused has come to its end, one that was interrupted has not."""
        if isinstance(error, Refused):
            self.end()

    def end(self) -> None:
        """The audit came to its end: say so in the journal, and keep the store within its size."""
        with contextlib.suppress(OSError):
            if self._journal is not None:
                self._journal.note(ended=True)
            if self._results is not None:
                self._results.trim()
        if self._results is not None and self._results.damaged:
            self.tell(f"store: {self._results.damaged} damaged results were made anew")

    def _key(self, call: Call) -> str | None:
        """sha256 of everything that the answer depends on; None for what is always run."""
        if self._results is None or call.task in _ALWAYS_RUN:
            return None
        request = dict(call.request)
        try:
            if isinstance(request.get("model"), str):
                request["model"] = self._file(Path(request["model"]))
            content = {
                "task": call.task,
                "request": request,
                "arrays": {name: _fingerprint(array) for name, array in call.arrays.items()},
                "plugins": [{**asdict(ref), "file": None, "package": self._around(ref)} for ref in call.plugins],
                "facts": self._facts,
            }
            # the order of keys counts: what a child does may depend on it
            text = json.dumps(content, separators=(",", ":"), allow_nan=False)
        except (ValueError, TypeError, OSError):
            return None
        return hashlib.sha256(text.encode()).hexdigest()

    def _file(self, path: Path) -> list[str]:
        """Name and digest of a file that a request names; hashed again whenever the file is another."""
        found = os.stat(path)
        mark = (str(path), found.st_ino, found.st_size, found.st_mtime_ns)
        if mark not in self._files:
            self._files[mark] = file_sha256(path)
        return [path.name, self._files[mark]]

    def _keep(self, key: str | None, outcome: Outcome) -> bool:
        """Keep a success; whether it lasts."""
        results = self._results
        if results is None or key is None or outcome.failure is not None:
            return False
        try:
            return results.put(key, outcome)
        except Refused as error:
            self._give_up(str(error))
            return False

    def _note(self, task: str, key: str | None, kept: bool) -> None:
        """Count a unit, and call it finished in the journal where its result lasts under `key`."""
        with self._lock:
            self.kept += kept
            self.ran += not kept
            if self._journal is None or key is None:
                return
            try:
                self._journal.note(unit=key, task=task, kept=kept)
            except OSError as error:
                self._journal = None
                self._give_up(f"{error.filename}: {error.strerror}")

    def _give_up(self, reason: str) -> None:
        """Go on without keeping anything more."""
        if self._results is not None:
            self.tell(f"store: results are no longer kept: {reason}")
        self._results = None


def open_runner(
    command: Json,
    facts: Json,
    mode: Mode,
    jobs: int,
    around: Callable[[PluginRef], str],
    progress: Callable[[str], None],
) -> CachedRunner:
    """The units of one run.

    `command` is what was asked for: the journal of the same command says what an earlier run had finished.
    """
    if mode == "none":
        return CachedRunner(None, facts, jobs=jobs, progress=progress)
    try:
        folder = home()
        results = ResultCache(folder)
        name = hashlib.sha256(json.dumps(command, sort_keys=True).encode()).hexdigest()[:24]
        journal = Journal(folder / "journals" / f"{name}.jsonl")
        earlier = journal.broken_off()
        journal.begin()
    except (Refused, OSError) as error:
        units = CachedRunner(None, facts, jobs=jobs, progress=progress)
        units.tell(f"store: results are not kept: {error}")
        return units
    units = CachedRunner(results, facts, jobs=jobs, journal=journal, fresh=mode == "fresh", around=around, progress=progress)
    if earlier is not None and earlier[1] and mode == "use":
        units.tell(f"store: goes on from the run of {earlier[0]} that was broken off; {earlier[1]} units were finished")
    return units


def _fingerprint(array: NDArray[Any]) -> list[Any]:
    found = np.asarray(array)
    order = "F" if found.flags.f_contiguous and not found.flags.c_contiguous else "C"
    plain = np.ascontiguousarray(found.T if order == "F" else found)
    return [found.dtype.str, list(found.shape), order, hashlib.sha256(plain.data if plain.size else b"").hexdigest()]
