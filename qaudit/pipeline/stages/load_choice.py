"""Training rows on which candidates are compared before one of them is assessed on the holdout."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qaudit.core.inference.row_keys import Keys, mix, row_keys
from qaudit.core.numbers import whole
from qaudit.pipeline.stages.load_roles import Role
from qaudit.pipeline.types import ChoiceRows

CHOICE_ROWS = 5_000
"""Rows on which nothing changes show that fewer than one row in a thousand does; more rows cost time for every candidate."""
FEWEST = 30
"""Fewer rows say too little of any candidate."""


def choice_rows(roles: Mapping[str, Role], seed: int) -> ChoiceRows:
    """At most CHOICE_ROWS training rows that are not calibration rows, chosen by their content and the seed.

    Where several rows have equal inputs, as many of them are left out as there are calibration rows with these inputs.
    """
    training = roles.get("training")
    if training is None or training.target is None:
        return ChoiceRows()
    inputs = row_keys(training.table.columns)
    calibration = roles.get("calibration")
    free = np.ones(len(inputs), dtype=bool)
    if calibration is not None:
        free = ~np.isin(inputs, row_keys(calibration.table.columns))
    # rows with equal inputs may differ in what is compared with the predictions
    whole_rows = row_keys({**training.table.columns, f"target of {len(inputs)} rows": training.target})
    open_rows = np.flatnonzero(free)
    order = np.argsort(_shuffled(whole_rows[open_rows], seed), kind="stable")[:CHOICE_ROWS]
    if len(order) < FEWEST:
        how = f"{whole(len(open_rows))} of {whole(len(inputs))} training rows are no calibration rows, fewer than {FEWEST}"
        return ChoiceRows(how=how)
    rows = np.sort(open_rows[order])
    groups = {name: values[rows] for name, values in training.groups.items()}
    how = (
        f"{whole(len(rows))} of {whole(len(inputs))} training rows, drawn by their content with seed {seed} from the "
        f"{whole(len(open_rows))} that are no calibration rows"
    )
    return ChoiceRows(rows, groups, how, None if training.cluster is None else training.cluster[rows])


def _shuffled(keys: Keys, seed: int) -> Keys:
    # mixed twice: `first_half` mixes once and would find all of the chosen rows in one half
    return mix(mix(keys ^ mix(np.array([seed % 2**64], dtype=np.uint64))))
