"""Predictions of the model trained again without each column, and of its quantized form, for explainers that need refits.

A candidate's refit is the refitted program under the candidate's quantizer and settings, with the same calibration rows; both
variants answer through the engine, so that only the quantization differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qaudit.core.evidence import Skipped
from qaudit.core.plugin_settings import derived_seed
from qaudit.core.records import Decline
from qaudit.core.table import Table
from qaudit.core.tensor import Floats
from qaudit.engine.sweep import predict
from qaudit.pipeline.stages.refits import Refit, Refits, refits
from qaudit.pipeline.types import Candidate, LoadedSubject, Progress
from qaudit.sandbox.answers import MALFORMED, broken, quantized_of
from qaudit.sandbox.job import Call, Outcome, PluginRef
from qaudit.sandbox.pack_program import pack_program
from qaudit.sandbox.runner import keep_unit

REPEATS = 11
"""Trainings a column: one repeat and ten others for its floor; drift and floor are taken between single repeats."""
_SEEDS = 2**31
"""Learners take 32-bit seeds."""
RunMany = Callable[[Sequence[Call]], list[Outcome]]
Answers = Mapping[str, Sequence[Floats]]


class Variants:
    """Call it with a candidate (None: the reference) and holdout rows: column -> one prediction (n, k) a repeat.

    The model is trained again once for each set of rows, whatever the number of candidates. Raises Decline where it cannot be.
    """

    def __init__(
        self,
        subject: LoadedSubject,
        quantizers: Sequence[PluginRef],
        run_many: RunMany,
        *,
        seed: int = 0,
        repeats: int = REPEATS,
        progress: Progress = lambda line: None,
    ) -> None:
        self._subject, self._run_many, self._seed, self._progress = subject, run_many, seed, progress
        self._by_name = {ref.name: ref for ref in quantizers}
        self._seeds = [derived_seed(seed, "refit", str(number)) % _SEEDS for number in range(repeats)]
        self._made: dict[bytes, Refits] = {}

    def __call__(self, candidate: Candidate | None, rows: NDArray[np.int64]) -> Answers:
        """Predictions of every refit on those rows."""
        made = self._refits(rows)
        if candidate is None:
            return {name: [_plain(refit, len(rows)) for refit in refits] for name, refits in made.columns.items()}
        return self._quantized(candidate, made, len(rows))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Columns whose refits failed. Where refits are not possible, the explainer itself declines."""
        return tuple(row for made in self._made.values() for row in made.skipped if row.kind == "failed")

    def _refits(self, rows: NDArray[np.int64]) -> Refits:
        """Refits with predictions on the wanted rows, followed by the calibration rows that a quantizer may use."""
        key = rows.tobytes()
        if key not in self._made:
            subject, numbers = _with_calibration(self._subject, rows)
            self._made[key] = refits(subject, numbers, self._seeds, lambda calls, jobs: self._run_many(calls), self._progress)
        made = self._made[key]
        if not made.columns:
            raise Decline(made.skipped[0].reason if made.skipped else "the model cannot be trained again")
        return made

    def _quantized(self, candidate: Candidate, made: Refits, rows: int) -> Answers:
        ref = self._by_name[candidate.by]
        unique: dict[int, Refit] = {id(refit): refit for refits in made.columns.values() for refit in refits}
        if any(refit.program is None for refit in unique.values()):
            raise Decline("the retrained model cannot be lowered, so that it cannot be quantized")
        self._progress(f"explain: {len(unique)} refits quantized as {candidate.id}")
        calls = [self._call(ref, candidate, refit, rows) for refit in unique.values()]
        done = zip(unique.items(), calls, self._run_many(calls), strict=True)
        answers = {key: _predicted(refit, call, outcome, rows) for (key, refit), call, outcome in done}
        return {name: [answers[id(refit)] for refit in refits] for name, refits in made.columns.items()}

    def _call(self, ref: PluginRef, candidate: Candidate, refit: Refit, rows: int) -> Call:
        assert refit.program is not None
        assert refit.encoded is not None
        packed, arrays = pack_program(refit.program)
        if len(refit.encoded) > rows:
            arrays = {**arrays, "calibration": refit.encoded[rows:]}
        request = {
            "quantizer": ref.name,
            "settings": {key: [value] for key, value in candidate.settings.items()},
            "bits": None,
            "seed": self._seed,
            "program": packed,
            "why_not": None,
        }
        return Call("quantize", request, arrays, (ref,))


def _plain(refit: Refit, rows: int) -> Floats:
    if refit.program is None or refit.encoded is None:
        return refit.native[:rows]
    return predict(refit.program, refit.encoded[:rows])


def _predicted(refit: Refit, call: Call, outcome: Outcome, rows: int) -> Floats:
    """Predictions of a quantized refit. Raises Decline where its quantizer gave none."""
    assert refit.program is not None
    assert refit.encoded is not None
    if outcome.failure is not None:
        raise Decline(f"a refit could not be quantized: {outcome.failure.reason}")
    try:
        candidates = outcome.answer["candidates"]
        if len(candidates) != 1:
            raise Decline("a refit could not be quantized: " + "; ".join(each["reason"] for each in outcome.answer["refused"]))
        quantized, wrong = quantized_of(candidates[0], outcome.answer, refit.program, outcome.arrays)
    except MALFORMED as error:
        wrong = broken(error)
    if wrong:
        keep_unit(call, outcome, wrong)
        raise Decline(f"a refit could not be quantized: {wrong}")
    return predict(quantized, refit.encoded[:rows])


def _with_calibration(subject: LoadedSubject, rows: NDArray[np.int64]) -> tuple[LoadedSubject, NDArray[np.int64]]:
    """A subject whose holdout table has the calibration rows appended, and the numbers of the wanted rows and of those."""
    holdout, calibration = subject.tables["holdout"], subject.tables.get("calibration")
    if calibration is None or not calibration.rows:
        return subject, rows
    joined = Table({name: np.concatenate([holdout.columns[name], calibration.columns[name]]) for name in holdout.names})
    numbers = np.concatenate([rows, np.arange(holdout.rows, holdout.rows + calibration.rows, dtype=np.int64)])
    return replace(subject, tables={**subject.tables, "holdout": joined}), numbers
