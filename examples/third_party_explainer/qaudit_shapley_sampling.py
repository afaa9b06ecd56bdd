"""Shapley values by sampled orders of the columns.

For each draw a row z of the background and an order of the columns: z becomes x column by column, and what the explained output
moves is the column's share. The mean over draws is unbiased for the Shapley value of the game "columns known, the rest from the
background"; base + shares is the prediction. Strumbelj and Kononenko, Knowl. Inf. Syst. 41 (2014) 647.
"""

import hashlib

import numpy as np

from qaudit import Attributions, Decline, Explainer, Setting, hookimpl


def shapley_sampling(context, *, draws):
    """Attributions (n, d). Orders and rows are keyed by the seed and by names, so that the order of a table changes nothing."""
    count, rows = len(context.output), np.arange(len(context.output))
    cost = draws * (len(context.names) + 1) * count
    if cost > context.budget:
        raise Decline(f"{draws} draws ask for {cost} model rows, the budget is {context.budget}")
    key = hashlib.sha256(f"shapley_sampling/{context.seed}".encode()).digest()
    rng = np.random.Generator(np.random.Philox(int.from_bytes(key[:8], "big")))
    names = sorted(context.names)
    values, base = np.zeros((count, len(context.names))), np.zeros(count)
    for _ in range(draws):
        z = rng.integers(len(next(iter(context.background.values()))))
        now = {name: np.full_like(context.rows[name], context.background[name][z]) for name in context.names}
        before = context.predict(now)[rows, context.output]
        base += before / draws
        for name in rng.permutation(names):
            now = {**now, str(name): context.rows[str(name)]}
            after = context.predict(now)[rows, context.output]
            values[:, context.names.index(str(name))] += (after - before) / draws
            before = after
    return Attributions(values, base)


@hookimpl
def qaudit_offer_explainers(subject):
    yield Explainer(
        "shapley_sampling",
        "Shapley values by sampled orders of the columns",
        shapley_sampling,
        settings={"draws": Setting((20,), allowed=range(1, 1001), help="orders a row; the error falls with their square root")},
    )
