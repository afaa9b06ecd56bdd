"""Raises with control characters, an address and a folder in its text."""

from qaudit import hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    raise ValueError("bad\x1b[31m \u202e value at 0x7f12345678 in /home/someone/secret/model.py")
