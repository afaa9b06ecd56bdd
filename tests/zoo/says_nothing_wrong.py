"""Raises an exception without a text whose name holds terminal codes."""

from qaudit import Quantizer, hookimpl


def quantize(values, calibration):
    raise type("\x1b]0;title\x07Error", (Exception,), {})


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("says_nothing_wrong", "does not keep the contract", quantize)
