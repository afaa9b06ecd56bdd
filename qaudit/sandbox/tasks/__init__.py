"""The tasks of a child process: one module per task, each with a function `work(job) -> (answer, arrays)`."""

from __future__ import annotations

ELSEWHERE = {"check_plugin": "qaudit.testing.checks.task"}
"""Tasks whose module lies in another package. The plugin checks call other tasks, so they cannot lie below them."""


def module_of(task: str) -> str:
    """The name of the module that implements a task."""
    return ELSEWHERE.get(task, f"{__name__}.{task}")
