"""A weighted linear model around each row.

    z ~ neighbourhood of x;  pi(z) = exp(-d(x, z)^2 / h^2),  h = kernel * sqrt(columns)
    minimise  sum_z pi(z) (f(z) - a - c.(z - x))^2 + penalty * |c|^2     over a and c, c in background deviations

A number becomes x + width * s * N(0, 1), s its deviation over the background; one with few values, and text, is redrawn from
the background with probability `redraw`. A missing number is redrawn likewise. z - x is 1 where text, or a value of which one
is missing, differs, else 0. d^2 adds ((z - x) / s)^2 for numbers and 1 for every other difference. Draws are keyed by the
seed and the column's name: they depend neither on the model nor on the order of columns.

Ribeiro, Singh, Guestrin, "Why Should I Trust You?", KDD 2016, 1135-1144, doi 10.1145/2939672.2939778; theory: Garreau, von
Luxburg, AISTATS 2020. Unlike the lime package, draws lie around the row and nothing is cut into bins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit import Context, Explainer, LocalModels, Setting, Subject, hookimpl

Array = NDArray[Any]
BATCH = 20_000
FEW = 8


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The draws of one column around each row: values (n, S), design (n, S), and the length of one unit of the design."""

    values: Array
    design: Array
    unit: float


def generator(seed: int, name: str) -> np.random.Generator:
    """A random generator that depends on the seed and the name of the column only, not on the order of columns."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:8], "big")))


def draw_text(rng: np.random.Generator, x: Array, background: Array, samples: int, redraw: float) -> Draws:
    """Text values, redrawn from the background with probability `redraw`; the design is 1 where a draw differs from x."""
    shape = (len(x), samples)
    drawn = background[rng.integers(len(background), size=shape)]
    values = np.where(rng.random(shape) < redraw, drawn, x[:, None])
    return Draws(values, np.asarray(values != x[:, None], dtype=np.float64), 1.0)


def draw_number(rng: np.random.Generator, x: Array, background: Array, samples: int, width: float, redraw: float) -> Draws:
    """Numbers shifted by a normal draw; redrawn from the background where the column has few values or x is missing."""
    shape = (len(x), samples)
    known = background[~np.isnan(background)]
    unit = float(known.std()) if len(known) else 0.0
    shift, coin, drawn = rng.standard_normal(shape), rng.random(shape), background[rng.integers(len(background), size=shape)]
    column = np.broadcast_to(x[:, None], shape)
    redrawn = np.where(coin < redraw, drawn, column)
    if len(np.unique(known)) <= FEW:
        # A missing draw for a known x would mix ones with differences in one column of the design, so it is replaced by x.
        values = np.where(np.isnan(redrawn) & ~np.isnan(column), column, redrawn)
    else:
        values = np.where(np.isnan(column), redrawn, column + width * unit * shift)
    x_missing = np.isnan(column)
    design = np.where(x_missing, ~np.isnan(values), values - column)
    return Draws(values, design.astype(np.float64), unit)


def solve(design: Array, outputs: Array, weights: Array, units: Array, penalty: float) -> tuple[Array, Array]:
    """Weighted ridge regression with an unpenalised intercept, one per explained row: coef (n, d), intercept (n,).

    design (n, S, d), outputs and weights (n, S). The penalty applies to coefficients in the units (n, d) of the columns.
    """
    weight_sum = weights.sum(axis=1)
    centre = np.matmul(weights[:, None, :], design)[:, 0] / weight_sum[:, None]
    mean_answer = np.sum(weights * outputs, axis=1) / weight_sum
    scaled = (design - centre[:, None]) / units[:, None]
    weighted = scaled * weights[:, :, None]
    gram = np.matmul(weighted.transpose(0, 2, 1), scaled) + penalty * np.eye(design.shape[2])
    moments = np.matmul(weighted.transpose(0, 2, 1), (outputs - mean_answer[:, None])[:, :, None])
    coef = np.linalg.solve(gram, moments)[:, :, 0] / units
    return coef, mean_answer - np.sum(coef * centre, axis=1)


def predict_draws(context: Context, drawn: list[Draws], samples: int) -> Array:
    """The model's explained output (n, S) on the draws. Many rows are predicted in one call, since calls are slow."""
    output = np.repeat(context.output, samples)
    count, step = len(context.output), max(1, BATCH // samples)
    parts = []
    for start in range(0, count, step):
        rows = {name: draws.values[start : start + step].ravel() for name, draws in zip(context.names, drawn, strict=True)}
        parts.append(context.predict(rows))
    predicted = np.concatenate(parts)
    return np.asarray(predicted[np.arange(len(predicted)), output].reshape(count, samples))


def explain(context: Context, *, samples: int, width: float, kernel: float, penalty: float, redraw: float) -> LocalModels:
    """A local linear model of each row, fitted on `samples` draws of which x itself is the first.

    Fewer draws are used where the budget of model rows is too small for all of them.
    """
    samples = min(samples, max(2, context.budget // max(1, len(context.output))))
    drawn = []
    for name in context.names:
        x, background, rng = context.rows[name], context.background[name], generator(context.seed, name)
        draws = (
            draw_text(rng, x, background, samples, redraw)
            if x.dtype == object
            else draw_number(rng, x, background, samples, width, redraw)
        )
        draws.values[:, 0], draws.design[:, 0] = x, 0.0
        drawn.append(draws)
    design = np.stack([column.design for column in drawn], axis=2)
    # Columns of zeros and ones (text, or a missing x) have the unit 1, whatever the deviation of the column.
    units = np.array([[column.unit or 1.0 for column in drawn]] * len(design))
    for j, name in enumerate(context.names):
        if context.rows[name].dtype != object:
            units[np.isnan(context.rows[name]), j] = 1.0
    distance = np.sum((design / units[:, None]) ** 2, axis=2)
    weights = np.exp(-distance / (kernel**2 * len(drawn)))
    outputs = predict_draws(context, drawn, samples)
    coef, intercept = solve(design, outputs, weights, units, penalty)
    return LocalModels(coef, intercept, design, outputs, weights)


@hookimpl
def qaudit_offer_explainers(subject: Subject) -> Iterator[Explainer]:
    """Offer the only explainer of this plugin."""
    yield Explainer(
        "local_surrogate",
        "a weighted linear model around each row",
        explain,
        settings={
            "samples": Setting((500,), allowed=range(10, 100_001), help="draws around each row"),
            "width": Setting((1.0,), allowed=(0.1, 0.25, 0.5, 1.0, 2.0), help="deviation of a draw, in background deviations"),
            "kernel": Setting((0.75,), allowed=(0.25, 0.5, 0.75, 1.0, 2.0), help="kernel width over sqrt(columns)"),
            "penalty": Setting((0.01,), allowed=(1e-6, 0.001, 0.01, 0.1, 1.0), help="weight of |c|^2"),
            "redraw": Setting((0.5,), allowed=(0.1, 0.25, 0.5, 0.75), help="probability that text is redrawn"),
        },
    )
