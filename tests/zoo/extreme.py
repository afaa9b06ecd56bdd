"""The largest numbers that there are."""

import numpy as np

from qaudit import Explainer, Importance, hookimpl


def explain(context):
    values = np.full((3, len(context.names)), 1.7e308)
    values[1] *= -1
    return Importance(values, "prediction_change")


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("extreme", "does not keep the contract", explain)
