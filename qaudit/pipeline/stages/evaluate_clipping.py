"""Shares of clipped inputs as evidence: in any layer, by layer, and by input column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Evidence, measured
from qaudit.core.inference.intervals import clopper_pearson

TOPIC, BY = "quantization.precision_loss", "evaluate"
MOST_COLUMNS = 100
"""Of wider models the columns with the most clipped rows are listed."""
MUCH = 0.01
"""Above this share of rows, clipping asks for attention."""


def clipping_evidence(
    candidate: str, inputs: Sequence[str], n: int, values: Mapping[int, NDArray[np.int64]], rows: Mapping[int, int], anywhere: int
) -> list[Evidence]:
    """`clipped_rows` of n rows: in `anywhere`, by layer, and by column where the first layer rounds the model's inputs;
    `clipped_values` by layer.

    `values` maps a layer to the rows in which each of its inputs (in,) is clipped, `rows` to those in which any is. Nothing is
    measured where no layer rounds its inputs.
    """
    about = {"candidate": candidate}
    if not values or not n:
        return []
    evidence = [_rows(anywhere, n, about)]
    for layer, counts in sorted(values.items()):
        where = {**about, "value_of": f"inputs of layer{layer}"}
        evidence.append(_rows(rows[layer], n, where))
        share = float(counts.sum() / (n * len(counts)))
        evidence.append(measured("clipped_values", share, where, BY, TOPIC, n=n * len(counts)))
        if layer == 0:
            most = sorted(range(len(counts)), key=lambda column: (-int(counts[column]), column))[:MOST_COLUMNS]
            evidence += [_rows(int(counts[column]), n, {**where, "feature": inputs[column]}) for column in most]
    return evidence


def _rows(count: int, n: int, about: Mapping[str, str]) -> Evidence:
    return measured("clipped_rows", count / n, about, BY, TOPIC, interval=clopper_pearson(count, n), n=n)
