"""What a child may use, set by the operating system: the backstops behind the clock and the memory watch of the supervisor."""

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
"""A unit with more processes is stopped when they are counted next."""
TASKS = 512
"""Processes and threads that the system lets a unit have at any time, where it can count them apart from the user's others."""
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
    """The environment of every child: nothing of the user's but what finding programs and libraries needs."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ
    }
    paths = [os.path.abspath(entry or os.curdir) for entry in sys.path]
    fixed = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
    return {**kept, **fixed, **SINGLE_THREAD, "PYTHONPATH": os.pathsep.join(paths)}


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def isolate_network() -> bool:
    """Move this process into an empty network namespace. False where the system does not allow it."""
    libc = _libc()
    if libc is None:
        return False
    return libc.unshare(_CLONE_NEWNET) == 0 or _own_users(libc, _CLONE_NEWNET)


def _own_users(libc: ctypes.CDLL, also: int = 0) -> bool:
    """Move this process into a user namespace of its own, where it has the same user and group; `also` into others with it."""
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | also) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        except OSError:
            continue
    return True


def limit_processes(most: int) -> bool:
    """Let this process, its threads and all that it starts be at most `most` at a time. False where the system cannot.

    RLIMIT_NPROC counts all that a user runs, so set without more it would stop a unit for what the user does elsewhere. In a user
    namespace of its own only what is inside counts. Call it where `can_limit_processes` has tried.
    """
    libc = _libc()
    if libc is None or not _own_users(libc):
        return False
    _limit(resource.RLIMIT_NPROC, most)
    return True


def can_limit_processes() -> bool:
    """Try it: of a process that may be two, the first child starts and the second does not.

    Nothing is limited for root, nor without user namespaces. Before Linux 5.14 the user's other processes count: no child starts.
    """
    pid = os.fork()
    if pid == 0:
        held = False
        with suppress(OSError):
            if limit_processes(2) and _started():
                held = not _started()
        os._exit(0 if held else 1)
    return os.waitpid(pid, 0)[1] == 0


def _started() -> bool:
    """Whether a child could be started. It ends at once, and counts until somebody waits for it."""
    try:
        pid = os.fork()
    except BlockingIOError:
        return False
    if pid == 0:
        os._exit(0)
    return True


def adopt_orphans() -> None:
    """Grandchildren whose parent ended become children of this process, so that none can slip away."""
    libc = _libc()
    if libc is not None:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """SIGKILL for this process when its parent dies."""
    libc = _libc()
    if libc is not None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def restrict(limits: Limits) -> None:
    """Set the resource limits of this process. Called after imports: set earlier, a low address limit makes imports spin."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, limits.answer)
    _limit(resource.RLIMIT_CPU, math.ceil(limits.seconds) + 5)
    if sys.platform == "linux":
        _limit(resource.RLIMIT_AS, psutil.Process().memory_info().vms + limits.memory + _ADDRESS_SLACK)


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (bounded, bounded))


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
    """Bytes of the processes below `root`, each page counted once however many share it. Slow: asked where the quick sum is too
    large, since forks of one process share most of theirs."""
    total = 0
    for process in root.children(recursive=True):
        try:
            found = process.memory_full_info()
            total += getattr(found, "pss", found.uss)
        except psutil.Error:
            continue
    return total


def folder_bytes(folder: Path, enough: int) -> int:
    """Bytes that a unit wrote into its folder: its own files and its answer. Stops counting beyond `enough`, or 10,000 files."""
    total = count = 0
    waiting = [folder / "work", folder / "out"]
    while waiting and total <= enough and count < 10_000:
        try:
            for entry in os.scandir(waiting.pop()):
                found = entry.stat(follow_symlinks=False)
                count += 1
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(Path(entry.path))
                total += found.st_blocks * 512
        except OSError:
            continue
    return total if count < 10_000 else max(total, enough + 1)
