"""A setting whose defaults are of several types."""

from __future__ import annotations

from qaudit.core.plugin_settings import accepted
from qaudit.core.records import Setting


def test_one_float_among_the_defaults_makes_whole_numbers_floats() -> None:
    taken = accepted(Setting((None, 2.0)), 2)
    assert (taken, type(taken)) == (2.0, float)
