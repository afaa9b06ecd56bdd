"""Importance for one seed, attributions for the next."""

import numpy as np

from qaudit import Attributions, Explainer, Importance, hookimpl


def explain(context):
    if context.seed % 2:
        return Importance(np.zeros((2, len(context.names))), "prediction_change")
    return Attributions(np.zeros((len(context.output), len(context.names))), np.zeros(len(context.output)))


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("changes_kind", "does not keep the contract", explain)
