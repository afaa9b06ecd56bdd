"""The child process: it loads the plugins of one unit, does its task and writes the answer.

It is forked from the fork server, not from the host, so it never sees the host's memory.
"""

from __future__ import annotations

import faulthandler
import hashlib
import importlib
import os
import random
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from qaudit.core.json_values import Json
from qaudit.core.records import Decline
from qaudit.errors import Refused
from qaudit.sandbox import limits as restricted
from qaudit.sandbox.ipc import PHASE_BYTES, BrokenAnswer, named, plain_reason, read_json, text_of, write_arrays, write_json
from qaudit.sandbox.job import Arrays, FailureKind, Job, Limits, PluginRef
from qaudit.sandbox.plugin_loader import BrokenPlugin, offered, subject_of
from qaudit.sandbox.tasks import module_of

Phase = Callable[[str], None]


def main(folder: Path, limits: Limits, output: int) -> NoReturn:
    """Do the task that is described in `folder`, write the answer there and end the process.

    `output` is the file descriptor that receives standard output and standard error.
    """
    _prepare_process(folder, output)
    phase = _phase_writer(folder)
    try:
        restricted.restrict(limits)
        threadpool_limits(limits=1)
        order = read_json(folder / "request.json")
        seed(order)
        arrays = {name: _mapped_array(folder / "in" / file) for name, file in order["arrays"].items()}
        refs = [PluginRef(**ref) for ref in order["plugins"]]
        answer, answer_arrays = perform(order["task"], order["request"], arrays, refs, phase)
        files = write_arrays(folder / "out", answer_arrays)
        write_json(folder / "answer.json", {"answer": answer, "arrays": files})
    except BaseException as error:  # SystemExit and KeyboardInterrupt of a plugin end the unit, not the audit
        with suppress(BaseException):
            sys.excepthook(type(error), error, error.__traceback__)
        kind, reason = failure_of(error)
        with suppress(BaseException):
            write_json(folder / "answer.json", {"failure": {"kind": kind, "reason": reason}})
    os._exit(0)


def perform(task: str, request: Json, arrays: Arrays, refs: list[PluginRef], phase: Phase) -> tuple[Json, Arrays]:
    """Load the plugins one by one and call the function `work` of the task. Exceptions are not caught here."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", task):
        raise Refused(f"task {task!r}: expected a snake_case name")
    offers: dict[str, list[Any]] = {}
    for ref in refs:
        offers.setdefault(ref.kind, []).extend(offered(ref, subject_of(request), phase))
    phase("start")
    work = importlib.import_module(module_of(task)).work
    result = work(Job(request, arrays, offers, phase))
    if not (isinstance(result, tuple) and len(result) == 2):
        raise BrokenAnswer(f"task {task} gave {type(result).__name__}, expected (answer, arrays)")
    return result


def failure_of(error: BaseException) -> tuple[FailureKind, str]:
    """The kind of the failure, and one line of plain text that describes `error`."""
    text = text_of(error)
    if isinstance(error, Decline):
        return "declined", plain_reason(text) or "declined without a reason"
    if isinstance(error, Refused):
        return "refused", plain_reason(text, 600) or "refused without a reason"
    if isinstance(error, BrokenPlugin | BrokenAnswer):
        return "broken contract", plain_reason(text)
    return ("out of memory" if isinstance(error, MemoryError) else "raised"), plain_reason(named(error))


def _prepare_process(folder: Path, output: int) -> None:
    """Give the process its own session, a private working folder, no input, captured output and default signal handlers.

    All other file descriptors are closed, so that a plugin cannot reach a socket or a file of the server.
    """
    os.setsid()
    restricted.die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 1024)
    work = folder / "work"
    work.mkdir(mode=0o700, exist_ok=True)
    os.chdir(work)
    os.umask(0o077)
    os.environ.update(HOME=str(work), TMPDIR=str(work), PWD=str(work))
    faulthandler.enable(file=2, all_threads=False)


def _phase_writer(folder: Path) -> Phase:
    """A function `phase(name)` that overwrites the first bytes of a file with the current step.

    The host can read the file even after a crash, and so say which step failed.
    """
    file = os.open(folder / "phase", os.O_WRONLY | os.O_CREAT, 0o600)

    def phase(name: str) -> None:
        os.pwrite(file, name.encode("utf-8", "replace")[: PHASE_BYTES - 1].ljust(PHASE_BYTES - 1, b" ") + b"\n", 0)

    return phase


def seed(order: Json) -> None:
    """Seed the global random generators from the request.

    A plugin should use the seed that it receives; one that draws from a global generator nevertheless repeats its results.
    """
    key = hashlib.sha256(f"{order['task']}|{order['request'].get('seed')}".encode()).digest()
    random.seed(key)
    np.random.seed(int.from_bytes(key[:4], "little"))  # noqa: NPY002 - plugins may draw from it


def _mapped_array(path: Path) -> NDArray[Any]:
    """The array of a .npy file, read-only. Larger files are memory-mapped, so that parallel units share their pages."""
    array = np.load(path, allow_pickle=False) if path.stat().st_size < 4096 else np.load(path, mmap_mode="r", allow_pickle=False)
    plain = np.asarray(array)
    plain.flags.writeable = False
    return plain
