"""Writes into the rows that it was given."""

import numpy as np

from qaudit import Explainer, Importance, hookimpl


def explain(context):
    for values in context.rows.values():
        values[:] = values[::-1].copy()
    return Importance(np.zeros((2, len(context.names))), "prediction_change")


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("overwrites", "does not keep the contract", explain)
