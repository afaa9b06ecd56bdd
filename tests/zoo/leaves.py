"""Ends its process with exit code 0 while it quantizes."""

import os

from qaudit import Quantizer, hookimpl


def quantize(values, calibration):
    os._exit(0)


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("leaves", "does not keep the contract", quantize)
