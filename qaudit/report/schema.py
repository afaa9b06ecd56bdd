"""JSON Schemas (draft 2020-12) of report.json and of audit.toml, as `qaudit schema` prints them."""

from __future__ import annotations

import difflib
from importlib.resources import files

from qaudit.errors import Refused

NAMES = ("audit", "report")


def schema_text(name: str) -> str:
    """The schema as it ships. Raises Refused on a name that is not in NAMES."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
        raise Refused(f"unknown schema {name!r}; did you mean {near!r}? Schemas: {', '.join(NAMES)}")
    return files(__package__).joinpath(f"{name}.schema.json").read_text("utf-8")
