"""Reads the null pointer while it explains."""

import ctypes

from qaudit import Explainer, hookimpl


def explain(context):
    ctypes.string_at(0)


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("crashes", "does not keep the contract", explain)
