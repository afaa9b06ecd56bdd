"""Declares a setting without any value."""

from qaudit import Explainer, Setting, hookimpl


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("no_values", "does not keep the contract", lambda context: None, settings={"rows": Setting(())})
