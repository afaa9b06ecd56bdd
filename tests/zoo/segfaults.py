"""Reads the null pointer."""

import ctypes

from qaudit import hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    ctypes.string_at(0)
