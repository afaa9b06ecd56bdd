"""What a unit sees and may use: no secret, no network, a folder of its own, nothing left of it whoever dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from qaudit.sandbox import runner
from qaudit.sandbox.job import Limits, Outcome, PluginRef

PROBE = """
import json, os, resource, socket, sys
from qaudit import Decline, hookimpl

@hookimpl
def qaudit_offer_quantizers(subject):
    {body}
    raise Decline(json.dumps(found))
"""


@pytest.fixture
def _own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that begins with this test's environment and open files. To start one takes two seconds: other tests take any."""
    monkeypatch.setenv("QAUDIT_TEST_SECRET", "hunter2")
    _stop()


def _stop() -> None:
    while runner._servers:
        runner._servers.pop().stop()


def ask(tmp_path: Path, body: str, limits: Limits = Limits(seconds=30)) -> Outcome:  # noqa: B008
    file = tmp_path / "probe.py"
    file.write_text(PROBE.format(body=body))
    return runner.run(
        "echo", {}, plugins=[PluginRef("quantizer", "probe", "probe.py", "unpackaged", "", "", str(file))], limits=limits
    )


def told(tmp_path: Path, body: str) -> Any:
    failure = ask(tmp_path, body).failure
    assert failure is not None
    assert failure.kind == "declined", failure
    return json.loads(failure.reason)


@pytest.mark.usefixtures("_own_server")
def test_no_secret_of_the_environment_is_seen(tmp_path: Path) -> None:
    assert os.environ["QAUDIT_TEST_SECRET"] == "hunter2"
    names = told(tmp_path, "found = [key for key in os.environ if 'THREADS' not in key and key[:3] != 'KMP']")
    known = {"PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONPATH"}
    assert set(names) <= known | {"HOME", "TMPDIR", "PWD", "LOKY_MAX_CPU_COUNT"}
    assert told(tmp_path, "found = 'hunter2' in repr(os.environb)") is False


def test_the_folder_is_private_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "found = [os.stat('.').st_mode, os.stat('..').st_mode, os.umask(0), os.environ['HOME'] == os.getcwd()]"
    work, unit, umask, home = told(tmp_path, body)
    assert (stat.S_IMODE(work), stat.S_IMODE(unit), umask, home) == (0o700, 0o700, 0o077, True)
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    told(tmp_path, "open('left behind', 'w').close(); found = 1")
    assert list(own.iterdir()) == []


@pytest.mark.usefixtures("_own_server")
def test_input_is_closed_and_no_file_of_the_host_is_open(tmp_path: Path) -> None:
    secret = (tmp_path / "secret").open("w")
    os.set_inheritable(secret.fileno(), True)
    try:
        links = told(
            tmp_path, "found = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')[:9] if fd in '012']"
        )
        assert links[0] == "null"
        assert told(tmp_path, "found = sys.stdin.read()") == ""
        body = "found = any('secret' in os.readlink(e.path) for e in os.scandir('/proc/self/fd') if os.path.exists(e.path))"
        assert told(tmp_path, body) is False
    finally:
        secret.close()


def test_own_session_and_limits_of_the_system(tmp_path: Path) -> None:
    kinds = "(resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)"
    body = f"found = [os.getsid(0) == os.getpid(), *(resource.getrlimit(kind)[0] for kind in {kinds})]"
    assert told(tmp_path, body) == [True, 0, Limits().answer]


def test_nothing_on_this_machine_is_reached_where_the_network_is_isolated(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = told(tmp_path, f"s = socket.socket(); found = s.connect_ex(('127.0.0.1', {port}))")
    assert (found != 0) == (runner.network_state() == "isolated")


def test_an_answer_beyond_its_limit_is_refused(tmp_path: Path) -> None:
    failure = ask(tmp_path, "found = 'x' * 2**24; open('big', 'w').write(found)", Limits(seconds=30, answer=2**20)).failure
    assert failure is not None
    assert failure.reason == "OSError: [Errno 27] File too large (while offering records)"


@pytest.mark.slow
def test_children_die_with_a_killed_server_and_the_next_unit_runs(tmp_path: Path) -> None:
    body = "import subprocess, time; subprocess.Popen(['sleep', '611'], start_new_session=True); time.sleep(600); found = 0"
    outcomes: list[Outcome] = []
    waiting = threading.Thread(target=lambda: outcomes.append(ask(tmp_path, body)))
    waiting.start()
    server = None
    deadline = time.monotonic() + 30
    below: list[psutil.Process] = []
    while len(below) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
        if runner._servers:
            server = psutil.Process(runner._servers[-1].process.pid)
            below = server.children(recursive=True)
    assert server is not None
    assert len(below) >= 3, "supervisor, child and grandchild"
    os.kill(server.pid, signal.SIGKILL)
    waiting.join(20)
    assert not waiting.is_alive()
    _, alive = psutil.wait_procs(below, timeout=5)
    assert alive == []
    assert outcomes[0].failure is not None
    assert outcomes[0].failure.kind == "crashed"
    assert told(tmp_path, "found = 1") == 1


def test_an_input_that_was_changed_is_told_of_the_one_who_changed_it(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(b"as it was")
    file = tmp_path / "probe.py"
    body = "os.chmod('../model/model.bin', 0o600); open('../model/model.bin', 'a').write('!'); found = 1"
    file.write_text(PROBE.format(body=body))
    ref = PluginRef("quantizer", "probe", "probe.py", "unpackaged", "", "", str(file))
    failure = runner.run("echo", {"model": str(model)}, plugins=[ref]).failure
    assert failure is not None
    assert (failure.kind, failure.reason) == ("broken contract", "changed the file model.bin, which it was given to read")
    assert model.read_bytes() == b"as it was"
