"""Words in place of numbers."""

from qaudit import Explainer, Importance, hookimpl


def explain(context):
    return Importance([[f"much of {name}" for name in context.names]], "prediction_change")


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("wordy", "does not keep the contract", explain)
