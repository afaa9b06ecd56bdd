"""What a child can be asked to do; one module a task, each with `work(job) -> (answer, arrays)`."""

from __future__ import annotations

ELSEWHERE = {"check_plugin": "qaudit.testing.checks.task"}
"""Tasks whose module lives with the package they serve: the checks call other tasks, so they cannot lie below them."""


def module_of(task: str) -> str:
    """The module that does a task."""
    return ELSEWHERE.get(task, f"{__name__}.{task}")
