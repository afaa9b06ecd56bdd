"""Measures that plugins declare: checks of the declarations and of the values that a plugin records."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from qaudit.core.catalogue.measures import Better, Measure, Unit
from qaudit.core.catalogue.sections import SECTIONS
from qaudit.core.json_values import Json
from qaudit.errors import did_you_mean, unknown

MOST_MEASURES = 20
"""Measures that one plugin may declare."""
MOST_VALUES = 2_000
"""Values that one plugin may record for one model."""
LONGEST_TITLE = 80
PLACES = tuple(anchor for anchor, section in SECTIONS.items() if section.topic is not None)
"""The sections that take measures of plugins."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def full_name(plugin: str, measure: str) -> str:
    """The name of a plugin's measure in the evidence table and in policy.toml: `plugin.measure`."""
    return f"{plugin}.{measure}"


def declaration_problems(measures: Any) -> list[str]:
    """The problems of the measures that a plugin declares, one line each; empty where there are none."""
    if not isinstance(measures, tuple | list):
        return [f"measures: gave a {type(measures).__name__}, expected a tuple of Measure"]
    if len(measures) > MOST_MEASURES:
        return [f"measures: {len(measures)} are declared, at most {MOST_MEASURES} are allowed"]
    problems = [line for measure in measures for line in _problems(measure)]
    names = [measure.name for measure in measures if isinstance(measure, Measure)]
    return problems + [f"measure {name!r} is declared twice" for name in sorted({n for n in names if names.count(n) > 1})]


def _problems(measure: Any) -> list[str]:
    if not isinstance(measure, Measure):
        return [f"measures: gave a {type(measure).__name__}, expected a Measure"]
    texts = (measure.name, measure.title, measure.unit, measure.section, measure.better)
    if not all(isinstance(text, str) for text in texts):
        return [f"measure {measure.name!r}: name, title, unit, section and better are texts"]
    if not _NAME.fullmatch(measure.name):
        return [f"measure {measure.name!r}: expected a name in snake_case of at most 64 characters"]
    head, problems = f"measure {measure.name!r}", []
    if not 0 < len(measure.title) <= LONGEST_TITLE or not measure.title.isprintable() or measure.title != measure.title.strip():
        problems.append(
            f"{head}: title {measure.title[:LONGEST_TITLE]!r}, expected one printable line of 1 to {LONGEST_TITLE} characters"
        )
    for what, word, words in (("unit", measure.unit, get_args(Unit)), ("better", measure.better, get_args(Better))):
        if word not in words:
            problems.append(f"{head}: {unknown(what, word, words)}")
    if measure.section not in PLACES:
        problems.append(
            f"{head}: section {measure.section!r} takes no measures of plugins; {did_you_mean(measure.section, PLACES)}"
        )
    if not problems and measure != Measure(*texts):
        problems.append(
            f"{head}: name, title, unit, section and better may be given; the other fields are for measures of qaudit"
        )
    return problems


def packed_measures(measures: Sequence[Measure]) -> list[Json]:
    """Declared measures as JSON. Raises ValueError on a declaration that is not allowed."""
    if problems := declaration_problems(measures):
        raise ValueError(problems[0])
    fields = ("name", "title", "unit", "section", "better")
    return [{name: getattr(measure, name) for name in fields} for measure in measures]


def unpacked_measures(packed: Any) -> tuple[Measure, ...]:
    """The measures of such JSON, which a plugin's process wrote. Raises ValueError or TypeError."""
    measures = tuple(Measure(**each) for each in packed)
    if problems := declaration_problems(measures):
        raise ValueError(problems[0])
    return measures


def _finite(value: Any) -> float | None:
    """The value as a float; None where it is no real number, or none that a float can hold."""
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


@dataclass(slots=True)
class MeasureRecorder:
    """Takes the values that a plugin records for one model, and checks each of them.

    `measures` are the declared ones; `parts` are the names of what a value may be about: parameters for a quantizer, features
    for an explainer. `values` maps (measure, part) to the value; part None is the model as a whole.
    """

    measures: Sequence[Measure]
    parts: Collection[str]
    values: dict[tuple[str, str | None], float] = field(default_factory=dict)

    def add(self, measure: str, value: Any, part: str | None = None) -> None:
        """Take one value. Raises ValueError on an unknown measure or part, a value that is not finite, or a second value."""
        names = [each.name for each in self.measures]
        if measure not in names:
            raise ValueError(f"measure {measure!r} is not declared; {did_you_mean(str(measure), names)}")
        if part is not None and part not in self.parts:
            raise ValueError(f"measure {measure}: {unknown('part', str(part), list(self.parts))}")
        number = _finite(value)
        if number is None:
            raise ValueError(f"measure {measure}: value {value!r:.40}, expected a finite number")
        if (measure, part) in self.values:
            raise ValueError(f"measure {measure}: recorded twice for {part or 'the model as a whole'}")
        if len(self.values) >= MOST_VALUES:
            raise ValueError(f"measure {measure}: more than {MOST_VALUES} values are recorded for one model")
        self.values[measure, part] = number

    def packed(self) -> list[Json]:
        """The values as JSON."""
        return [{"measure": measure, "part": part, "value": value} for (measure, part), value in self.values.items()]


def ignored(measure: str, value: float, **about: Any) -> None:
    """Takes the place of a recorder where nothing is recorded, for example in an author's own test of a function."""
