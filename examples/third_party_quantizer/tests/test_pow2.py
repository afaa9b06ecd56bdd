from pathlib import Path

import numpy as np
from qaudit.testing import check_quantizer

from qaudit_pow2 import pow2

test_contract = check_quantizer(Path(__file__).parent.parent / "qaudit_pow2.py")


def test_scale_is_rounded_up_to_a_power_of_two():
    tensor = pow2(np.array([0.9, -0.3, 0.1]), None, bits=4)
    assert (tensor.scale, tensor.codes.tolist(), tensor.dequantize().tolist()) == (
        0.25,
        [4, -1, 0],
        [1.0, -0.25, 0.0],
    )
