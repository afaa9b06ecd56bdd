"""An explainer of contract 1. Never edited: what it does must always work."""

import numpy as np

from qaudit import Explainer, Importance, hookimpl

qaudit_spec = 1


def explain(context):
    rng = np.random.default_rng(context.seed)
    start = context.predict(context.rows)
    here = np.arange(len(context.output))
    found = np.empty((2, len(context.names)))
    for repeat in range(2):
        for place, name in enumerate(context.names):
            shuffled = {**context.rows, name: rng.permutation(context.rows[name])}
            found[repeat, place] = np.abs(context.predict(shuffled) - start)[here, context.output].mean()
    return Importance(found, "prediction_change")


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer("fossil_explainer", "change of the prediction when a column is shuffled", explain)
