"""Raises while it looks at a file."""

from qaudit import Format, hookimpl


def recognise(path):
    raise OSError(5, "Input/output error", str(path))


def load(path):
    raise ValueError("nothing can be read")


@hookimpl
def qaudit_offer_formats():
    yield Format("stumbles", "data", recognise, load)
