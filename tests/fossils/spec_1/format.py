"""A format of contract 1: a linear classifier of two classes in a JSON file. Never edited: what it does must always work."""

import json

import numpy as np

from qaudit import Dense, Feature, Format, Loaded, Program, hookimpl

qaudit_spec = 1


def recognise(path):
    with path.open("rb") as file:
        return file.read(16).startswith(b'{"fossil": 1,')


def load(path):
    given = json.loads(path.read_text())
    names, classes = tuple(given["features"]), tuple(given["classes"])
    weight, bias = np.array([given["weight"]], dtype=float), np.array([given["bias"]], dtype=float)

    def encode(frame):
        return frame[list(names)].to_numpy(dtype=float)

    def predict(frame):
        positive = 1 / (1 + np.exp(-(encode(frame) @ weight[0] + bias[0])))
        return np.column_stack([1 - positive, positive])

    return Loaded(
        program=Program(names, (Dense(weight, bias),), "logistic", "binary", classes),
        encode=encode,
        predict=predict,
        refit=None,
        features=tuple(Feature(name, "number") for name in names),
        classes=classes,
        output="binary",
        family="linear classifier",
        width=len(names),
    )


@hookimpl
def qaudit_offer_formats():
    yield Format("fossil_format", "data", recognise, load, "a linear classifier in JSON")
