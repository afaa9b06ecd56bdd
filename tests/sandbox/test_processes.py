"""How many processes a unit may have: counted everywhere, limited by the system where it can count a unit's own."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import secrets  # noqa: F401 - what a unit imports is imported here: another user may not be able to read the interpreter's folder
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy  # noqa: F401
import psutil
import pytest

from qaudit.sandbox import limits, runner, server
from qaudit.sandbox.job import Call, Limits, PluginRef
from qaudit.sandbox.tasks import echo  # noqa: F401

PR_SET_DUMPABLE = 4
OTHER = 65534
"""The user whom units belong to here where the tests run as root, for whom the system limits nothing."""
FORKS = """
import json, os, resource, time
from qaudit import Decline, hookimpl

@hookimpl
def qaudit_offer_quantizers(subject):
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (10, before[1]))
    started = 0
    try:
        for _ in range(20):
            if os.fork() == 0:
                time.sleep(600)
            started += 1
    except BlockingIOError:
        pass
    raise Decline(json.dumps([started, *before]))
"""
BOMB = """
import subprocess, time
from qaudit import hookimpl

@hookimpl
def qaudit_offer_quantizers(subject):
    bomb = "b() { if [ $1 -gt 0 ]; then b $(($1-1)) & b $(($1-1)) & fi; sleep 611.5; }; b 11"
    subprocess.Popen(["/bin/sh", "-c", bomb], stderr=subprocess.DEVNULL)
    time.sleep(600)
"""
LEAVES = """
import os, time
from qaudit import Decline, hookimpl

@hookimpl
def qaudit_offer_quantizers(subject):
    for _ in range(70):
        if os.fork() == 0:
            time.sleep(611.5)
    raise Decline("nothing to see here")
"""


class Forked:
    """In the place of `subprocess.Popen`: the fork server in a fork of this process, which needs no interpreter to start."""

    def __init__(self, command: list[str], *, pass_fds: tuple[int], **more: Any) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            sys.argv = ["server", command[-1]]
            try:
                server.main()
            finally:
                os._exit(0)

    def poll(self) -> None:
        return None

    def wait(self, seconds: float = 0) -> None:
        os.waitpid(self.pid, 0)


def unprivileged(work: Callable[[], object]) -> Any:
    """What `work` gives in a fork of this process, which is that of another user where this one is root's."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        told: object = "nothing"
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(OTHER, OTHER, OTHER)
                os.setresuid(OTHER, OTHER, OTHER)
                ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)  # as after an exec: its own /proc belongs to it
            runner._servers.clear()
            runner.subprocess = SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL)  # type: ignore[assignment]
            told = work()
        except BaseException as error:
            told = repr(error)
        os.write(writer, json.dumps(told).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text)


@pytest.fixture
def plugin() -> Iterator[Callable[[str], PluginRef]]:
    """Writes a plugin where any user can read it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)

    def made(text: str) -> PluginRef:
        (folder / "probe.py").write_text(text)
        (folder / "probe.py").chmod(0o644)
        return PluginRef("quantizer", "probe", "probe.py", "unpackaged", "", "", str(folder / "probe.py"))

    yield made
    shutil.rmtree(folder)


def reason(ref: PluginRef) -> str:
    failure = runner.run("echo", {}, plugins=[ref], limits=Limits(seconds=60)).failure
    return failure.reason if failure is not None else "none"


def namespaces() -> bool:
    """Whether this user may have a user namespace."""
    return subprocess.run(["/bin/sh", "-c", "unshare --user true"], stderr=subprocess.DEVNULL).returncode == 0


def survivors() -> list[int]:
    return [each.pid for each in psutil.process_iter(["cmdline"]) if "611.5" in " ".join(each.info["cmdline"] or [])]


def test_processes_of_a_unit_are_limited_whatever_else_the_user_runs(plugin: Callable[[str], PluginRef]) -> None:
    """Two units at once, and twenty other processes of the same user, who may start more all the while."""
    ref = plugin(FORKS)

    def work() -> object:
        others = [subprocess.Popen(["/bin/sleep", "60"]) for _ in range(20)]
        told = [outcome.failure for outcome in runner.run_many([Call("echo", {}, {}, [ref])] * 2)]
        more = subprocess.run(["/bin/true"]).returncode
        for each in others:
            each.kill()
        return [one.reason if one else "" for one in told], runner.process_state(), namespaces(), more

    told, state, possible, more = unprivileged(work)
    assert more == 0
    assert state == ("limited" if possible else "counted")
    if possible:
        assert [json.loads(each) for each in told] == [[8, limits.TASKS, limits.TASKS]] * 2, "ten: supervisor, child and eight"
    else:
        assert [json.loads(each)[1:] for each in told] == [list(resource.getrlimit(resource.RLIMIT_NPROC))] * 2


def test_the_state_is_told_truly_of_this_user(plugin: Callable[[str], PluginRef]) -> None:
    """Nothing is limited for root, who is not harmed either. In a container that maps it, root is like any other user."""
    started, *allowed = json.loads(reason(plugin(FORKS)))
    root = os.getuid() == 0 and Path("/proc/self/uid_map").read_text().split()[:2] == ["0", "0"]
    possible = not root and namespaces()
    assert runner.process_state() == ("limited" if possible else "counted")
    assert allowed == ([limits.TASKS] * 2 if possible else list(resource.getrlimit(resource.RLIMIT_NPROC)))
    assert started == 20 if root else started <= 8


def test_a_bomb_of_4095_processes_is_stopped(plugin: Callable[[str], PluginRef]) -> None:
    ref = plugin(BOMB)
    assert unprivileged(lambda: reason(ref)) == "started more than 64 processes while offering records"
    assert survivors() == []


def test_a_unit_that_ends_before_its_processes_are_counted_is_told_of(plugin: Callable[[str], PluginRef]) -> None:
    assert reason(plugin(LEAVES)) == "started more than 64 processes while offering records"
    assert survivors() == []


def test_a_system_that_counts_the_users_other_processes_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux did before 5.14: the limit would stop a unit for what the user does elsewhere."""
    monkeypatch.setattr(limits, "_enter_user_namespace", lambda libc, other_namespaces=0: True)
    assert unprivileged(limits.can_limit_processes) is False


def test_a_system_without_user_namespaces_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_enter_user_namespace", lambda libc, other_namespaces=0: False)
    assert unprivileged(limits.can_limit_processes) is False
