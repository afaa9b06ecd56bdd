"""Reads holdout, training and calibration rows, and counts the rows that two of these roles share."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.records import Feature
from qaudit.core.table import Kind, Table
from qaudit.errors import Refused
from qaudit.inputs.data import Source, need, open_source, read_columns, row_digests

CALIBRATION_ROWS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Role:
    """The rows of one role. `target` is None where the file has none (calibration only), `cluster` (n,) where no cluster column
    is declared or the file has none; `how` says where the rows come from."""

    table: Table
    target: NDArray[Any] | None
    groups: Mapping[str, NDArray[Any]]
    file: str
    digest: str
    how: str
    cluster: NDArray[Any] | None = None

    def take(self, rows: NDArray[np.int64], how: str) -> Role:
        """The role of those rows."""
        target = None if self.target is None else self.target[rows]
        groups = {name: values[rows] for name, values in self.groups.items()}
        cluster = None if self.cluster is None else self.cluster[rows]
        return Role(self.table.take(rows), target, groups, self.file, self.digest, how, cluster)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read from each file."""

    features: tuple[Feature, ...]
    width: int
    target: str
    groups: tuple[str, ...]
    cluster: str | None
    types: Mapping[str, Kind]
    classes: tuple[str, ...]
    missing: tuple[str, ...]


def seeded(seed: int, *names: str) -> np.random.Generator:
    """A separate random generator for each use, derived from the seed of the audit and the names."""
    # the separator occurs in no name, so that different names never give the same text
    text = "\x1f".join([str(seed), *names]).encode()
    return np.random.Generator(np.random.Philox(int.from_bytes(hashlib.sha256(text).digest()[:8], "little")))


def feature_names(wanted: Wanted, source: Source) -> tuple[str, ...]:
    """The model's own column names; for a model without names the file's columns in order, beside target, groups and clusters.

    Raises Refused where their number is not the model's width, and where the target is also an input.
    """
    if wanted.features:
        names = tuple(feature.name for feature in wanted.features)
        if wanted.target in names:
            raise Refused(f"target {wanted.target!r} is also an input of the model")
        return names
    beside = tuple(name for name in source.names if name not in (wanted.target, wanted.cluster))
    without = tuple(name for name in beside if name not in wanted.groups)
    for names in (beside, without):
        if len(names) == wanted.width:
            return names
    raise Refused(
        f"{source.file}: the model was fitted without column names and takes {wanted.width} columns; "
        f"the file has {len(without)} beside target and groups"
    )


def labels(source: Source, wanted: Wanted, texts: NDArray[Any]) -> NDArray[np.int64]:
    """Class index of each row (n,). Raises Refused for a label that the model does not know, or a missing one."""
    place = {label: number for number, label in enumerate(wanted.classes)}
    for number, label in enumerate(wanted.classes):
        if label.endswith(".0"):  # a model fitted on 0.0 and 1.0; a file that says 0 and 1 means the same numbers
            place.setdefault(label[:-2], number)
    indices = np.asarray([place.get(text, -1) for text in texts], dtype=np.int64)
    if (wrong := np.flatnonzero(indices < 0)).size:
        row = int(wrong[0])
        shown = "no label" if texts[row] is None else f"label {texts[row]!r}"
        known = ", ".join(wanted.classes[:12]) + (" ..." if len(wanted.classes) > 12 else "")
        where = f"{source.file}: column {wanted.target!r}, {source.where(row)}"
        raise Refused(f"{where}: {shown}, {wrong.size} such rows; the model's classes are {known}")
    return indices


def numbers(source: Source, target: str) -> NDArray[np.float64]:
    """A regression target (n,). Raises Refused for a missing value."""
    values = source.numbers(target)
    if (wrong := np.flatnonzero(np.isnan(values))).size:
        raise Refused(f"{source.file}: column {target!r}, {source.where(int(wrong[0]))}: no value, {wrong.size} such rows")
    return values


def read_role(
    path: Path, shown: str, wanted: Wanted, names: tuple[str, ...] | None, *, holdout: bool, needs_target: bool = True
) -> Role:
    """One role's rows. Raises Refused with one line."""
    source = open_source(path, wanted.missing, shown)
    names = names or feature_names(wanted, source)
    if holdout:
        need(wanted.types, (*source.names, *names), f"[data.types] of {source.file}")
    if needs_target or wanted.target in source.names:
        need((wanted.target,), source.names, f"{source.file}: target")
    kinds: dict[str, Kind | None] = {feature.name: feature.kind for feature in wanted.features}
    table = read_columns(source, names, kinds, wanted.types)
    target: NDArray[Any] | None = None
    if wanted.target in source.names:
        classes = bool(wanted.classes)
        target = labels(source, wanted, source.texts(wanted.target)) if classes else numbers(source, wanted.target)
    if holdout:
        need(wanted.groups, source.names, f"{source.file}: group")
        need((wanted.cluster,) if wanted.cluster is not None else (), source.names, f"{source.file}: cluster")
    groups = {name: source.texts(name) for name in wanted.groups if name in source.names}
    known = wanted.cluster is not None and wanted.cluster in source.names
    cluster = clusters(source, str(wanted.cluster)) if known else None
    return Role(table, target, groups, source.file, source.digest, "given, every row", cluster)


def clusters(source: Source, column: str) -> NDArray[Any]:
    """The cluster of each row (n,) as text. Raises Refused where a row has none."""
    values = source.texts(column)
    if (wrong := np.flatnonzero([value is None for value in values])).size:
        raise Refused(
            f"{source.file}: cluster column {column!r}, {source.where(int(wrong[0]))}: no value, {wrong.size} such rows; "
            "every row needs its cluster"
        )
    return values


def calibration_of(roles: dict[str, Role], share: float | None, seed: int, *, choosing: bool = False) -> list[str]:
    """Adds a calibration role where the user has none: a seeded sample of the training rows, else a share of the holdout.

    Changes `roles` in place and returns notes for the report. `choosing`: at least half of the training rows are left over, so
    that candidates can be compared on them. Raises Refused for a share that leaves a role empty.
    """
    if "calibration" in roles:
        return []
    if (training := roles.get("training")) is not None:
        most = training.table.rows // 2 if choosing else training.table.rows
        count = min(CALIBRATION_ROWS, max(1, most))
        rows = np.sort(seeded(seed, "calibration").permutation(training.table.rows)[:count])
        roles["calibration"] = training.take(rows, f"sampled: {count} of {training.table.rows} training rows, seed {seed}")
        return []
    if share is None:
        return ["No training and no calibration rows were given; --calibration-share 0.1 would set holdout rows apart."]
    holdout = roles["holdout"]
    count = round(share * holdout.table.rows)
    if not 0 < share < 1 or not 0 < count < holdout.table.rows:
        raise Refused(f"--calibration-share {share:g}: sets {count} of {holdout.table.rows} rows apart; both parts need rows")
    order = seeded(seed, "calibration share").permutation(holdout.table.rows)
    how = f"set apart from the holdout file: {count} of {holdout.table.rows} rows, seed {seed}"
    roles["calibration"] = holdout.take(np.sort(order[:count]), how)
    roles["holdout"] = holdout.take(np.sort(order[count:]), f"what is left after {count} rows were set apart for calibration")
    return [f"{count} of {holdout.table.rows} rows of the holdout file were set apart for calibration and are not evaluated."]


def overlaps(roles: Mapping[str, Role], names: Sequence[str]) -> list[dict[str, Any]]:
    """How many rows each two of the named roles share, with equal inputs and equal target: [{roles, rows}].

    Raises Refused where two roles are one file or more than half of the smaller one coincides.
    """
    shared_rows = []
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            a, b = roles[first], roles[second]
            if a.digest == b.digest and a.how == b.how:
                raise Refused(f"{first} and {second} are the same file ({a.file}); roles must be kept apart")
            rows = _shared(a, b)
            smaller = min(a.table.rows, b.table.rows)
            # a few equal rows occur by chance; more than half of them means that the roles come from the same rows
            if 2 * rows > smaller and smaller > 1:
                raise Refused(
                    f"{first} ({a.file}) and {second} ({b.file}) share {rows} of {smaller} rows; roles must be kept apart"
                )
            shared_rows.append({"roles": [first, second], "rows": rows})
    return shared_rows


def _shared(a: Role, b: Role) -> int:
    targets = (a.target, b.target)
    if targets[0] is None or targets[1] is None:
        targets = (np.zeros(a.table.rows), np.zeros(b.table.rows))
    counts = [
        Counter(row_digests(role.table, target)) for role, target in zip((a, b), targets, strict=True) if target is not None
    ]
    return int((counts[0] & counts[1]).total())
