"""qaudit: audit a model before its quantized or converted form goes live. The plugin author's vocabulary and two user calls.

The names stand in `qaudit.api` and are imported when first asked for, so that the commands which need none of them (help,
the list of plugins) do not wait for numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qaudit.api import *  # noqa: F403


def __getattr__(name: str) -> Any:
    vocabulary = importlib.import_module("qaudit.api")
    if name != "__all__" and name not in vocabulary.__all__:
        raise AttributeError(f"module 'qaudit' has no attribute {name!r}")
    return globals().setdefault(name, getattr(vocabulary, name))


def __dir__() -> list[str]:
    return sorted(importlib.import_module("qaudit.api").__all__)
