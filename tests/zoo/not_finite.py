"""Attributions that are not numbers."""

import numpy as np

from qaudit import Attributions, Explainer, hookimpl


def explain(context):
    return Attributions(np.full((len(context.output), len(context.names)), np.nan), np.zeros(len(context.output)))


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("not_finite", "does not keep the contract", explain)
