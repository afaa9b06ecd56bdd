"""The stage `choose`: where no candidate is named, one is chosen on training rows, so that the holdout is looked at once.

The candidates are compared on training rows on which no quantizer was calibrated. The smallest one whose limits hold there is
taken, without limits the smallest without a changed decision. The holdout takes no part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qaudit.core.catalogue.measures import MEASURES
from qaudit.core.catalogue.sections import Anchor
from qaudit.core.catalogue.verdicts import VERDICTS, VerdictWord
from qaudit.core.evidence import Evidence, Limit
from qaudit.core.json_values import Json
from qaudit.core.numbers import one, size, whole
from qaudit.core.tensor import Floats
from qaudit.engine.sweep import predict
from qaudit.inputs.policy import Policy
from qaudit.pipeline.stages.assess import assess
from qaudit.pipeline.stages.evaluate import BYTES_AT_ONCE, evaluate
from qaudit.pipeline.types import Candidate, Candidates, Choice, LoadedSubject, Progress

HOLDS: tuple[VerdictWord, ...] = ("within", "near")
SMALL_CHANGE = 20
"""A change of a number is small up to this part of the standard deviation of the predictions: 1 / 400 of their variance."""
BY_NAME = "name the candidate that the limits judge: [policy] judge in audit.toml, --judge, or judge= in Python"
WITHOUT_TARGET = frozenset(
    {"flip_rate", "flips", "max_abs_error", "mean_abs_error", "sqnr_db", "score_change", "moved_share", "kl", "positive_rate",
     "positive_rate_change", "effective_bits", "size_bytes", "contribution"}
)  # fmt: skip
"""Measures that compare predictions or parameters and do not know the true values."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One candidate on the choice rows: rows with a changed decision (None for a regression), the change of the score that 99 %
    of the rows keep to, and what speaks against it ("" where nothing does). Both are None where it could not be evaluated.
    """

    candidate: Candidate
    changed: int | None
    moved: float | None
    against: str

    @property
    def bytes(self) -> int:
        """Size of its parameters."""
        return int(self.candidate.row["size_bytes"])

    def plain(self) -> Json:
        """Its entry in report.json."""
        return {
            "candidate": self.candidate.id,
            "size_bytes": self.bytes,
            "changed": self.changed,
            "score_change": self.moved,
            "holds": not self.against,
            "against": self.against,
        }


def choose(
    subject: LoadedSubject,
    candidates: Candidates,
    policy: Policy | None,
    declared: Mapping[str, Anchor],
    progress: Progress = lambda line: None,
) -> Choice | None:
    """The choice among several candidates of which none was named; None where there is nothing to choose from.

    `declared` maps the measures that plugins declared to their sections.
    """
    if subject.program is None or len(candidates.all) < 2:
        return None
    if not len(subject.choice.rows):
        return _not_made(subject, f"{subject.choice.how}, and on the holdout nothing is chosen: {BY_NAME}")
    rows = on_choice_rows(subject)
    reference = predict(subject.program, rows.encoded["holdout"])
    if not np.isfinite(reference).all():
        return _not_made(subject, f"predictions of the model are not finite on these rows: {BY_NAME}")
    progress(f"choose: {len(candidates.all)} candidates on {len(subject.choice.rows)} training rows")
    limits = policy.limits if policy else ()
    evidence = _evidence(rows, candidates, limits)
    small = _small(subject, reference)
    verdicts = _verdicts(policy, evidence, candidates, declared)
    on_rows = [limit for limit in limits if any(words[limit.id] != "not_assessed" for words in verdicts.values())]
    compared = [_compared(each, evidence, on_rows, verdicts, small) for each in candidates.all]
    chosen, why = _chosen(compared, on_rows, small)
    row = {
        "rows": len(subject.choice.rows),
        "how": subject.choice.how,
        "rule": _rule(on_rows, small, declared=subject.tolerance is not None),
        "chosen": chosen.candidate.id if chosen else None,
        "why": why,
        "compared": [each.plain() for each in compared],
        "notes": _notes(limits, on_rows),
    }
    return Choice(chosen.candidate if chosen else None, row)


def on_choice_rows(subject: LoadedSubject) -> LoadedSubject:
    """The subject with the choice rows in the place of the holdout."""
    rows = subject.choice.rows
    return dataclasses.replace(
        subject,
        tables={"holdout": subject.tables["training"].take(rows)},
        encoded={"holdout": subject.encoded["training"][rows]},
        native={"holdout": subject.native["training"][rows]},
        target={"holdout": subject.target["training"][rows]},
        groups=subject.choice.groups,
        cluster=subject.choice.cluster,
    )


def _not_made(subject: LoadedSubject, why: str) -> Choice:
    row = {
        "rows": len(subject.choice.rows),
        "how": subject.choice.how,
        "rule": "",
        "chosen": None,
        "why": f"No candidate was chosen: {why}.",
        "compared": [],
        "notes": [],
    }
    return Choice(None, row)


def _evidence(rows: LoadedSubject, candidates: Candidates, limits: Sequence[Limit]) -> list[Evidence]:
    """Rows of evidence of all candidates, by a few at a time where predictions are kept for their intervals."""
    measured = list(candidates.evidence)
    if not any(_in_detail(limit) for limit in limits):
        return [*measured, *evaluate(rows, candidates, None).evidence]
    each = 8 * len(rows.target["holdout"]) * max(1, len(rows.classes))
    count = max(1, int(BYTES_AT_ONCE // each))
    for start in range(0, len(candidates.all), count):
        part = Candidates(candidates.all[start : start + count])
        measured += evaluate(rows, part, None, also=[candidate.id for candidate in part.all]).evidence
    return measured


def _in_detail(limit: Limit) -> bool:
    """Whether a limit is on what is measured for the candidate under assessment alone: by group, or with resampled intervals."""
    measure = MEASURES.get(limit.measure)
    if measure is None:
        return False
    return "bootstrap" in measure.interval or (measure.grouped == "judged" and "group" in limit.where)


def _verdicts(
    policy: Policy | None, evidence: Sequence[Evidence], candidates: Candidates, declared: Mapping[str, Anchor]
) -> dict[str, dict[str, VerdictWord]]:
    """Verdict of every limit on the choice rows, by candidate."""
    of: dict[str, list[Evidence]] = {each.id: [] for each in candidates.all}
    for row in evidence:
        of.get(row.about.get("candidate", ""), []).append(row)
    return {name: {each.limit.id: each.verdict for each in assess(policy, rows, name, declared)} for name, rows in of.items()}


def _compared(
    candidate: Candidate,
    evidence: Sequence[Evidence],
    limits: Sequence[Limit],
    verdicts: Mapping[str, Mapping[str, VerdictWord]],
    small: float | None,
) -> Compared:
    numbers = {
        row.measure: row.value
        for row in evidence
        if row.measure in ("flips", "score_change") and dict(row.about) == {"candidate": candidate.id, "against": "reference"}
    }
    flips, moved = numbers.get("flips"), numbers.get("score_change")
    changed = None if flips is None else int(flips)
    if moved is None:
        against = "could not be evaluated"
    elif limits:
        words = verdicts[candidate.id]
        against = ", ".join(
            f"{limit.id} {VERDICTS[words[limit.id]].title.lower()}" for limit in limits if words[limit.id] not in HOLDS
        )
    elif small is None:
        against = "" if changed == 0 else f"{changed} decisions changed" if changed != 1 else "1 decision changed"
    else:
        against = "" if moved <= small else "predictions moved more"
    return Compared(candidate, changed, moved, against)


def _chosen(compared: Sequence[Compared], limits: Sequence[Limit], small: float | None) -> tuple[Compared | None, str]:
    evaluated = [each for each in compared if each.moved is not None]
    if not evaluated:
        return None, f"No candidate was chosen: none could be evaluated on these rows; {BY_NAME}."
    good = [each for each in evaluated if not each.against]
    if good:
        # candidates stand in the order of their ids, and min takes the first of equals
        least = min(good, key=lambda each: each.bytes)
        number = "It alone" if len(good) == 1 else f"It is the smallest ({size(least.bytes)}) of {len(good)} that"
        return least, f"{number} {_met(limits, small, len(good))}, of {len(compared)} candidates compared."
    least = min(evaluated, key=lambda each: (each.moved if each.changed is None else each.changed, each.bytes))
    fewest = (
        f"changes predictions least: 99 % of the rows by at most {one(least.moved, '')}"
        if least.changed is None
        else f"has the fewest changed decisions, {whole(least.changed)}"
    )
    return least, f"None of {len(compared)} candidates {_met(limits, small, 1)}; this one {fewest}."


def _met(limits: Sequence[Limit], small: float | None, count: int) -> str:
    """What a candidate does that the rule asks for, as a verb after `count` candidates."""
    if limits:
        return "keeps the limits on these rows" if count == 1 else "keep the limits on these rows"
    verb = "changes" if count == 1 else "change"
    return f"{verb} no decision on these rows" if small is None else f"{verb} the predictions that little on these rows"


def _rule(limits: Sequence[Limit], small: float | None, *, declared: bool) -> str:
    if limits:
        names = ", ".join(limit.id for limit in limits)
        return f"The smallest candidate for which every limit that can be assessed on these rows is within or near: {names}."
    if small is None:
        return "The smallest candidate without a changed decision on these rows."
    what = (
        "the declared tolerance" if declared else "a twentieth of the standard deviation of the model's predictions on these rows"
    )
    return f"The smallest candidate that moves 99 % of the predictions by at most {one(small, 'target')}, {what}."


def _small(subject: LoadedSubject, reference: Floats) -> float | None:
    """A change of a predicted number that is small; None for classes."""
    if subject.decision.output != "regression":
        return None
    return subject.tolerance if subject.tolerance is not None else float(np.std(reference[:, 0])) / SMALL_CHANGE


def _notes(limits: Sequence[Limit], on_rows: Sequence[Limit]) -> list[str]:
    """What the choice does not say, as sentences."""
    notes = (
        ["Whether the limits hold is not known from the choice: the candidate is assessed once, on the holdout."]
        if limits
        else []
    )
    seen = [limit.id for limit in on_rows if limit.measure in MEASURES and limit.measure not in WITHOUT_TARGET]
    if seen:
        notes.append(
            f"{_limits(seen)} compared by the true values of training rows, on which the model was fitted: that is optimistic."
        )
    left = [limit.id for limit in limits if limit not in on_rows]
    if left:
        notes.append(f"{_limits(left)} not assessed on these rows and took no part in the choice.")
    return notes


def _limits(ids: Sequence[str]) -> str:
    return f"Limit {ids[0]} was" if len(ids) == 1 else f"Limits {', '.join(ids)} were"
