"""Points tables: a credit scorecard in JSON, one row of points a column and bin.

    {"scorecard": 1, "classes": ["no", "yes"], "base": -1.5,
     "columns": {"income": {"cuts": [20.0, 45.0], "points": [0.8, 0.1, -0.4]}}}

The log-odds of the second class are base + the points of each column; a value x takes the first bin with x <= cut, the last bin
where there is none or x is missing. Tier "data": nothing in the file is code. Each column becomes one tree, so that quantizers
see its cuts as thresholds and its points as leaves.
"""

import json

import numpy as np

from qaudit import Feature, Format, Loaded, Program, Refused, Trees, hookimpl

LARGEST = 10_000_000


def recognise(path):
    """A JSON object with the key "scorecard"."""
    try:
        given = json.loads(path.read_bytes()) if path.stat().st_size < LARGEST else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(given, dict) and "scorecard" in given


def floats(values):
    return np.array(values, dtype=np.float64)


def read(path):
    """Columns with their cuts (k,) and points (k + 1,), base and classes. Raises Refused in one line."""
    try:
        given = json.loads(path.read_bytes())
        columns = {str(name): (floats(each["cuts"]), floats(each["points"])) for name, each in given["columns"].items()}
        base, classes = float(given["base"]), tuple(str(each) for each in given["classes"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"{path.name}: no scorecard ({type(error).__name__}: {error})") from error
    for name, (cuts, points) in columns.items():
        if len(points) != len(cuts) + 1 or (np.diff(cuts) <= 0).any() or not np.isfinite([*cuts, *points]).all():
            raise Refused(
                f"{path.name}: column {name!r} has {len(cuts)} cuts, {len(points)} points; rising cuts, one more point wanted"
            )
    if len(classes) != 2 or not columns:
        raise Refused(f"{path.name}: {len(classes)} classes and {len(columns)} columns; two classes and a column are wanted")
    return columns, base, classes


def program_of(columns, base, classes):
    """One tree a column: each cut sends its left to a leaf and its right to the next cut."""
    left, right, feature, threshold, value, roots = [], [], [], [], [], []
    for number, (cuts, points) in enumerate(columns.values()):
        roots.append(len(left))
        for cut, point in zip(cuts, points, strict=False):
            at = len(left)
            left += [at + 1, -1]
            right += [at + 2, -1]
            feature += [number, -2]
            threshold += [cut, 0.0]
            value += [0.0, point]
        for part, last in ((left, -1), (right, -1), (feature, -2), (threshold, 0.0), (value, points[-1])):
            part.append(last)
    whole, count = np.int32, len(left)
    trees = Trees(
        left=np.array(left, whole),
        right=np.array(right, whole),
        feature=np.array(feature, whole),
        threshold=np.array(threshold),
        value=np.array(value)[:, None],
        roots=np.array(roots, whole),
        base=np.array([base]),
        missing_left=np.zeros(count, dtype=bool),
        aggregate="sum",
    )
    return Program(tuple(columns), (trees,), "logistic", "binary", classes)


def load(path):
    """The table as a Program, and its own predictions, computed from the table and not from the Program."""
    columns, base, classes = read(path)

    def encode(frame):
        return frame[list(columns)].to_numpy(dtype=np.float64)

    def predict(frame):
        total = np.full(len(frame), base)
        for values, (cuts, points) in zip(encode(frame).T, columns.values(), strict=True):
            total = total + points[np.searchsorted(cuts, values.astype(np.float32).astype(np.float64))]
        positive = 1.0 / (1.0 + np.exp(-total))
        return np.stack([1.0 - positive, positive], axis=1)

    features = tuple(Feature(name, "number", takes_missing=True) for name in columns)
    return Loaded(
        program_of(columns, base, classes), encode, predict, None, features, classes, "binary", "scorecard", len(columns)
    )


def qaudit_sample(path):
    """A small file, for `qaudit plugins check`."""
    columns = {
        "income": {"cuts": [-0.5, 0.25, 1.0], "points": [0.8, 0.1, -0.2, -0.4]},
        "debt": {"cuts": [0.0], "points": [-0.3, 0.9]},
    }
    path.write_text(json.dumps({"scorecard": 1, "classes": ["no", "yes"], "base": -0.25, "columns": columns}))


@hookimpl
def qaudit_offer_formats():
    yield Format("scorecard", "data", recognise, load, "points tables in JSON")
