"""Keeps the outcomes of finished units, so that they are not run again. The hook `qaudit_run_unit` looks here first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qaudit.cache.result_cache import Journal, ResultCache, home
from qaudit.core.json_values import Json
from qaudit.errors import Refused
from qaudit.sandbox.job import Call, Outcome, PluginRef
from qaudit.storage.digests import file_sha256

Mode = Literal["use", "fresh", "none"]
"""Look results up and keep them; keep new ones only; neither."""
_ALWAYS_RUN = ("recognise",)
"""Trust depends on these tasks, so they run every time and read the file itself."""


class UnitCache:
    """The outcomes of units under a key of all that they depend on. It counts the units that ran and those that were kept.

    A problem with the result store never stops an audit: it is reported once and the units run without the store.
    """

    def __init__(
        self,
        results: ResultCache | None,
        facts: Json,
        *,
        journal: Journal | None = None,
        fresh: bool = False,
        around: Callable[[PluginRef], str] = lambda ref: ref.digest,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`facts` is everything that an answer depends on besides its call: versions, processor, code.

        With `fresh` nothing is looked up. `around` gives the digest of the package that a plugin belongs to.
        """
        self._results, self._facts, self._journal = results, facts, journal
        self._fresh, self._progress = fresh, progress
        self._around = cache(around)
        self.notes: list[str] = []
        self._lock = threading.Lock()
        self._files: dict[tuple[Any, ...], str] = {}
        self._asked: dict[Call, tuple[str | None, bool]] = {}
        self.ran = 0
        self.kept = 0

    def look_up(self, call: Call) -> Outcome | None:
        """The kept outcome of this unit; None where it must run. `keep` is to be called afterwards."""
        key = self._key(call)
        outcome = self._results.get(key) if self._results and key and not self._fresh else None
        self._asked[call] = key, outcome is not None
        return outcome

    def keep(self, call: Call, outcome: Outcome) -> None:
        """Keep the outcome of a unit that was looked up before, unless it came from the cache or is a failure."""
        key, known = self._asked.pop(call, (None, False))
        lasts = known or self._keep(key, outcome)
        self._note(call.task, key if lasts else None, known)

    def report(self, line: str) -> None:
        """Tell the user about the store, now as progress and later in the notes of the audit."""
        self.notes.append(line)
        self._progress(line)

    def stopped(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Called at the end of an audit. A refused audit has ended, an interrupted one can be continued."""
        if isinstance(error, Refused):
            self.end()

    def end(self) -> None:
        """Record the end of the audit in the journal, and reduce the store to its allowed size."""
        with contextlib.suppress(OSError):
            if self._journal is not None:
                self._journal.note(ended=True)
            if self._results is not None:
                self._results.trim()
        if self._results is not None and self._results.damaged:
            self.report(f"store: {self._results.damaged} damaged results were computed again")

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
        status = os.stat(path)
        version = (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
        if version not in self._files:
            self._files[version] = file_sha256(path)
        return [path.name, self._files[version]]

    def _keep(self, key: str | None, outcome: Outcome) -> bool:
        """Keep a successful outcome. Returns whether it was kept."""
        results = self._results
        if results is None or key is None or outcome.failure is not None:
            return False
        try:
            return results.put(key, outcome)
        except Refused as error:
            self._give_up(str(error))
            return False

    def _note(self, task: str, key: str | None, kept: bool) -> None:
        """Count a unit, and record it as finished in the journal where its result is kept under `key`."""
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
        """Continue without the store."""
        if self._results is not None:
            self.report(f"store: results are no longer kept: {reason}")
        self._results = None


def open_cache(
    command: Json,
    facts: Json,
    mode: Mode,
    around: Callable[[PluginRef], str],
    progress: Callable[[str], None],
) -> UnitCache:
    """The cache of one run.

    `command` identifies the audit: its journal lists the units that an earlier run of the same command finished.
    """
    if mode == "none":
        return UnitCache(None, facts, progress=progress)
    try:
        folder = home()
        results = ResultCache(folder)
        name = hashlib.sha256(json.dumps(command, sort_keys=True).encode()).hexdigest()[:24]
        journal = Journal(folder / "journals" / f"{name}.jsonl")
        earlier = journal.broken_off()
        journal.begin()
    except (Refused, OSError) as error:
        cache = UnitCache(None, facts, progress=progress)
        cache.report(f"store: results are not kept: {error}")
        return cache
    cache = UnitCache(results, facts, journal=journal, fresh=mode == "fresh", around=around, progress=progress)
    if earlier is not None and earlier[1] and mode == "use":
        cache.report(f"store: continues the interrupted run of {earlier[0]}; {earlier[1]} units were finished")
    return cache


def _fingerprint(array: NDArray[Any]) -> list[Any]:
    values = np.asarray(array)
    order = "F" if values.flags.f_contiguous and not values.flags.c_contiguous else "C"
    plain = np.ascontiguousarray(values.T if order == "F" else values)
    return [values.dtype.str, list(values.shape), order, hashlib.sha256(plain.data if plain.size else b"").hexdigest()]
