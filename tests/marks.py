"""Marks of tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def first_fast(cases: Iterable[Any]) -> list[Any]:
    """The cases for `parametrize`; all but the first are marked slow, since each of them takes seconds."""
    first, *others = cases
    return [first, *(pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in others)]
