"""An answer of four gigabytes, of which its limit takes a part."""

import numpy as np

from qaudit import QType, QuantizedTensor, Quantizer, hookimpl


def quantize(values, calibration):
    return QuantizedTensor(np.zeros(values.shape, dtype=np.int32), 1.0, QType(32, signed=False), table=np.zeros(2**29))


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("huge", "does not keep the contract", quantize)
