import numpy as np
from qaudit import QType, QuantizedTensor, Quantizer, Setting, hookimpl

def pow2(values, calibration, *, bits):
    """Symmetric; the scale is rounded up to a power of two."""
    top = 2 ** (bits - 1) - 1
    peak = np.abs(values).max()
    scale = max(2.0 ** np.ceil(np.log2(peak / top)), np.finfo(float).tiny) if peak else 1.0
    codes = np.clip(np.rint(values / scale), -top, top).astype(np.int32)
    return QuantizedTensor(codes, scale=scale, qtype=QType(bits))

@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("pow2", "power-of-two scale", pow2, settings={"bits": Setting((2, 4, 8), allowed=range(2, 17))})
