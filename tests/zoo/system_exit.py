"""Raises SystemExit, which ends a program that does not expect it."""

import sys

from qaudit import hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    sys.exit(0)
