"""Names a tier that does not exist."""

from qaudit import Format, hookimpl


def recognise(path):
    return path.read_bytes()[:2] == b"PK"


def load(path):
    raise ValueError("nothing can be read")


@hookimpl
def qaudit_offer_formats():
    yield Format("trusts_all", "trusted", recognise, load)
