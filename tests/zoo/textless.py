"""Raises an exception whose text cannot be made, while it quantizes."""

from qaudit import Quantizer, hookimpl


class Awkward(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    def __reduce__(self):
        raise RuntimeError("no pickle")


def quantize(values, calibration):
    raise Awkward


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("textless", "does not keep the contract", quantize)
