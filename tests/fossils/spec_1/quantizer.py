"""A quantizer of contract 1. Never edited: what it does must always work."""

from qaudit import QType, QuantizedTensor, Quantizer, Setting, evaluate, hookimpl

qaudit_spec = 1


def halves(values, calibration, *, bits):
    qtype = QType(bits)
    peak = evaluate("abs(values)", values=values).max(initial=0.0)
    scale = (peak or 1.0) / qtype.high
    codes = evaluate("round(values / scale)", values=values, scale=scale).astype(int)
    return QuantizedTensor(codes, scale, qtype, formula="round(values / scale)")


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("fossil_quantizer", "scale to the largest value", halves, settings={"bits": Setting((8,), range(2, 17))})
