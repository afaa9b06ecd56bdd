"""The stage `worst slice`: the rows, named by one column or two, on which quantization changed most.

A slice is searched on rows that are not those on which it is measured: on half of the choice rows, and where these are missing or
show no change, on half of the holdout. It is then measured once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Evidence, measured
from qaudit.core.inference.estimate import Estimate
from qaudit.core.inference.row_keys import Keys, first_half, mix, row_keys
from qaudit.core.inference.worst_slice import SMALLEST, confirm_slice, search_worst_slice
from qaudit.core.json_values import Json
from qaudit.core.measures.rows import LOSS
from qaudit.core.numbers import whole
from qaudit.core.tensor import Floats
from qaudit.engine.sweep import predict
from qaudit.pipeline.stages.choose import on_choice_rows
from qaudit.pipeline.types import Candidate, LoadedSubject, WorstSlice

MOST_SEARCHED = 5_000
"""Rows that are searched at most; the time of the search does not grow with more."""
SHARE = ("worst_slice_flip_rate", "worst_slice_flip_rate_difference")
MEAN = ("worst_slice_mean_change", "worst_slice_mean_change_difference")
REFERENCE = "reference"
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows that are searched or measured: their columns (n,), the outcome (n,), and what they are."""

    columns: Columns
    outcome: Floats
    what: str


def worst_slice(
    subject: LoadedSubject, judged: Candidate | None, predictions: Mapping[str, Floats], seed: int
) -> WorstSlice | None:
    """The worst slice of the candidate under assessment; None where there is none or it could not be evaluated.

    `predictions` (n, k) of the reference and of the candidate on the holdout. The outcome is a changed decision, for a regression
    the absolute change of the prediction.
    """
    if judged is None or judged.id not in predictions:
        return None
    changed = _outcome(subject, predictions[REFERENCE], predictions[judged.id])
    columns = {**subject.groups, **subject.tables["holdout"].columns}
    measured_on = _Rows(columns, changed, "the holdout")
    searched = _from_choice_rows(subject, judged, seed)
    if searched is None:
        keys = row_keys(columns)
        half = first_half(keys, seed % 2**64)
        searched = _part(measured_on, _first(np.flatnonzero(half), keys), "one half of the holdout")
        measured_on = _part(measured_on, np.flatnonzero(~half), "the other half of the holdout")
    searched = _Rows(
        {name: searched.columns[name] for name in columns if name in searched.columns}, searched.outcome, searched.what
    )
    return _confirmed_slice(subject, judged, searched, measured_on)


def _outcome(subject: LoadedSubject, before: Floats, after: Floats) -> Floats:
    if subject.decision.output == "regression":
        return np.asarray(np.abs(after[:, 0] - before[:, 0]))
    return np.asarray(subject.decision(before) != subject.decision(after), dtype=np.float64)


def _from_choice_rows(subject: LoadedSubject, judged: Candidate, seed: int) -> _Rows | None:
    """One half of the choice rows; None where there are none, or where nothing on them tells one row from another."""
    if not len(subject.choice.rows) or subject.program is None:
        return None
    of = on_choice_rows(subject)
    before, after = (predict(model, of.encoded["holdout"]) for model in (subject.program, judged.quantized))
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        return None
    columns = {**of.groups, **of.tables["holdout"].columns}
    keys = row_keys(columns)
    rows = _first(np.flatnonzero(first_half(keys, seed % 2**64)), keys)
    part = _part(_Rows(columns, _outcome(subject, before, after), ""), rows, "one half of the training rows of the choice")
    return part if len(np.unique(part.outcome)) > 1 else None


def _first(rows: NDArray[np.int64], keys: Keys) -> NDArray[np.int64]:
    """At most MOST_SEARCHED of the rows, by their keys."""
    # mixed again, since the keys themselves say which half a row is in
    return rows[np.argsort(mix(keys[rows]), kind="stable")[:MOST_SEARCHED]]


def _part(rows: _Rows, taken: NDArray[np.int64], what: str) -> _Rows:
    return _Rows({name: values[taken] for name, values in rows.columns.items()}, rows.outcome[taken], what)


def _confirmed_slice(subject: LoadedSubject, judged: Candidate, searched: _Rows, on: _Rows) -> WorstSlice:
    worst = search_worst_slice(searched.columns, searched.outcome)
    about = {"candidate": judged.id, "against": REFERENCE}
    row: Json = {
        "slice": None,
        "searched_on": searched.what,
        "searched": len(searched.outcome),
        "compared": 0,
        "measured_on": on.what,
        "rows": 0,
        "others": 0,
        "reason": "",
    }
    names = MEAN if subject.decision.output == "regression" else SHARE
    if worst is None:
        reason = _no_slice(searched)
        missing = Estimate(None, None, len(on.outcome), reason)
        return WorstSlice(None, row | {"reason": reason}, tuple(_evidence(name, missing, about) for name in names))
    confirmed = confirm_slice(worst, on.columns, on.outcome)
    inside = int(np.sum(worst.rows(on.columns)))
    row |= {"slice": worst.text(), "compared": worst.compared, "rows": inside, "others": len(on.outcome) - inside}
    about |= {"value_of": worst.text()}
    level, difference = (_small(each, inside) for each in (confirmed.level, confirmed.difference))
    return WorstSlice(worst, row, (_evidence(names[0], level, about), _evidence(names[1], difference, about)))


def _no_slice(searched: _Rows) -> str:
    n = len(searched.outcome)
    if n < 2 * SMALLEST:
        return f"{whole(n)} rows are too few to be searched for slices of {SMALLEST} rows"
    if not searched.outcome.any():
        return f"nothing changed on the {whole(n)} rows that were searched"
    return f"no slice of at least {SMALLEST} rows stands out among the {whole(n)} rows that were searched"


def _small(estimate: Estimate, rows: int) -> Estimate:
    """With fewer rows than the search asks for, the number says so."""
    if rows >= SMALLEST or estimate.value is None:
        return estimate
    reason = f"small slice: {rows} rows" + (f"; {estimate.reason}" if estimate.reason else "")
    return Estimate(estimate.value, estimate.interval, estimate.n, reason)


def _evidence(measure: str, estimate: Estimate, about: Mapping[str, str]) -> Evidence:
    return measured(
        measure, estimate.value, dict(about), "worst_slice", LOSS,
        interval=estimate.interval, n=estimate.n, reason=estimate.reason,
    )  # fmt: skip
