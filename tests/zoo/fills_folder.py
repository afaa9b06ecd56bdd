"""Writes files without end."""

import itertools
import time

from qaudit import Quantizer, hookimpl


def quantize(values, calibration):
    for number in itertools.count():
        with open(f"{number}", "wb") as file:
            file.write(b"x" * 2**20)
        time.sleep(0.01)


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("fills_folder", "does not keep the contract", quantize)
