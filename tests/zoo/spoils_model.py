"""Writes into the model file."""

from pathlib import Path

import numpy as np

from qaudit import Explainer, Importance, hookimpl


def explain(context):
    for file in Path("../model").iterdir():
        file.chmod(0o600)
        file.write_bytes(b"spoiled")
    return Importance(np.zeros((2, len(context.names))), "prediction_change")


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("spoils_model", "does not keep the contract", explain)
