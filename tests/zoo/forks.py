"""Forks without end."""

import os
import time

from qaudit import hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    for _ in range(500):
        if os.fork() == 0:
            time.sleep(600)
    time.sleep(600)
