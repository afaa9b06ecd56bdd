"""Changes all that is global: generators, umask, folder, environment, numpy. Its answer is in order."""

import os
import random

import numpy as np

from qaudit import QType, QuantizedTensor, Quantizer, hookimpl


def quantize(values, calibration):
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    os.umask(0)
    os.chdir("/")
    os.environ.clear()
    np.rint, np.round = np.floor, np.floor
    return QuantizedTensor(np.sign(values).astype(np.int32), 1.0, QType(2))


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("vandal", "signs only", quantize)
