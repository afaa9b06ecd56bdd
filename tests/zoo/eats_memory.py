"""Takes memory step by step."""

from qaudit import hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    kept = []
    while True:
        kept.append(bytearray(b"x") * 2**24)
