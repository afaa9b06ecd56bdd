"""What the user sees while an audit works: a moving line on a terminal, quiet lines otherwise. Always on standard error."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status

from qaudit.sandbox.ipc import plain_reason


@dataclass
class Reporter:
    """Collects stage times and log lines. Call it with one line of text as work proceeds."""

    quiet: bool = False
    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    seconds: dict[str, float] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    _status: Status | None = None
    _stage: str = ""

    def __call__(self, text: str) -> None:
        """One line: the text beside the running stage on a terminal, a line of its own elsewhere."""
        shown = plain_reason(text, 200).removeprefix(f"{self._stage}: ").removeprefix(f"{self._stage} ")
        self.lines.append(f"{self._stage}: {shown}" if self._stage else shown)
        if self._status is not None:
            self._status.update(self._line(shown))

    def _line(self, text: str) -> str:
        return f"{self._stage:<9} {text}".replace("[", "\\[")

    def note(self, text: str) -> None:
        """A line that the user should read while work goes on: printed as it is, and kept in the log."""
        shown = plain_reason(text, 600)
        self.lines.append(f"note: {shown}")
        if not self.quiet:
            self.console.print(f"note: {shown}", markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def stage(self, name: str, what: str) -> Iterator[None]:
        """Time a stage and show it: `name` is one word, `what` says what is done."""
        began = time.monotonic()
        self._stage = name
        self.lines.append(f"{name}: {what}")
        try:
            if self.quiet or not self.console.is_terminal:
                yield
            else:
                with self.console.status(self._line(what)) as self._status:
                    yield
        finally:
            self._status = None
            self._stage = ""
            self.seconds[name] = time.monotonic() - began
        if not self.quiet:
            self.console.print(f"{name:<9} {what}  {self.seconds[name]:.1f} s", markup=False, soft_wrap=True)
