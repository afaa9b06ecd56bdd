"""JSON Schemas (draft 2020-12) of report.json and of audit.toml, as `qaudit schema` prints them."""

from __future__ import annotations

from importlib.resources import files

from qaudit.errors import Refused, unknown

NAMES = ("audit", "report")


def schema_text(name: str) -> str:
    """The schema as it ships. Raises Refused on a name that is not in NAMES."""
    if name not in NAMES:
        raise Refused(unknown("schema", name, NAMES))
    return files(__package__).joinpath(f"{name}.schema.json").read_text("utf-8")
