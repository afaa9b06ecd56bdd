"""The measures that plugins declare: as rows of evidence, in the plugin's row of the report, and as measures of limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from qaudit.core.catalogue.measures import Measure
from qaudit.core.catalogue.plugin_measures import full_name
from qaudit.core.catalogue.sections import SECTIONS, Anchor
from qaudit.core.evidence import Evidence
from qaudit.core.json_values import Json


def recorded_evidence(
    plugin: str,
    measures: Sequence[Measure],
    values: Mapping[tuple[str, str | None], float],
    about: Mapping[str, str],
    part: str,
) -> list[Evidence]:
    """One row for each recorded value. A value of a part, such as one parameter, names it under the key `part` of `about`."""
    by_name = {measure.name: measure for measure in measures}
    rows = []
    for (name, of), value in values.items():
        measure = by_name[name]
        topic = SECTIONS[measure.section].topic
        assert topic is not None  # a declaration names a section that takes measures of plugins
        where = {**about, **({} if of is None else {part: of})}
        rows.append(Evidence(full_name(plugin, name), value, measure.unit, None, None, where, plugin, topic))
    return rows


def declared_entries(plugin: str, measures: Sequence[Measure]) -> Json:
    """{"measures": [...]} for the plugin's row in the report; empty where it declares none."""
    entries = [
        {
            "name": full_name(plugin, measure.name),
            "title": measure.title,
            "unit": measure.unit,
            "section": measure.section,
            "better": measure.better,
        }
        for measure in measures
    ]
    return {"measures": entries} if entries else {}


def declared_sections(rows: Iterable[Json]) -> dict[str, Anchor]:
    """Full name -> section of every measure that the plugins of these rows declare."""
    return {entry["name"]: entry["section"] for row in rows for entry in row.get("measures", ())}
