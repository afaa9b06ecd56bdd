"""Which functions of a copy of the project are called, in this process and in those that it starts.

The file is copied as `sitecustomize.py` into a folder on the path of the processes that are to be watched; Python imports it at
their start. A process forked from a watched one is watched too. Every function is written once a process to
`calls` in that folder.
"""

from __future__ import annotations

import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(os.path.dirname(FOLDER), "qaudit") + os.sep
CALLS = os.path.join(FOLDER, "calls")
seen: set[CodeType] = set()


def note(frame: FrameType, event: str, argument: Any) -> None:
    """What `sys.settrace` calls for each new frame. None is returned: lines are not of interest."""
    code = frame.f_code
    if code in seen:
        return
    seen.add(code)
    if code.co_filename.startswith(ROOT):
        function = getattr(code, "co_qualname", code.co_name).split(".<locals>")[0]
        with open(CALLS, "a") as calls:
            calls.write(f"{code.co_filename.removeprefix(ROOT)}::{function}\n")


def taken() -> set[str]:
    """The functions called since the last time, in all watched processes, as file::function."""
    seen.clear()
    try:
        with open(CALLS) as calls:
            return set(calls.read().split("\n")) - {""}
    except FileNotFoundError:
        return set()
    finally:
        open(CALLS, "w").close()


os.register_at_fork(after_in_child=seen.clear)
threading.settrace(note)
sys.settrace(note)
