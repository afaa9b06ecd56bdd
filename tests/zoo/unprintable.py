"""Raises an exception whose text cannot be made and which cannot be pickled."""

from qaudit import hookimpl


class Awkward(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    def __reduce__(self):
        raise RuntimeError("no pickle")


@hookimpl
def qaudit_offer_quantizers(subject):
    raise Awkward
