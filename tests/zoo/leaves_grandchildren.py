"""Answers at once, and leaves a process of another session behind."""

import subprocess
import sys

from qaudit import Quantizer, hookimpl


@hookimpl
def qaudit_offer_quantizers(subject):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600.125)"], start_new_session=True)
    yield Quantizer("leaves_grandchildren", "leaves something behind", lambda values, calibration: None)
