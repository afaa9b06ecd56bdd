"""Foreign work in child processes: `run` one unit, `run_many` several. The host imports no plugin and loads no model."""

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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qaudit.core.json_values import Json
from qaudit.core.records import Decline
from qaudit.errors import Refused
from qaudit.sandbox import child, repro
from qaudit.sandbox.ipc import BrokenAnswer, plain_reason, read_answer, read_phase
from qaudit.sandbox.job import Arrays, Failure, FailureKind, Limits, Outcome, PluginRef
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


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of `run`, as `run_many` takes it."""

    task: str
    request: Json
    arrays: Arrays = field(default_factory=dict)
    plugins: Sequence[PluginRef] = ()
    limits: Limits = _DEFAULT


@dataclass(frozen=True, slots=True)
class Debugging:
    """For plugin authors: `here` names tasks that run in this process, `keep` a folder for the units that had trouble."""

    here: tuple[str, ...] = ()
    keep: Path | None = None


_debugging = [Debugging()]


@contextlib.contextmanager
def debugging(how: Debugging) -> Iterator[None]:
    """Run units that way for a while."""
    _debugging.append(how)
    try:
        yield
    finally:
        _debugging.pop()


class _Server:
    """The fork server of this process; started by the first unit or by `warm`."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.lock = threading.Lock()
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "qaudit.sandbox.server", str(theirs.fileno())]
        self.process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("QAUDIT_TRACE") else subprocess.DEVNULL,
            env=scrubbed_environment(),
            start_new_session=True,  # Ctrl-C is the host's; closing the socket ends the rest
        )
        theirs.close()
        self.control = ours
        self.network: str | None = None
        self.limited: bool | None = None

    def order(self, folder: Path, limits: Limits) -> socket.socket:
        """Ask for a child; returns the socket on which its supervisor reports."""
        ours, theirs = socket.socketpair()
        message = json.dumps({"folder": str(folder), "limits": dataclasses.asdict(limits)}).encode()
        with self.lock, theirs:
            if self.network is None:
                self.network = {b"1": "isolated", b"0": "not isolated"}.get(self.control.recv(1))
            socket.send_fds(self.control, [message], [theirs.fileno()])
            if self.control.recv(1) != b"k":
                raise OSError("the fork server is gone")
        return ours

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
    """isolated, not isolated, or "no unit ran"."""
    return (_servers[-1].network or "no unit ran") if _servers else "no unit ran"


def process_state() -> str:
    """Whether the system limits the processes of every unit ("limited"), or they are just counted; or "no unit ran"."""
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

    Arrays are numeric (dtype kinds b, i, u, f). Never raises for what the child does. `in_process` runs the task here, for
    debugging: only Decline and Refused become failures, anything else passes through.
    """
    how = _debugging[-1]
    if in_process or task in how.here:
        return _here(task, request, arrays or {}, plugins)
    folder = Path(tempfile.mkdtemp(prefix="qaudit-unit-"))
    try:
        given = UnitInputs.write(folder, task, request, arrays or {}, plugins)
        server = _server()
        with server.order(folder, limits) as line:
            report = _report(line, limits)
        if report:
            server.limited = bool(report.get("limited")) and server.limited is not False
        outcome = _outcome(folder, limits, report)
        outcome = _unchanged(given, outcome, read_phase(folder))
        if how.keep is not None and (reason := repro.failure_reason(outcome)) is not None:
            repro.keep_unit(folder, how.keep, task, plugins, reason)
        return outcome
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep_unit(call: Call, outcome: Outcome, reason: str) -> None:
    """Keep, for a plugin's author, the unit of an answer in which only the host finds what is wrong. Its folder is made anew."""
    into = _debugging[-1].keep
    if into is None or outcome.failure is not None or repro.failure_reason(outcome) is not None:  # kept already, or it declined
        return
    with tempfile.TemporaryDirectory(prefix="qaudit-unit-") as folder:
        UnitInputs.write(Path(folder), call.task, call.request, call.arrays, call.plugins)
        repro.keep_unit(Path(folder), into, call.task, call.plugins, reason)


def run_many(calls: Sequence[Call], jobs: int = 2) -> list[Outcome]:
    """Run several units, at most `jobs` at a time; outcomes in the order of `calls`, whatever the order of ending."""

    def one(call: Call) -> Outcome:
        return run(call.task, call.request, call.arrays, plugins=call.plugins, limits=call.limits)

    if jobs <= 1 or len(calls) < 2:
        return [one(call) for call in calls]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(one, calls))


def _here(task: str, request: Json, arrays: Arrays, plugins: Sequence[PluginRef]) -> Outcome:
    reached = ["start"]
    try:
        answer, given = child.perform(task, request, arrays, list(plugins), reached.append)
    except (Decline, Refused) as error:
        kind, reason = child.failure_of(error)
        return Outcome({}, {}, _failure(kind, reached[-1], reason))
    return Outcome(answer, given)


def _report(line: socket.socket, limits: Limits) -> dict[str, Any]:
    """The supervisor's last line; empty where it never came."""
    line.settimeout(limits.seconds + _GRACE)
    text = b""
    try:
        while not text.endswith(b"\n") and len(text) < 4096:
            block = line.recv(4096)
            if not block:
                return {}
            text += block
    except OSError:
        return {}
    report: dict[str, Any] = json.loads(text)
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
        return Outcome({}, {}, _told_failure(answer["failure"], phase))
    if not isinstance(answer.get("answer"), dict):
        return Outcome({}, {}, _failure("broken contract", phase, "the answer is not a JSON object"))
    return Outcome(answer["answer"], arrays)


def _unchanged(given: UnitInputs, outcome: Outcome, phase: str) -> Outcome:
    """The outcome, unless the unit changed what it was given: then whatever it answered is not believed."""
    changed = given.changed()
    if changed is None or (outcome.failure is not None and outcome.failure.kind == "crashed"):
        return outcome
    return Outcome({}, {}, _failure("broken contract", phase, f"changed {changed}, which it was given to read"))


def _ended_badly(report: dict[str, Any], limits: Limits) -> tuple[FailureKind, str] | None:
    """Kind and text where the supervisor or the system ended the child; None where it ended by itself."""
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
    """4 GiB, 400 MiB."""
    return f"{count / 2**30:.3g} GiB" if count >= 2**30 else f"{count / 2**20:.3g} MiB"


def _told_failure(told: Any, phase: str) -> Failure:
    """What the child says of its own failure; only known kinds, and the text is cleaned again on this side."""
    kind = told.get("kind") if isinstance(told, dict) else None
    if kind not in _KINDS:
        return _failure("broken contract", phase, "the answer names no known kind of failure")
    reason = plain_reason(str(told.get("reason", "")), 600)
    if kind in ("raised", "out of memory"):
        reason = f"{reason} (while {doing(phase)})"
    return _failure(kind, phase, reason)


def _failure(kind: FailureKind, phase: str, reason: str) -> Failure:
    return Failure(kind, phase, reason, "model" if phase in _MODEL_PHASES else "plugin")


def doing(phase: str) -> str:
    """A phase as the end of a sentence: "quantizing"."""
    return _WHILE.get(phase, f"in phase {phase}")


def _trace(folder: Path, phase: str, report: dict[str, Any]) -> None:
    """QAUDIT_TRACE=1 prints what each unit printed, for plugin authors."""
    if not os.environ.get("QAUDIT_TRACE"):
        return
    log = folder / "log.txt"
    text = log.read_text("utf-8", "replace") if log.is_file() else ""
    print(f"unit {folder.name}: {report}, phase {phase}\n{text}", file=sys.stderr)
