"""The inputs of all explainers: which rows are explained, against which background, and what each variant predicts for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.explanation_kind import DistanceInputs
from qaudit.core.measures.agreement import mean_design
from qaudit.core.plugin_settings import derived_seed
from qaudit.core.table import Table
from qaudit.core.tensor import Floats
from qaudit.engine.sweep import predict
from qaudit.pipeline.stages.explain_units import Rows
from qaudit.pipeline.stages.reasons import explained_output, toward
from qaudit.pipeline.types import Candidate, LoadedSubject

REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Sizes:
    """The largest numbers of rows: explained one by one, explained together, in the background; and of reference reruns."""

    local: int = 60
    whole: int = 2000
    background: int = 500
    floor: int = 10


@dataclass(frozen=True, slots=True, eq=False)
class ExplainInputs:
    """Rows and predictions of the holdout, the same for every explainer.

    `sample` are numbers of holdout rows that are explained one by one; `counted` is a mask of those that were drawn, the others
    were added as cases to show. `whole` are the rows explained together, and `unseen` those outside the background.
    `predictions` (n, k) are by candidate id.
    """

    subject: LoadedSubject
    table: Table
    sample: NDArray[np.int64]
    counted: NDArray[np.bool_]
    whole: NDArray[np.int64]
    unseen: NDArray[np.int64]
    background: Table
    background_from: str
    predictions: Mapping[str, Floats]
    output: NDArray[np.int64]
    design: Floats

    def rows(self, wants_target: bool) -> Rows:
        """The whole holdout for explainers that need the target, which measure loss over many rows; else the sample."""
        numbers = self.whole if wants_target else self.sample
        target = self.subject.target.get("holdout")
        taken = target[numbers] if target is not None else None
        return Rows(numbers, self.table.take(numbers), self.output[numbers], taken, self.background)

    def distance_inputs(self) -> DistanceInputs:
        """The inputs of distances between explanations."""
        return DistanceInputs(self.table.take(self.unseen), self.design, self.subject.decision.output == "regression")

    def sampled(self, candidate: str) -> Floats:
        """Predictions of a variant on the sample."""
        return self.predictions[candidate][self.sample]

    def flipped(self, candidate: str) -> NDArray[np.bool_]:
        """Sampled rows whose decision differs from the reference's; none for regression."""
        before, after = (self.subject.decision(self.sampled(each)) for each in (REFERENCE, candidate))
        if before is None or after is None:
            return np.zeros(len(self.sample), dtype=bool)
        return np.asarray(before != after)

    def score_change(self, candidate: str) -> Floats:
        """|change of the explained output| on the sample."""
        place = np.arange(len(self.sample)), self.output[self.sample]
        return np.asarray(np.abs(self.sampled(candidate)[place] - self.sampled(REFERENCE)[place]))

    def signs(self, candidate: str) -> Floats | None:
        """1 where a larger explained output favours the decision of a variant on the sample, else -1; None for regression."""
        return toward(self.subject.decision, self.sampled(candidate), self.output[self.sample])


def draw_inputs(
    subject: LoadedSubject, variants: Sequence[Candidate], judged: Candidate | None, sizes: Sizes, seed: int
) -> ExplainInputs:
    """Draw rows and background and predict with every variant. Draws depend on the seed and the number of rows alone."""
    encoded = subject.encoded.get("holdout")
    reference = subject.native["holdout"] if subject.program is None or encoded is None else predict(subject.program, encoded)
    predictions = {REFERENCE: reference}
    for each in variants:
        assert encoded is not None
        predictions[each.id] = predict(each.quantized, encoded)
    output = explained_output(subject.decision, reference)
    names = [feature.name for feature in subject.features] or list(subject.tables["holdout"].names)
    table = subject.tables["holdout"].select(tuple(name for name in names if name in subject.tables["holdout"].columns))
    background, source, used = _background(subject, table, sizes.background, seed)
    drawn = _draw(table.rows, sizes.local, seed, "local")
    sample = drawn
    # the report shows the worst flip, but it is not part of the random sample and counts in no share
    if judged is not None and (worst := _worst_flip(subject, predictions, judged.id, output)) is not None:
        sample = np.union1d(drawn, [worst])
    return ExplainInputs(
        subject=subject,
        table=table,
        sample=sample,
        counted=np.isin(sample, drawn),
        whole=_draw(table.rows, sizes.whole, seed, "whole"),
        unseen=np.setdiff1d(np.arange(table.rows), used),
        background=background,
        background_from=source,
        predictions=predictions,
        output=output,
        design=mean_design(table.take(sample), background),
    )


def _draw(rows: int, most: int, seed: int, name: str) -> NDArray[np.int64]:
    """Sorted row numbers, all of them where there are no more than `most`."""
    if rows <= most:
        return np.arange(rows)
    rng = np.random.Generator(np.random.Philox(derived_seed(seed, "explain rows", name)))
    return np.sort(rng.choice(rows, most, replace=False))


def _background(subject: LoadedSubject, table: Table, most: int, seed: int) -> tuple[Table, str, NDArray[np.int64]]:
    """Background rows, the role from which they come, and the numbers of the holdout rows among them."""
    for role in ("training", "calibration"):
        if role in subject.tables and subject.tables[role].rows:
            rows = subject.tables[role].select(table.names)
            return rows.take(_draw(rows.rows, most, seed, "background")), role, np.empty(0, dtype=np.int64)
    # Half of a small holdout stays outside, so that the surrogate tree is measured on rows on which it was not fitted.
    used = _draw(table.rows, min(most, max(1, table.rows // 2)), seed, "background")
    return table.take(used), "holdout", used


def _worst_flip(subject: LoadedSubject, predictions: Mapping[str, Floats], judged: str, output: NDArray[np.int64]) -> int | None:
    """The flipped holdout row with the largest change of the explained output, if any row flipped."""
    before, after = predictions[REFERENCE], predictions[judged]
    was, became = subject.decision(before), subject.decision(after)
    if was is None or became is None or not (was != became).any():
        return None
    every = np.arange(len(before))
    change = np.where(was != became, np.abs(after[every, output] - before[every, output]), -1.0)
    return int(np.argmax(change))
