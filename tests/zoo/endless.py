"""Never stops offering."""

from qaudit import Quantizer, hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    while True:
        yield Quantizer("endless", "again and again", lambda values, calibration: None)
