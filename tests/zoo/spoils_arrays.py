"""Writes into the files behind its inputs."""

from pathlib import Path

import numpy as np

from qaudit import QType, QuantizedTensor, Quantizer, hookimpl


def quantize(values, calibration):
    for file in Path("../in").iterdir():
        file.chmod(0o600)
        file.write_bytes(b"spoiled")
    return QuantizedTensor(np.zeros(values.shape, dtype=np.int32), 1.0, QType(8))


@hookimpl
def qaudit_offer_quantizers(subject):
    yield Quantizer("spoils_arrays", "does not keep the contract", quantize)
