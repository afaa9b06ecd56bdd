"""What a plugin does besides answering: prints, writes, dials, leaves state behind. For child processes that end soon."""

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
_DEEDS = {
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
    """Listens to the interpreter's audit events and to file descriptor 1 while `watching`."""

    deeds: list[str] = field(default_factory=list)
    printed: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    on: bool = False

    def start(self) -> None:
        """Install the hook; it stays for the life of the process."""
        sys.dont_write_bytecode = True  # the import system's own cache is no deed of the plugin
        sys.addaudithook(self._heard)

    def _heard(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(given[2], int) and given[2] & _WRITING and given[0] != os.devnull:
            self._note(f"opened {_short(given[0])} for writing")
        elif event in _DEEDS:
            self._note(_DEEDS[event])

    def _note(self, text: str) -> None:
        if text not in self.deeds and len(self.deeds) < 20:
            self.deeds.append(text)

    @contextmanager
    def watching(self, part: str) -> Iterator[None]:
        """Note deeds, bytes printed and processor seconds under `part`. May be entered again within itself."""
        if self.on:
            yield
            return
        with tempfile.TemporaryFile() as caught:
            sys.stdout.flush()
            kept = os.dup(1)
            os.dup2(caught.fileno(), 1)
            began = time.process_time()
            self.on = True
            try:
                yield
            finally:
                self.on = False
                self.seconds[part] = self.seconds.get(part, 0.0) + time.process_time() - began
                sys.stdout.flush()
                os.dup2(kept, 1)
                os.close(kept)
                self.printed[part] = self.printed.get(part, 0) + os.fstat(caught.fileno()).st_size


def _short(path: Any) -> str:
    return os.path.basename(os.fsdecode(path)) if isinstance(path, str | bytes) else "a file descriptor"


def state(calls_only: bool = False) -> dict[str, Any]:
    """What a call may leave changed, by name. `calls_only` leaves out what the first use of a library changes by right."""
    mask = os.umask(0o077)
    os.umask(mask)
    found: dict[str, Any] = {
        "numpy's error handling": dict(np.geterr()),
        "numpy's print options": repr(sorted(np.get_printoptions().items(), key=lambda item: item[0])),
        "numpy's global random state": repr(np.random.get_state(legacy=False)),  # noqa: NPY002 - it is what is watched
        "random's global state": random.getstate(),
        "the working folder": os.getcwd(),
        "the file mask": mask,
        "the locale": locale.setlocale(locale.LC_ALL),
        "the recursion limit": sys.getrecursionlimit(),
        "signal handlers": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
    }
    if not calls_only:
        found |= {
            "the environment": dict(os.environ),
            "warning filters": [str(one) for one in warnings.filters],
            "sys.path": list(sys.path),
            "running threads": threading.active_count(),
        }
    return found


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names of what differs."""
    return [name for name in before if before[name] != after[name]]
