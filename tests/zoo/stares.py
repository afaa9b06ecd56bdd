"""Looks at a file without end."""

import time

from qaudit import Format, hookimpl


def recognise(path):
    time.sleep(600)


def load(path):
    raise ValueError("nothing can be read")


@hookimpl
def qaudit_offer_formats():
    yield Format("stares", "data", recognise, load)
