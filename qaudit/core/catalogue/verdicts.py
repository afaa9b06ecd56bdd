"""The verdicts on a limit: their words, their order, and how they look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

VerdictWord = Literal["within", "near", "outside", "not_demonstrable", "no_limit", "not_assessed"]
"""The word of a verdict in report.json, and its class on the page."""
ExitCode = Literal[0, 1, 2]
"""What a command returns to its caller: 0 nothing stands against it, 1 a limit is shown not to be met, 2 it is not known."""
Shape = Literal["disc", "triangle", "square", "diamond", "ring", "barred ring"]
"""The shape of the mark, so that verdicts do not differ by colour alone."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Colours of a verdict as `#rrggbb`: its word, its mark in charts, the edge and the background of what bears it."""

    word: str
    mark: str
    edge: str
    background: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict on a limit.

    `title` is the word in print, `meaning` completes "the measured value ...". `counted` is said after the number of limits with
    this verdict; where it is empty, page one names those limits instead. `precedence` orders the rows that match one limit: the
    row with the lowest decides (None: no row of a limit has this verdict). `exit_code` is what an audit ends with whose limits
    all have this verdict, `open` says that someone has to settle it before sign-off. `step` is what to do next, with the places
    {limit} and {reason}; empty where there is nothing to do.
    """

    word: VerdictWord
    title: str
    meaning: str
    counted: str
    precedence: int | None
    exit_code: ExitCode
    open: bool
    step: str
    shape: Shape
    light: Colours
    dark: Colours

    @property
    def exceeded(self) -> bool:
        """Whether the limit is shown not to be met."""
        return self.exit_code == 1


# By decreasing need of attention.
_ALL = (
    Verdict(
        "outside", "Outside", "does not meet the limit, which the data show", "", 0, 1, True,
        "Take a candidate with a smaller loss, or record an exception with its reason: {limit} exceeds the limit.", "square",
        Colours("#8e1230", "#8e1230", "#8e1230", "#f8ebee"), Colours("#ff8da3", "#ff8da3", "#ff8da3", "#331922"),
    ),
    Verdict(
        "not_demonstrable", "Not demonstrable", "cannot be shown to meet the limit, nor not to, with these rows: the interval "
        "lies on both sides of it", "", 1, 2, True,
        "Measure more rows, or record an exception with its reason: {limit}: {reason}.", "diamond",
        Colours("#4b5663", "#4b5663", "#4b5663", "#eff2f5"), Colours("#b9c4cf", "#b9c4cf", "#b9c4cf", "#1c232c"),
    ),
    Verdict(
        "not_assessed", "Not assessed", "could not be compared with the limit; never counted as within", "", 2, 2, True,
        "Give what is missing, or take the limit out of the policy: {limit} is not assessed: {reason}.", "barred ring",
        Colours("#5d6975", "#6b7785", "#5d6975", "#eff2f5"), Colours("#a3afbc", "#b9c4cf", "#a3afbc", "#1c232c"),
    ),
    Verdict(
        "near", "Near", "meets the limit, inside the warning band", "near the limit", 3, 0, False,
        "Watch {limit}: it lies inside the warning band of the limit.", "triangle",
        Colours("#8a5800", "#b87500", "#b87500", "#faf2e2"), Colours("#f0b13c", "#f0b13c", "#b87500", "#2b2414"),
    ),
    Verdict(
        "no_limit", "No limit set", "measured, with no limit to hold it against", "with no limit", None, 0, False, "", "ring",
        Colours("#0b62a4", "#0b62a4", "#5d6975", "#eff2f5"), Colours("#6db3ee", "#6db3ee", "#a3afbc", "#1c232c"),
    ),
    Verdict(
        "within", "Within", "meets the limit", "within", 4, 0, False, "", "disc",
        Colours("#0b62a4", "#0b62a4", "#0b62a4", "#e9f1f8"), Colours("#6db3ee", "#6db3ee", "#6db3ee", "#162636"),
    ),
)  # fmt: skip
VERDICTS: Mapping[str, Verdict] = MappingProxyType({verdict.word: verdict for verdict in _ALL})
"""Word -> verdict, by decreasing need of attention."""
RANKS: Mapping[str, int] = MappingProxyType({word: rank for rank, word in enumerate(VERDICTS)})
"""Word -> rank by need of attention; 0 is the highest."""

if set(VERDICTS) != set(get_args(VerdictWord)):
    raise ImportError("catalogue of verdicts: the words of the type and of the records differ")


def worst(words: Iterable[str]) -> str | None:
    """The verdict that needs attention first; None where there is none."""
    return min(words, key=RANKS.__getitem__, default=None)


def precedence(word: VerdictWord) -> int:
    """The rank of a row among several that match one limit. The row with the lowest rank decides."""
    place = VERDICTS[word].precedence
    return len(VERDICTS) if place is None else place
