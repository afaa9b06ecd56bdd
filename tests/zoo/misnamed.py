"""Offers a record of another name than it was found by."""

from qaudit import Quantizer, hookimpl

NAME = "symmetric"


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer(NAME, "another's name", lambda values, calibration: None)
