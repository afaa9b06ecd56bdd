"""Asks the model for more rows than its budget."""

import numpy as np

from qaudit import Explainer, hookimpl


def explain(context):
    rows = {name: np.resize(values, context.budget + 1) for name, values in context.rows.items()}
    return context.predict(rows)


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("greedy", "does not keep the contract", explain)
