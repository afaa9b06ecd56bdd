"""Packs the measures that a plugin declares in the child, and reads and checks them in the host."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from qaudit.core.catalogue.measures import Measure
from qaudit.core.catalogue.plugin_measures import MeasureRecorder, packed_measures, unpacked_measures
from qaudit.core.json_values import Json
from qaudit.core.records import Explainer, Quantizer
from qaudit.sandbox.ipc import BrokenAnswer


def declared_measures(record: Quantizer | Explainer | None) -> list[Json]:
    """The measures that a record declares. Raises BrokenAnswer where it may not declare them."""
    try:
        return packed_measures(record.measures) if record else []
    except ValueError as error:
        raise BrokenAnswer(str(error)) from error


def measures_of(answer: Json) -> tuple[Measure, ...]:
    """The measures that an answer declares. Raises one of MALFORMED."""
    return unpacked_measures(answer.get("measures", ()))


def values_of(packed: Any, measures: Sequence[Measure], parts: Collection[str]) -> dict[tuple[str, str | None], float]:
    """(measure, part) -> the recorded value, of an answer or a candidate; part None is the model as a whole. Raises one of
    MALFORMED."""
    recorder = MeasureRecorder(measures, parts)
    for each in packed:
        recorder.add(each["measure"], each["value"], each["part"])
    return recorder.values
