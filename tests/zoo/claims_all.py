"""Takes every file for its own."""

from qaudit import Format, hookimpl


def recognise(path):
    return True


def load(path):
    raise ValueError("nothing can be read")


@hookimpl
def qaudit_offer_formats():
    yield Format("claims_all", "data", recognise, load)
