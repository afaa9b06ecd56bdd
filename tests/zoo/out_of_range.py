"""Codes that eight bits do not hold."""

import numpy as np

from qaudit import QType, QuantizedTensor, Quantizer, hookimpl


def quantize(values, calibration):
    return QuantizedTensor(np.full(values.shape, 300, dtype=np.int32), 0.1, QType(8))


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("out_of_range", "does not keep the contract", quantize)
