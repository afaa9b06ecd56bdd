"""Raises with a text of ten megabytes."""

from qaudit import Quantizer, hookimpl


def quantize(values, calibration):
    raise ValueError("x" * 10_000_000)


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("long_text", "does not keep the contract", quantize)
