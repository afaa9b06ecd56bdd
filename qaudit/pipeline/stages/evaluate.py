"""The stage `evaluate`: measures the reference and all candidates on the holdout."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from qaudit.core.catalogue.measures import MEASURES
from qaudit.core.evidence import Evidence, Skipped
from qaudit.core.inference.row_keys import cluster_keys, row_keys
from qaudit.core.measures.changes import Number, change_edges, histogram
from qaudit.core.measures.class_rates import class_changes, class_levels
from qaudit.core.measures.group_gaps import rates_of
from qaudit.core.measures.rows import LOSS, PERFORMANCE, Side, changes, differences, divergence, fit, marked, row, side
from qaudit.core.measures.uncertainty import divergence_intervals, levels, paired_changes, with_intervals
from qaudit.core.measures.units import Units
from qaudit.core.program import Program, Quantized
from qaudit.core.tensor import Floats
from qaudit.engine.clipping import clipping
from qaudit.engine.sweep import predict, sweep
from qaudit.errors import Refused
from qaudit.pipeline.stages.evaluate_clipping import clipping_evidence
from qaudit.pipeline.stages.evaluate_groups import GroupColumns, group_columns, group_rows
from qaudit.pipeline.types import Candidate, Candidates, LoadedSubject, Measured, Progress

REFERENCE = "reference"
BYTES_AT_ONCE = 2e8
"""Bytes of predictions in memory at once; more candidates are evaluated in several passes."""
CLUSTERED = "the exact test is for independent rows, and these belong to clusters"
TIMED = 1000
"""Rows of the call whose seconds are a candidate's latency."""


def evaluate(
    subject: LoadedSubject,
    candidates: Candidates,
    judged: Candidate | None,
    *,
    also: Sequence[str] = (),
    progress: Progress = lambda line: None,
) -> Measured:
    """Measure the reference and every candidate; predictions are kept for the reference, the judged one and the ids in `also`.

    Matrix products of the intervals use one thread, since many small ones wait for each other otherwise.

    A candidate whose evaluation fails is a Skipped row and changes no other number. A black box has measures of its own
    predictions only. Raises Refused where the reference itself gives numbers that are not finite.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _evaluated(subject, candidates, judged, also, progress)


def _evaluated(
    subject: LoadedSubject, candidates: Candidates, judged: Candidate | None, also: Sequence[str], progress: Progress
) -> Measured:
    groups, skipped = group_columns(subject.groups, len(subject.target["holdout"]))
    work = _Work(subject, groups, skipped, {*also, *([judged.id] if judged else [])}, judged.id if judged else None)
    if subject.program is None or not candidates.all:
        own = subject.native["holdout"] if subject.program is None else predict(subject.program, subject.encoded["holdout"])
        work.measure_reference(own)
        return work.measured()
    chunks = list(_chunks(candidates.all, work.bytes_each()))
    for number, chunk in enumerate(chunks, 1):
        progress(f"evaluate {len(chunk)} candidates" + (f" (pass {number} of {len(chunks)})" if len(chunks) > 1 else ""))
        work.take(chunk)
    work.time(candidates.all)
    return work.measured()


class _Work:
    """The state and the results of one evaluation."""

    def __init__(
        self, subject: LoadedSubject, groups: GroupColumns, skipped: list[Skipped], detailed: set[str], judged: str | None
    ) -> None:
        self.subject, self.columns, self.detailed, self.judged = subject, groups, detailed, judged
        self.groups = groups.groups
        self.truth = subject.target["holdout"]
        # resampling draws by the content of a row, so that the order of rows changes no bit of an interval
        keys = row_keys({**subject.tables["holdout"].columns, f"target of {len(self.truth)} rows": self.truth})
        self.units = Units(keys, None if subject.cluster is None else cluster_keys(subject.cluster))
        self.evidence: list[Evidence] = []
        self.skipped = skipped
        self.predictions: dict[str, Floats] = {}
        self.seconds: dict[str, float] = {}
        self.reference: Side | None = None
        self.reference_fit: dict[str, Number] = {}
        self.group_fits: dict[tuple[str, str], dict[str, Number]] = {}

    def bytes_each(self) -> int:
        """Bytes of one candidate's predictions on the holdout."""
        return 8 * len(self.truth) * max(1, len(self.subject.classes))

    def measured(self) -> Measured:
        """Everything gathered."""
        return Measured(tuple(self.evidence), self.predictions, tuple(self.skipped), self.seconds)

    def take(self, chunk: Sequence[Candidate]) -> None:
        """Evaluate several candidates in one pass over the rows.

        If it fails, evaluate each alone, so that only the faulty one is skipped.
        """
        program, encoded = self.subject.program, self.subject.encoded["holdout"]
        assert program is not None
        try:
            answers = _swept(program, {candidate.id: candidate.quantized for candidate in chunk}, encoded)
        except Exception as error:  # raised by what a plugin returned, so any exception is its failure
            if len(chunk) > 1:
                for candidate in chunk:
                    self.take([candidate])
                return
            self.skipped.append(Skipped("evaluate", chunk[0].id, f"{type(error).__name__}: {error}"))
            answers = {REFERENCE: predict(program, encoded)}
        if self.reference is None:
            self.measure_reference(answers[REFERENCE])
        for candidate in chunk:
            if candidate.id in answers:
                self.measure(candidate, answers[candidate.id])

    def measure_reference(self, predictions: Floats) -> None:
        """Measure the fit of the reference, over all rows and for each group."""
        if problem := _not_finite(predictions):
            raise Refused(f"{self.subject.name}: the model's {problem} on the holdout; finite predictions are needed")
        decision = self.subject.decision
        self.predictions[REFERENCE] = predictions
        self.reference = side(predictions, decision)
        self.reference_fit = self._fit(self.reference, slice(None))
        self._add(self.reference_fit, {"candidate": REFERENCE}, PERFORMANCE)
        self._fit_groups(self.reference, {"candidate": REFERENCE})
        self._apart(None, self.reference, {"candidate": REFERENCE})

    def measure(self, candidate: Candidate, predictions: Floats) -> None:
        """Measure the fit of a candidate and its changes against the reference."""
        if problem := _not_finite(predictions):
            self.skipped.append(Skipped("evaluate", candidate.id, problem))
            return
        assert self.reference is not None
        decision, before = self.subject.decision, self.reference
        after = side(predictions, decision)
        detailed, about = candidate.id in self.detailed, {"candidate": candidate.id, "against": REFERENCE}
        # exact intervals count independent rows
        resampled = detailed or self.units.dependent
        measured = self._fit(after, slice(None)) if resampled else fit(self.truth, after, decision)
        self._add(measured, {"candidate": candidate.id}, PERFORMANCE)
        moved = changes(self.truth, before, after, decision) | differences(self.reference_fit, measured)
        if self.units.dependent and "mcnemar_p" in moved:
            moved["mcnemar_p"] = Number(None, None, len(self.truth), CLUSTERED)
        paired = paired_changes(self.truth, before, after, decision, self.units, detailed)
        self._add(with_intervals(moved, paired) | self._moved(before, after, self.units), about, LOSS)
        apart = with_intervals(divergence(before, after), divergence_intervals(before, after, self.units) if detailed else {})
        for part, number in apart.items():
            self._add({"kl": number}, about | ({"value_of": part} if part else {}), LOSS)
        if detailed:
            self.predictions[candidate.id] = predictions
            self._fit_groups(after, {"candidate": candidate.id})
        self._change_groups(before, after, candidate.id)
        if detailed:
            self._apart(before, after, {"candidate": candidate.id})
        if candidate.id == self.judged:
            self._histogram(after.score - before.score, about)
            self._clipping(candidate)

    def time(self, candidates: Sequence[Candidate]) -> None:
        """Seconds of one call on the first rows, for timings.json only."""
        encoded = self.subject.encoded["holdout"][:TIMED]
        assert self.subject.program is not None
        failed = {row.by for row in self.skipped}
        models: dict[str, Program | Quantized] = {REFERENCE: self.subject.program}
        models |= {each.id: each.quantized for each in candidates if each.id not in failed}
        for name, model in models.items():
            start = time.perf_counter()
            predict(model, encoded)
            self.seconds[name] = time.perf_counter() - start

    def _add(self, measured: Mapping[str, Number], about: Mapping[str, str], topic: str) -> None:
        assert self.reference is not None
        self.evidence.extend(row(measure, number, about, topic, self.reference) for measure, number in measured.items())

    def _fit(self, model: Side, rows: slice | NDArray[np.int64]) -> dict[str, Number]:
        """How well a model fits some rows, with intervals."""
        truth, decision = self.truth[rows], self.subject.decision
        part = model if isinstance(rows, slice) else model.take(rows)
        return with_intervals(fit(truth, part, decision), levels(truth, part, decision, self.units.take(rows)))

    def _fit_groups(self, model: Side, about: Mapping[str, str]) -> None:
        for name, rows in self.groups.items():
            measured = self._fit(model, rows)
            self.group_fits[about["candidate"], name] = measured
            self._add(_in_groups(measured, ("judged", "every")), {**about, "group": name}, PERFORMANCE)

    def _change_groups(self, before: Side, after: Side, candidate: str) -> None:
        detailed, decision = candidate in self.detailed, self.subject.decision
        wanted = ("judged", "every") if detailed else ("every",)
        for name, rows in self.groups.items():
            part = self.truth[rows], before.take(rows), after.take(rows)
            moved = changes(*part, decision)
            if detailed:
                moved |= differences(self.group_fits[REFERENCE, name], self.group_fits[candidate, name])
            if detailed or self.units.dependent:
                moved = with_intervals(moved, paired_changes(*part, decision, self.units.take(rows), detailed))
            moved |= self._moved(part[1], part[2], self.units.take(rows))
            self._add(_in_groups(moved, wanted), {"candidate": candidate, "against": REFERENCE, "group": name}, LOSS)

    def _moved(self, before: Side, after: Side, units: Units) -> dict[str, Number]:
        """The share of rows whose predicted number changes by more than the declared tolerance."""
        if self.subject.tolerance is None:
            return {}
        share = units.share(np.abs(after.predictions[:, 0] - before.predictions[:, 0]) > self.subject.tolerance)
        return {"moved_share": Number(share.value, share.interval, share.n, share.reason)}

    def _apart(self, before: Side | None, model: Side, about: Mapping[str, str]) -> None:
        """Differences between groups, and the measures of several classes."""
        decision, topic = self.subject.decision, PERFORMANCE if before is None else LOSS
        rates = rates_of(self.truth, before, model, decision)
        for measure, part, number in group_rows(rates, self.columns, self.units, before is not None):
            self._add({measure: number}, {**about, **part}, topic)
        if decision.output != "multiclass" or model.predictions.shape[1] < 2:
            return
        estimates = list(class_levels(self.truth, model, self.subject.classes, self.units))
        changed = [] if before is None else class_changes(self.truth, before, model, self.subject.classes, self.units)
        for rows, where, of in ((estimates, about, PERFORMANCE), (changed, {**about, "against": REFERENCE}, LOSS)):
            for measure, name, each in rows:
                number = Number(each.value, each.interval, each.n, each.reason)
                self._add({measure: number}, {**where, **({} if name is None else {"output": name})}, of)

    def _histogram(self, moved: Floats, about: Mapping[str, str]) -> None:
        edges = change_edges(moved)
        for index, count in enumerate(histogram(moved, edges)):
            low, high = float(edges[index]), float(edges[index + 1])
            where = {**about, "bin": str(index), "range": f"{low!r} to {high!r}"}
            self._add({"score_change_histogram": Number(float(count), None, len(moved))}, where, LOSS)

    def _clipping(self, candidate: Candidate) -> None:
        """How many of its inputs a candidate clips, counted in one more pass over the rows."""
        if candidate.quantized.grids:
            seen = clipping(candidate.quantized, self.subject.encoded["holdout"])
            names = candidate.quantized.program.inputs
            self.evidence += clipping_evidence(candidate.id, names, seen.n, seen.values, seen.rows, seen.anywhere)


def _in_groups(measured: Mapping[str, Number], wanted: Sequence[str]) -> dict[str, Number]:
    """Those that the catalogue measures for each group, marked where the group is small."""
    return {name: marked(number) for name, number in measured.items() if MEASURES[name].grouped in wanted}


@dataclass(slots=True)
class _Collected:
    """Predictions of every model, filled block by block."""

    rows: int
    arrays: dict[str, Floats]

    def __call__(self, rows: slice, predictions: Mapping[str, Floats]) -> None:
        for name, block in predictions.items():
            if name not in self.arrays:
                self.arrays[name] = np.empty((self.rows, block.shape[1]))
            self.arrays[name][rows] = block


def _swept(program: Program, candidates: Mapping[str, Quantized], encoded: Floats) -> dict[str, Floats]:
    collected = _Collected(len(encoded), {})
    # an overflow gives predictions that are not finite; they are reported as such
    with np.errstate(all="ignore"):
        sweep(program, candidates, encoded, collected)
    return collected.arrays


def _chunks(candidates: Sequence[Candidate], each: int) -> Iterator[Sequence[Candidate]]:
    size = max(1, int(BYTES_AT_ONCE // max(each, 1)))
    for start in range(0, len(candidates), size):
        yield candidates[start : start + size]


def _not_finite(predictions: Floats) -> str | None:
    bad = np.asarray(~np.isfinite(predictions).all(axis=1))
    if not bad.any():
        return None
    return f"predictions are not finite in {int(bad.sum())} of {len(bad)} rows (first: row {int(np.argmax(bad))})"
