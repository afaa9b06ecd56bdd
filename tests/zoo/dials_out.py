"""Offers only where it can reach an address."""

import socket

from qaudit import Decline, Quantizer, hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))
    except OSError as error:
        raise Decline("no network") from error
    yield Quantizer("dials_out", "reached an address", lambda values, calibration: None)
