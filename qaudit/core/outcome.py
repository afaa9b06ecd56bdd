"""What the limits of an audit give together: the exit code, and one line that says which of them are not met or not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from qaudit.core.catalogue.verdicts import VERDICTS, ExitCode, VerdictWord
from qaudit.core.evidence import Assessment

Permit = Literal["fail", "pass"]
"""What a limit that is not demonstrable with these rows does: it fails, or it passes, where the author of the audit says so."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What belongs to all limits of an audit together."""

    not_demonstrable: Permit
    """What a limit does that these rows can neither show to be met nor not to: it fails, or it passes if the author says so."""
    comparisons: int
    """The number of comparisons of a limit with a row of evidence."""
    by_interval: int
    """How many of them an interval decided."""
    false_outside: float | None
    """If every limit was just met in truth, an upper bound of the chance that one of these intervals lies beyond its limit: the
    sum of the chances of each (Bonferroni); null where no interval decided."""


def outcome(assessments: Sequence[Assessment], not_demonstrable: Permit = "fail") -> Outcome:
    """The number of comparisons and the chance of a false "outside": (1 - level) / 2 for each two-sided interval, at most 1."""
    bounds = [each.bound for limit in assessments for each in (limit.rows or (limit,)) if each.observed is not None]
    chances = [(1.0 - bound.level) / 2.0 for bound in bounds if bound is not None]
    return Outcome(not_demonstrable, len(bounds), len(chances), min(1.0, sum(chances)) if chances else None)


def exit_code(assessments: Sequence[Assessment], *, failed: bool = False, not_demonstrable: Permit = "fail") -> ExitCode:
    """0 every limit within or near, or none set; 1 any outside, whatever else is not known; 2 otherwise.

    `failed`: a selected plugin failed or the PDF could not be made. A limit that is shown not to be met stays so whatever could
    not be done besides, so that 1 wins over 2.
    """
    codes = {_code(each.verdict, not_demonstrable) for each in assessments}
    return 1 if 1 in codes else 2 if failed or 2 in codes else 0


def _code(verdict: VerdictWord, not_demonstrable: Permit) -> ExitCode:
    return 0 if verdict == "not_demonstrable" and not_demonstrable == "pass" else VERDICTS[verdict].exit_code


def last_line(
    assessments: Sequence[Assessment], code: ExitCode, *, failed: bool = False, not_demonstrable: Permit = "fail"
) -> str:
    """The last line of a command: limits by verdict, those that are not met or not known by their ids, and the exit code."""
    if not assessments:
        text = "no limit is set"
    else:
        met = sum(VERDICTS[each.verdict].exit_code == 0 for each in assessments)
        text = f"{met} of {len(assessments)} limits within or near"
    parts = [text]
    for word, verdict in VERDICTS.items():
        ids = [each.limit.id for each in assessments if each.verdict == word]
        if ids and verdict.exit_code != 0:
            parts.append(f"{verdict.title.lower()}: {', '.join(ids)}")
    if not_demonstrable == "pass" and any(each.verdict == "not_demonstrable" for each in assessments):
        parts.append('not demonstrable passes, as the audit sets not_demonstrable = "pass"')
    if failed:
        parts.append("a part of the audit failed")
    return f"{'; '.join(parts)} (exit code {code})"
