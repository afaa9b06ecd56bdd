"""Records the side effects of a plugin: printing, writing files, network, processes, and state that it leaves changed.

An audit hook cannot be removed again, so this is used only in a child process that ends after the check.
"""

from __future__ import annotations

import locale
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = {
    "socket.connect": "connected to a socket",
    "socket.bind": "bound a socket",
    "socket.sendto": "sent a datagram",
    "socket.getaddrinfo": "looked up a host",
    "socket.gethostbyname": "looked up a host",
    "subprocess.Popen": "started a process",
    "os.system": "started a process",
    "os.posix_spawn": "started a process",
    "os.exec": "started a process",
    "os.fork": "forked",
    "os.forkpty": "forked",
    "os.remove": "removed a file",
    "os.rename": "renamed a file",
    "os.mkdir": "made a folder",
    "os.rmdir": "removed a folder",
    "os.symlink": "made a link",
    "os.link": "made a link",
    "os.truncate": "truncated a file",
}


@dataclass(slots=True)
class SideEffectWatch:
    """Records audit events of the interpreter and output on file descriptor 1 while `watching` is active.

    `printed` (bytes) and `seconds` (of processor time) are kept by the part of the work that is named to `watching`.
    """

    side_effects: list[str] = field(default_factory=list)
    printed: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    on: bool = False

    def start(self) -> None:
        """Install the hook; it stays for the life of the process."""
        sys.dont_write_bytecode = True  # the cache that the import system writes is not a side effect of the plugin
        sys.addaudithook(self._on_audit_event)

    def _on_audit_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING and arguments[0] != os.devnull:
            self._note(f"opened {_short(arguments[0])} for writing")
        elif event in _EVENTS:
            self._note(_EVENTS[event])

    def _note(self, text: str) -> None:
        if text not in self.side_effects and len(self.side_effects) < 20:
            self.side_effects.append(text)

    @contextmanager
    def watching(self, part: str) -> Iterator[None]:
        """Record side effects, printed bytes and processor seconds under `part`. A nested use has no effect of its own."""
        if self.on:
            yield
            return
        with tempfile.TemporaryFile() as captured:
            sys.stdout.flush()
            original = os.dup(1)
            os.dup2(captured.fileno(), 1)
            began = time.process_time()
            self.on = True
            try:
                yield
            finally:
                self.on = False
                self.seconds[part] = self.seconds.get(part, 0.0) + time.process_time() - began
                sys.stdout.flush()
                os.dup2(original, 1)
                os.close(original)
                self.printed[part] = self.printed.get(part, 0) + os.fstat(captured.fileno()).st_size


def _short(path: Any) -> str:
    return os.path.basename(os.fsdecode(path)) if isinstance(path, str | bytes) else "a file descriptor"


def state(calls_only: bool = False) -> dict[str, Any]:
    """The state that a call could leave changed, by name.

    `calls_only` leaves out what the first use of a library may change legitimately, such as warning filters or threads.
    """
    mask = os.umask(0o077)
    os.umask(mask)
    values: dict[str, Any] = {
        "numpy's error handling": dict(np.geterr()),
        "numpy's print options": repr(sorted(np.get_printoptions().items(), key=lambda item: item[0])),
        "numpy's global random state": repr(np.random.get_state(legacy=False)),  # noqa: NPY002 - it is what is watched
        "random's global state": random.getstate(),
        "the working folder": os.getcwd(),
        "the file mask": mask,
        "the locale": locale.setlocale(locale.LC_ALL),
        "the recursion limit": sys.getrecursionlimit(),
        "signal handlers": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
    }
    if not calls_only:
        values |= {
            "the environment": dict(os.environ),
            "warning filters": [str(entry) for entry in warnings.filters],
            "sys.path": list(sys.path),
            "running threads": threading.active_count(),
        }
    return values


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names of the parts of the state that differ."""
    return [name for name in before if before[name] != after[name]]
