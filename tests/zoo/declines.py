"""Declines."""

from qaudit import Decline, hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    raise Decline("needs a dense layer")
