"""Resource limits that the operating system enforces on a child.

The supervisor watches time and memory itself (server.py); these limits hold where a child is faster than the supervisor looks.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from qaudit.sandbox.job import Limits

PROCESSES = 64
"""The supervisor stops a unit in which it counts more processes than this."""
TASKS = 512
"""Processes and threads that the system lets a unit have at any time, where it can count them apart from the user's others.

Higher than PROCESSES, since it counts threads too and only has to stop a fork bomb.
"""
LOG_BYTES = 2**20
_ADDRESS_SLACK = 2**30
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36

SINGLE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "NUMEXPR_MAX_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",
}


def scrubbed_environment() -> dict[str, str]:
    """The environment variables of every child.

    Of the user's own only those are passed that are needed to find programs and libraries: others may hold secrets, or change
    results between machines.
    """
    inherited = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ
    }
    paths = [os.path.abspath(entry or os.curdir) for entry in sys.path]
    fixed = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
    return {**inherited, **fixed, **SINGLE_THREAD, "PYTHONPATH": os.pathsep.join(paths)}


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def isolate_network() -> bool:
    """Move this process into an empty network namespace. False where the system does not allow it."""
    libc = _libc()
    if libc is None:
        return False
    return libc.unshare(_CLONE_NEWNET) == 0 or _enter_user_namespace(libc, _CLONE_NEWNET)


def _enter_user_namespace(libc: ctypes.CDLL, other_namespaces: int = 0) -> bool:
    """Move this process into its own user namespace, where it keeps user and group ids. False where the system refuses.

    `other_namespaces` are flags of further namespaces to create in the same call.
    """
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | other_namespaces) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        except OSError:
            continue
    return True


def limit_processes(most: int) -> bool:
    """Limit the processes and threads of this process and its descendants to `most` at a time. False where the system cannot.

    RLIMIT_NPROC counts all processes of a user, so by itself it would stop a unit for what the user runs elsewhere. In a user
    namespace of its own only the processes inside are counted. Call it only after `can_limit_processes` returned True.
    """
    libc = _libc()
    if libc is None or not _enter_user_namespace(libc):
        return False
    _limit(resource.RLIMIT_NPROC, most)
    return True


def can_limit_processes() -> bool:
    """Try whether the limit works: under a limit of two processes a first child must start and a second must not.

    The limit has no effect for root or without user namespaces. Before Linux 5.14 the user's other processes are counted, so
    that not even the first child starts.
    """
    pid = os.fork()
    if pid == 0:
        enforced = False
        with suppress(OSError):
            if limit_processes(2) and _started():
                enforced = not _started()
        os._exit(0 if enforced else 1)
    return os.waitpid(pid, 0)[1] == 0


def _started() -> bool:
    """Whether a child process could be started. It ends at once, but is counted until its parent waits for it."""
    try:
        pid = os.fork()
    except BlockingIOError:
        return False
    if pid == 0:
        os._exit(0)
    return True


def adopt_orphans() -> None:
    """Make descendants whose parent has ended children of this process, so that it can still find and stop them."""
    libc = _libc()
    if libc is not None:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Ask the system to kill this process when its parent ends."""
    libc = _libc()
    if libc is not None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def restrict(limits: Limits) -> None:
    """Set the resource limits of this process. Call it after the imports: under a low address limit they can loop endlessly."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, limits.answer)
    _limit(resource.RLIMIT_CPU, math.ceil(limits.seconds) + 5)
    if sys.platform == "linux":
        _limit(resource.RLIMIT_AS, psutil.Process().memory_info().vms + limits.memory + _ADDRESS_SLACK)


def _limit(resource_number: int, value: int) -> None:
    hard = resource.getrlimit(resource_number)[1]
    bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(resource_number, (bounded, bounded))


def tree_memory(root: psutil.Process) -> tuple[int, int]:
    """Resident bytes and number of the processes below `root`."""
    total, count = 0, 0
    for process in root.children(recursive=True):
        try:
            total += process.memory_info().rss
            count += 1
        except psutil.Error:
            continue
    return total, count


def shared_memory(root: psutil.Process) -> int:
    """Bytes of memory of the processes below `root`, where a page shared by several processes is divided among them.

    Forks of one process share most of their pages, so the sum of resident sizes is too high. This exact figure is slow, and is
    asked for only where that sum is above the limit.
    """
    total = 0
    for process in root.children(recursive=True):
        try:
            info = process.memory_full_info()
            total += getattr(info, "pss", info.uss)
        except psutil.Error:
            continue
    return total


def folder_bytes(folder: Path, enough: int) -> int:
    """Bytes on disk that a unit wrote into its folder: its working files and its answer.

    Counting stops beyond `enough` bytes or 10,000 files, so that a unit cannot slow its supervisor by writing many files.
    """
    total = count = 0
    waiting = [folder / "work", folder / "out"]
    while waiting and total <= enough and count < 10_000:
        try:
            for entry in os.scandir(waiting.pop()):
                status = entry.stat(follow_symlinks=False)
                count += 1
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(Path(entry.path))
                total += status.st_blocks * 512
        except OSError:
            continue
    return total if count < 10_000 else max(total, enough + 1)
