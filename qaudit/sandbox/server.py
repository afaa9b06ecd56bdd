"""The fork server: a fresh interpreter that has imported the usual libraries once and forks a supervisor for each unit.

host -- socket --> server -- fork --> supervisor -- fork --> child
The server never imports the caller's `__main__`. Each unit has its own socket between host and supervisor. The supervisor reports
how the child ended; it kills all processes below itself when the host asks for it or ends, or when a limit is exceeded.
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
CHECK_INTERVAL = 0.1
HOST_CHECK_INTERVAL = 0.5


@dataclass
class SupervisedUnit:
    """The state of one supervised unit: how it ended, its peak memory in bytes, the bytes of its output that were logged."""

    pid: int
    started: float
    end: str = "ended"
    peak: int = 0
    logged: int = 0


def main() -> None:
    """Serve until the host's end of the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    host = os.getppid()
    network_isolated, can_limit = limits.isolate_network(), limits.can_limit_processes()
    for name in PRELOAD:
        with suppress(ImportError):  # the task that needs a missing library says so itself
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # pages of long-lived objects stay shared after a fork
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are reaped by the system
    control.sendall(b"1" if network_isolated else b"0")
    while os.getppid() == host:
        if not select.select([control], [], [], HOST_CHECK_INTERVAL)[0]:
            continue
        message, handles, _, _ = socket.recv_fds(control, 65536, 1)
        if not message:
            return
        if os.fork() == 0:
            try:
                control.close()
                supervise(socket.socket(fileno=handles[0]), json.loads(message), can_limit)
            finally:
                os._exit(0)
        os.close(handles[0])
        control.sendall(b"k")


def supervise(host: socket.socket, order: dict[str, object], can_limit: bool) -> None:
    """Fork the child, watch it, end all its processes, and report to the host in one JSON line.

    `can_limit`: the system can limit the number of processes of this unit, the supervisor among them.
    """
    server = os.getppid()
    folder = Path(str(order["folder"]))
    allowed = Limits(**order["limits"])  # type: ignore[arg-type]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    limits.adopt_orphans()
    limited = can_limit and limits.limit_processes(limits.TASKS)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        child.main(folder, allowed, writer)
    os.close(writer)
    os.set_blocking(reader, False)
    unit = SupervisedUnit(pid, time.monotonic())
    status = _wait_for(unit, host, reader, folder, allowed, server)
    if _end_all(pid) > limits.PROCESSES and unit.end == "ended":
        unit.end = "too many processes"  # it ended before the next count, perhaps because the system refused it another process
    _drain(reader, folder, unit)
    seconds = time.monotonic() - unit.started
    if unit.end == "host gone":
        shutil.rmtree(folder, ignore_errors=True)
    line = {"end": unit.end, "status": status, "peak": unit.peak, "seconds": round(seconds, 4), "limited": limited}
    with suppress(OSError):
        host.sendall(json.dumps(line).encode() + b"\n")


def _wait_for(unit: SupervisedUnit, host: socket.socket, reader: int, folder: Path, allowed: Limits, server: int) -> int | None:
    """Wait until the child ends or exceeds a limit. Returns its wait status; None where a limit or the host's end stopped it."""
    root = psutil.Process()
    pid_handle = os.pidfd_open(unit.pid) if hasattr(os, "pidfd_open") else None
    waiting = [number for number in (host.fileno(), reader, pid_handle) if number is not None]
    last_check = unit.started
    while True:
        ready = select.select(waiting, [], [], CHECK_INTERVAL if pid_handle is not None else 0.01)[0]
        ended_pid, status = os.waitpid(unit.pid, os.WNOHANG)
        if ended_pid:
            return status
        now = time.monotonic()
        if reader in ready and not _drain(reader, folder, unit):
            waiting.remove(reader)  # a closed pipe is always ready and would make this loop spin
        if now - last_check >= CHECK_INTERVAL:
            last_check = now
            unit.end = _broken_limit(unit, root, folder, allowed)
        if host.fileno() in ready or os.getppid() != server:
            unit.end = "host gone"
        if now - unit.started > allowed.seconds:
            unit.end = "timed out"
        if unit.end != "ended":
            return None


def _broken_limit(unit: SupervisedUnit, root: psutil.Process, folder: Path, allowed: Limits) -> str:
    memory, count = limits.tree_memory(root)
    unit.peak = max(unit.peak, memory)
    if count > limits.PROCESSES:
        return "too many processes"
    if memory > allowed.memory and limits.shared_memory(root) > allowed.memory:
        return "out of memory"
    return "too many bytes" if limits.folder_bytes(folder, allowed.answer) > allowed.answer else "ended"


def _drain(reader: int, folder: Path, unit: SupervisedUnit) -> bool:
    """Log the first LOG_BYTES that the child prints and drop the rest. False at the end of its output.

    At most 16 blocks are read per call, so that a child that prints without end cannot stop the supervisor from watching it.
    """
    for _ in range(16):
        try:
            block = os.read(reader, 65536)
        except BlockingIOError:
            return True
        if not block:
            return False
        recorded = block[: max(0, limits.LOG_BYTES - unit.logged)]
        unit.logged += len(recorded)
        if recorded:
            with open(folder / "log.txt", "ab") as log:
                log.write(recorded)
    return True


def _end_all(pid: int) -> int:
    """Kill the child's process group and all processes below this one, until none is left. Returns how many there were at first.

    It repeats, because a process may start another one between the listing and the kill.
    """
    root = psutil.Process()
    deadline = time.monotonic() + 5
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    first_count = None
    while time.monotonic() < deadline:
        descendants = root.children(recursive=True)
        first_count = len(descendants) if first_count is None else first_count
        for process in descendants:
            with suppress(psutil.Error):
                process.kill()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            break
        time.sleep(0.002)
    return first_count or 0


if __name__ == "__main__":
    main()
