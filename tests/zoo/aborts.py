"""Calls abort()."""

import os

from qaudit import hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    os.abort()
