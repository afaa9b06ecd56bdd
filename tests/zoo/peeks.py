"""Wants to know which variant it explains."""

from qaudit import Explainer, hookimpl


def explain(context):
    return context.variant


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("peeks", "does not keep the contract", explain)
