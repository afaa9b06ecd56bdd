"""Writes one file without end."""

from qaudit import Quantizer, hookimpl


def quantize(values, calibration):
    with open("big", "wb", buffering=0) as file:
        while True:
            if file.write(b"x" * 2**20) < 2**20:
                raise OSError("disk full")


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("fills_file", "does not keep the contract", quantize)
