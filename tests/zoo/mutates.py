"""Writes into the values that it was given."""

from qaudit import QType, QuantizedTensor, Quantizer, hookimpl


def quantize(values, calibration):
    values[...] = 0.0
    return QuantizedTensor(values.astype(int), 1.0, QType(8))


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("mutates", "does not keep the contract", quantize)
