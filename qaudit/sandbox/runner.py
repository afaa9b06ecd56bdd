"""Runs foreign code in child processes: `run` one unit, `run_many` several. The host imports no plugin and loads no model."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qaudit.core.json_values import Json
from qaudit.core.records import Decline
from qaudit.errors import Refused
from qaudit.sandbox import child, repro
from qaudit.sandbox.ipc import BrokenAnswer, plain_reason, read_answer, read_phase
from qaudit.sandbox.job import Arrays, Call, Failure, FailureKind, Limits, Outcome, PluginRef
from qaudit.sandbox.limits import PROCESSES, scrubbed_environment
from qaudit.sandbox.unit_inputs import UnitInputs

_WHILE = {
    "start": "starting",
    "import": "importing the plugin",
    "offer": "offering records",
    "load": "loading the model",
    "encode": "encoding rows",
    "predict": "predicting",
    "recognise": "recognising the file",
    "refit": "refitting",
    "quantize": "quantizing",
    "explain": "explaining",
    "render": "rendering",
    "read": "reading",
}
_MODEL_PHASES = ("load", "encode", "predict")
_KINDS = ("raised", "declined", "refused", "out of memory", "broken contract")
_GRACE = 20.0
_DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class Debugging:
    """Options for plugin authors: `here` names tasks that run in this process, `keep` a folder that receives failed units."""

    here: tuple[str, ...] = ()
    keep: Path | None = None


_debugging = [Debugging()]


@contextlib.contextmanager
def debugging(how: Debugging) -> Iterator[None]:
    """Run units with these debugging options inside the `with` block."""
    _debugging.append(how)
    try:
        yield
    finally:
        _debugging.pop()


class _Server:
    """The fork server that belongs to this process; the first unit or `warm` starts it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.lock = threading.Lock()
        host_end, server_end = socket.socketpair()
        command = [sys.executable, "-P", "-m", "qaudit.sandbox.server", str(server_end.fileno())]
        self.process = subprocess.Popen(
            command,
            pass_fds=(server_end.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("QAUDIT_TRACE") else subprocess.DEVNULL,
            env=scrubbed_environment(),
            start_new_session=True,  # Ctrl-C goes to the host alone; closing the socket ends the server
        )
        server_end.close()
        self.control = host_end
        self.network: str | None = None
        self.limited: bool | None = None

    def order(self, folder: Path, limits: Limits) -> socket.socket:
        """Request a child for the unit in `folder`; returns the socket on which its supervisor reports."""
        host_end, supervisor_end = socket.socketpair()
        message = json.dumps({"folder": str(folder), "limits": dataclasses.asdict(limits)}).encode()
        with self.lock, supervisor_end:
            if self.network is None:
                self.network = {b"1": "isolated", b"0": "not isolated"}.get(self.control.recv(1))
            socket.send_fds(self.control, [message], [supervisor_end.fileno()])
            if self.control.recv(1) != b"k":
                raise OSError("the fork server is gone")
        return host_end

    def alive(self) -> bool:
        return self.owner == os.getpid() and self.process.poll() is None

    def stop(self) -> None:
        """Close the socket, which ends the server, and wait for it."""
        self.control.close()
        if self.owner == os.getpid():
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


_servers: list[_Server] = []
_starting = threading.Lock()


def warm() -> None:
    """Start the fork server now, so that it imports while the host does something else. Optional."""
    _server()


def network_state() -> str:
    """Whether units have no network: "isolated", "not isolated", or "no unit ran"."""
    return (_servers[-1].network or "no unit ran") if _servers else "no unit ran"


def process_state() -> str:
    """Whether the system limits the processes of every unit: "limited", "counted" (by the supervisor only), or "no unit ran"."""
    limited = _servers[-1].limited if _servers else None
    return "no unit ran" if limited is None else "limited" if limited else "counted"


def _server() -> _Server:
    with _starting:
        if not _servers or not _servers[-1].alive():
            _servers.clear()
            _servers.append(_Server())
            atexit.register(_servers[-1].stop)
        return _servers[-1]


def run(
    task: str,
    request: Json,
    arrays: Arrays | None = None,
    *,
    plugins: Sequence[PluginRef] = (),
    limits: Limits = _DEFAULT,
    in_process: bool = False,
) -> Outcome:
    """Run qaudit.sandbox.tasks.<task> in a child with `plugins` loaded, and return its answer or its failure.

    Arrays are numeric (dtype kinds b, i, u, f). Nothing that the child does raises an exception here. `in_process` runs the
    task in this process, for debugging: only Decline and Refused become failures, other exceptions are not caught.
    """
    how = _debugging[-1]
    if in_process or task in how.here:
        return _run_in_process(task, request, arrays or {}, plugins)
    folder = Path(tempfile.mkdtemp(prefix="qaudit-unit-"))
    try:
        inputs = UnitInputs.write(folder, task, request, arrays or {}, plugins)
        server = _server()
        with server.order(folder, limits) as connection:
            report = _report(connection, limits)
        if report:
            server.limited = bool(report.get("limited")) and server.limited is not False
        outcome = _outcome(folder, limits, report)
        outcome = _unchanged(inputs, outcome, read_phase(folder))
        if how.keep is not None and (reason := repro.failure_reason(outcome)) is not None:
            repro.keep_unit(folder, how.keep, task, plugins, reason)
        return outcome
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep_unit(call: Call, outcome: Outcome, reason: str) -> None:
    """Save, for a plugin's author, a unit whose answer only the host can find wrong.

    Its folder was removed when the unit ended, so it is written again from the call.
    """
    parent = _debugging[-1].keep
    if parent is None or outcome.failure is not None or repro.failure_reason(outcome) is not None:  # saved already, or declined
        return
    with tempfile.TemporaryDirectory(prefix="qaudit-unit-") as folder:
        UnitInputs.write(Path(folder), call.task, call.request, call.arrays, call.plugins)
        repro.keep_unit(Path(folder), parent, call.task, call.plugins, reason)


def run_call(call: Call) -> Outcome:
    """As `run`, for the arguments as one value."""
    return run(call.task, call.request, call.arrays, plugins=call.plugins, limits=call.limits)


def run_many(calls: Sequence[Call], jobs: int = 2, run_one: Callable[[Call], Outcome] = run_call) -> list[Outcome]:
    """Run several units, at most `jobs` at a time. The outcomes are in the order of `calls`, whichever unit ends first."""
    if jobs <= 1 or len(calls) < 2:
        return [run_one(call) for call in calls]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(run_one, calls))


def _run_in_process(task: str, request: Json, arrays: Arrays, plugins: Sequence[PluginRef]) -> Outcome:
    phases = ["start"]
    try:
        answer, answer_arrays = child.perform(task, request, arrays, list(plugins), phases.append)
    except (Decline, Refused) as error:
        kind, reason = child.failure_of(error)
        return Outcome({}, {}, _failure(kind, phases[-1], reason))
    return Outcome(answer, answer_arrays)


def _report(connection: socket.socket, limits: Limits) -> dict[str, Any]:
    """The report that the supervisor sends as its last line; empty where it sent none in time."""
    connection.settimeout(limits.seconds + _GRACE)
    received = b""
    try:
        while not received.endswith(b"\n") and len(received) < 4096:
            block = connection.recv(4096)
            if not block:
                return {}
            received += block
    except OSError:
        return {}
    report: dict[str, Any] = json.loads(received)
    return report


def _outcome(folder: Path, limits: Limits, report: dict[str, Any]) -> Outcome:
    phase = read_phase(folder)
    _trace(folder, phase, report)
    ended = _ended_badly(report, limits)
    if ended is not None:
        kind, text = ended
        return Outcome({}, {}, _failure(kind, phase, f"{text} while {doing(phase)}"))
    if not (folder / "answer.json").exists():
        return Outcome({}, {}, _failure("no answer", phase, f"ended without an answer while {doing(phase)}"))
    try:
        answer, arrays = read_answer(folder, limits.answer)
    except BrokenAnswer as error:
        return Outcome({}, {}, _failure("broken contract", phase, plain_reason(str(error))))
    if "failure" in answer:
        return Outcome({}, {}, _stated_failure(answer["failure"], phase))
    if not isinstance(answer.get("answer"), dict):
        return Outcome({}, {}, _failure("broken contract", phase, "the answer is not a JSON object"))
    return Outcome(answer["answer"], arrays)


def _unchanged(inputs: UnitInputs, outcome: Outcome, phase: str) -> Outcome:
    """The outcome, or a failure where the unit changed its input files: its answer may then rest on changed data."""
    changed = inputs.changed()
    if changed is None or (outcome.failure is not None and outcome.failure.kind == "crashed"):
        return outcome
    return Outcome({}, {}, _failure("broken contract", phase, f"changed {changed}, which it was given to read"))


def _ended_badly(report: dict[str, Any], limits: Limits) -> tuple[FailureKind, str] | None:
    """Kind and text of the failure where the supervisor or the system ended the child; None where it ended by itself."""
    end, status = report.get("end"), report.get("status")
    if end == "timed out":
        return "timed out", f"timed out after {limits.seconds:g} s"
    if end == "out of memory":
        return "out of memory", f"used more than {_size(limits.memory)} of memory"
    if end == "too many processes":
        return "crashed", f"started more than {PROCESSES} processes"
    if end == "too many bytes":
        return "crashed", f"wrote more than {_size(limits.answer)} of files"
    if end != "ended" or not isinstance(status, int):
        return "crashed", "crashed (its supervisor ended)"
    if not os.WIFSIGNALED(status):
        return None
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        return "timed out", f"timed out after {limits.seconds:g} s of processor time"
    return "crashed", f"crashed ({signal.Signals(number).name})"


def _size(count: int) -> str:
    """A number of bytes as text, for example "4 GiB" or "400 MiB"."""
    return f"{count / 2**30:.3g} GiB" if count >= 2**30 else f"{count / 2**20:.3g} MiB"


def _stated_failure(stated: Any, phase: str) -> Failure:
    """The failure that the child states. The child is not trusted, so the kind is checked and the text cleaned again."""
    kind = stated.get("kind") if isinstance(stated, dict) else None
    if kind not in _KINDS:
        return _failure("broken contract", phase, "the answer names no known kind of failure")
    reason = plain_reason(str(stated.get("reason", "")), 600)
    if kind in ("raised", "out of memory"):
        reason = f"{reason} (while {doing(phase)})"
    return _failure(kind, phase, reason)


def _failure(kind: FailureKind, phase: str, reason: str) -> Failure:
    return Failure(kind, phase, reason, "model" if phase in _MODEL_PHASES else "plugin")


def doing(phase: str) -> str:
    """A phase as the end of a sentence, for example "quantizing"."""
    return _WHILE.get(phase, f"in phase {phase}")


def _trace(folder: Path, phase: str, report: dict[str, Any]) -> None:
    """With QAUDIT_TRACE=1, print the output of each unit, for plugin authors."""
    if not os.environ.get("QAUDIT_TRACE"):
        return
    log = folder / "log.txt"
    text = log.read_text("utf-8", "replace") if log.is_file() else ""
    print(f"unit {folder.name}: {report}, phase {phase}\n{text}", file=sys.stderr)
