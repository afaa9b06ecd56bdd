"""Ignores SIGTERM and never answers."""

import signal
import time

from qaudit import hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)
