"""Asks the model for columns that it does not have."""

from qaudit import Explainer, hookimpl


def explain(context):
    return context.predict({"no such column": [0.0]})


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("swaps_columns", "does not keep the contract", explain)
