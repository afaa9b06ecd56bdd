"""Importance of a column too many."""

import numpy as np

from qaudit import Explainer, Importance, hookimpl


def explain(context):
    return Importance(np.zeros((2, len(context.names) + 1)), "prediction_change")


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("misshapen", "does not keep the contract", explain)
