"""Offers two records of one name."""

from qaudit import Quantizer, hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    for _ in range(2):
        yield Quantizer("twice", "once would do", lambda values, calibration: None)
