"""The fork server: a fresh interpreter that has imported the usual libraries once and forks a supervisor for each unit.

host -- socket --> server -- fork --> supervisor -- fork --> child
The server never imports the caller's `__main__`. Each unit has a socket of its own between host and supervisor: the supervisor
says how the child ended, and kills everything below itself when the host says so, goes away, or a limit is passed.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from qaudit.sandbox import child, limits
from qaudit.sandbox.job import Limits

PRELOAD = (
    "numpy",
    "pandas",
    "scipy.special",
    "scipy.stats",
    "pluggy",
    "sklearn.pipeline",
    "sklearn.compose",
    "sklearn.linear_model",
    "sklearn.preprocessing",
    "sklearn.impute",
    "sklearn.tree",
    "sklearn.ensemble",
    "sklearn.neural_network",
    "skops.io",
    "qaudit.api",
    "qaudit.engine.sweep",
)
MEMORY_EVERY = 0.1
LOOK_EVERY = 0.5


@dataclass
class SupervisedUnit:
    """One unit under supervision."""

    pid: int
    started: float
    end: str = "ended"
    peak: int = 0
    logged: int = 0


def main() -> None:
    """Serve until the host's end of the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    host = os.getppid()
    isolated, countable = limits.isolate_network(), limits.can_limit_processes()
    for name in PRELOAD:
        with suppress(ImportError):  # a missing library is the task's own message, not ours
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # pages of long-lived objects stay shared after a fork
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are reaped by the system
    control.sendall(b"1" if isolated else b"0")
    while os.getppid() == host:
        if not select.select([control], [], [], LOOK_EVERY)[0]:
            continue
        message, handles, _, _ = socket.recv_fds(control, 65536, 1)
        if not message:
            return
        if os.fork() == 0:
            try:
                control.close()
                supervise(socket.socket(fileno=handles[0]), json.loads(message), countable)
            finally:
                os._exit(0)
        os.close(handles[0])
        control.sendall(b"k")


def supervise(host: socket.socket, order: dict[str, object], countable: bool) -> None:
    """Fork the child, watch it, end everything below it, and tell the host in one JSON line.

    `countable`: the system can limit the processes of this unit, the supervisor among them.
    """
    server = os.getppid()
    folder = Path(str(order["folder"]))
    allowed = Limits(**order["limits"])  # type: ignore[arg-type]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    limits.adopt_orphans()
    limited = countable and limits.limit_processes(limits.TASKS)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        child.main(folder, allowed, writer)
    os.close(writer)
    os.set_blocking(reader, False)
    watch = SupervisedUnit(pid, time.monotonic())
    status = _watched(watch, host, reader, folder, allowed, server)
    if _end_all(pid) > limits.PROCESSES and watch.end == "ended":
        watch.end = "too many processes"  # it ended before they were counted, perhaps since the system allowed no more
    _drain(reader, folder, watch)
    seconds = time.monotonic() - watch.started
    if watch.end == "host gone":
        shutil.rmtree(folder, ignore_errors=True)
    line = {"end": watch.end, "status": status, "peak": watch.peak, "seconds": round(seconds, 4), "limited": limited}
    with suppress(OSError):
        host.sendall(json.dumps(line).encode() + b"\n")


def _watched(watch: SupervisedUnit, host: socket.socket, reader: int, folder: Path, allowed: Limits, server: int) -> int | None:
    """Wait for the child's end or the first broken limit. Returns the wait status, None where it was killed."""
    root = psutil.Process()
    ending = os.pidfd_open(watch.pid) if hasattr(os, "pidfd_open") else None
    waiting = [number for number in (host.fileno(), reader, ending) if number is not None]
    looked = watch.started
    while True:
        ready = select.select(waiting, [], [], MEMORY_EVERY if ending is not None else 0.01)[0]
        done, status = os.waitpid(watch.pid, os.WNOHANG)
        if done:
            return status
        now = time.monotonic()
        if reader in ready and not _drain(reader, folder, watch):
            waiting.remove(reader)  # an ended pipe is always ready: do not spin on it
        if now - looked >= MEMORY_EVERY:
            looked = now
            watch.end = _broken_limit(watch, root, folder, allowed)
        if host.fileno() in ready or os.getppid() != server:
            watch.end = "host gone"
        if now - watch.started > allowed.seconds:
            watch.end = "timed out"
        if watch.end != "ended":
            return None


def _broken_limit(watch: SupervisedUnit, root: psutil.Process, folder: Path, allowed: Limits) -> str:
    memory, count = limits.tree_memory(root)
    watch.peak = max(watch.peak, memory)
    if count > limits.PROCESSES:
        return "too many processes"
    if memory > allowed.memory and limits.shared_memory(root) > allowed.memory:
        return "out of memory"
    return "too many bytes" if limits.folder_bytes(folder, allowed.answer) > allowed.answer else "ended"


def _drain(reader: int, folder: Path, watch: SupervisedUnit) -> bool:
    """Keep the first bytes that were printed, drop the rest; a few blocks a call, so a flood cannot hold us. False at the end."""
    for _ in range(16):
        try:
            block = os.read(reader, 65536)
        except BlockingIOError:
            return True
        if not block:
            return False
        kept = block[: max(0, limits.LOG_BYTES - watch.logged)]
        watch.logged += len(kept)
        if kept:
            with open(folder / "log.txt", "ab") as log:
                log.write(kept)
    return True


def _end_all(pid: int) -> int:
    """SIGKILL to the child's group and all processes below this one, again until none is left. How many there were at first."""
    root = psutil.Process()
    deadline = time.monotonic() + 5
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    found = None
    while time.monotonic() < deadline:
        below = root.children(recursive=True)
        found = len(below) if found is None else found
        for process in below:
            with suppress(psutil.Error):
                process.kill()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            break
        time.sleep(0.002)
    return found or 0


if __name__ == "__main__":
    main()
