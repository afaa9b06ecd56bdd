"""The steps in which files are written: functions of `os` are wrapped, and a test acts before each, as a full disk or a kill.

Only what happens in the given folders counts. A step is named by its function ("open" for writing, "write", "fsync", "replace",
"unlink", "mkdir", "chmod"), with the path it acts on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

Act = Callable[[str, Path], None]
BY_PATH = {"open": 0, "replace": 1, "unlink": 0, "mkdir": 0, "chmod": 0}
"""Functions that take paths, and which of their arguments counts."""


def act_before_writes(patch: pytest.MonkeyPatch, act: Act, *folders: Path) -> None:
    """Call `act(step, path)` before every step of a write in one of the folders, until `patch` is undone."""
    step = partial(_step, act, folders)
    for name, argument in BY_PATH.items():
        patch.setattr(os, name, _by_path(name, argument, getattr(os, name), step))
    for name in ("fsync", "write"):
        patch.setattr(os, name, _by_handle(name, getattr(os, name), step))
    patch.setattr(os, "fdopen", _opened(os.fdopen, step))


def _step(act: Act, folders: tuple[Path, ...], name: str, path: Path) -> None:
    if any(path == folder or folder in path.parents for folder in folders):
        act(name, path)


def _by_path(name: str, argument: int, original: Callable[..., Any], step: Act) -> Callable[..., Any]:
    def call(*given: Any, **more: Any) -> Any:
        reads = name == "open" and not given[1] & (os.O_WRONLY | os.O_RDWR) and not os.path.isdir(given[0])
        if isinstance(given[argument], str | os.PathLike) and "dir_fd" not in more and not reads:
            step(name, Path(given[argument]))
        return original(*given, **more)

    return call


def _by_handle(name: str, original: Callable[..., Any], step: Act) -> Callable[..., Any]:
    def call(handle: int, *given: Any) -> Any:
        step(name, path_of(handle))
        return original(handle, *given)

    return call


def path_of(handle: int) -> Path:
    return Path(os.readlink(f"/proc/self/fd/{handle}"))


def _opened(original: Callable[..., Any], step: Act) -> Callable[..., Any]:
    def call(handle: int, *given: Any, **more: Any) -> Any:
        return _File(original(handle, *given, **more), step)

    return call


class _File:
    """A file whose writes are steps."""

    def __init__(self, file: Any, step: Act) -> None:
        self._file, self._step = file, step

    def write(self, data: Any) -> Any:
        self._step("write", path_of(self._file.fileno()))
        return self._file.write(data)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
