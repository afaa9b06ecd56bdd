"""Raises KeyboardInterrupt, as if a person had stopped it."""

from qaudit import Quantizer, hookimpl


def quantize(values, calibration):
    raise KeyboardInterrupt


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("interrupts", "does not keep the contract", quantize)
