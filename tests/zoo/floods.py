"""Writes 64 MiB to standard output, then offers properly."""

import os

from qaudit import Quantizer, hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    block = b"\x1b]0;title\x07" * 6553
    for _ in range(1024):
        os.write(1, block)
    yield Quantizer("floods", "prints a lot", lambda values, calibration: None)
