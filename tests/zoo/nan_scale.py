"""A scale that is not a number."""

import numpy as np

from qaudit import QType, QuantizedTensor, Quantizer, hookimpl


def quantize(values, calibration):
    return QuantizedTensor(np.zeros(values.shape, dtype=np.int32), float("nan"), QType(8))


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("nan_scale", "does not keep the contract", quantize)
