"""Write docs/options.md and qaudit/report/audit.schema.json from the declaration of the options, qaudit/inputs/options.py.

`python tools/option_docs.py` rewrites both; tests/inputs/test_options.py fails where they differ from the declaration.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from qaudit.inputs.audit_toml import json_schema
from qaudit.inputs.option import PY_AUDIT, PY_REGISTER, REGISTER, RUN, SURFACES, TOML, Declared, Surface, declared
from qaudit.inputs.options import CallPart, Settings

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "options.md"
SCHEMA = ROOT / "qaudit" / "report" / "audit.schema.json"
INTRO = """# Options

An audit is configured in audit.toml, on the command line (`qaudit register`, `qaudit run`), or from Python (`qaudit.register`,
`qaudit.audit`). Every option is declared once, in `qaudit/inputs/options.py`; this page is written from it. Where an option is
missing, the reason is given below its table. A value on the command line or in Python overrides that of audit.toml, which
overrides that with which the model was registered.

Paths in audit.toml are relative to its folder (those of plugin files to the working folder), others to the working folder. Python
takes the spellings of the command line as well (`format="html"`), a single value for a list of one, and a text with commas.
"""
HEAD = "| option | meaning | if not given | audit.toml | `qaudit run` | `qaudit register` | `qaudit.audit` | `qaudit.register` |"


def spelling(each: Declared, surface: Surface) -> str:
    """How the option is written there; a dash where it is missing."""
    if not each.on(surface):
        return "–"
    if surface in (PY_AUDIT, PY_REGISTER):
        return f"`{each.name}=`"
    if surface in (RUN, REGISTER):
        flags = list(each.option.switches) or [*([each.option.short] if each.option.short else []), each.flag]
        return ", ".join(f"`{flag}`" for flag in flags)
    return f"`{each.key if each.section else each.place}`"


def row(each: Declared) -> str:
    """A line of the table."""
    meaning = each.option.help + (f"; in Python: {each.option.in_python}" if each.option.in_python else "")
    cells = [f"`{each.name}`", meaning, each.usual, *(spelling(each, surface) for surface in SURFACES)]
    return "| " + " | ".join(cell.replace("|", r"\|").replace("<", "&lt;") for cell in cells) + " |"


def reasons(options: list[Declared]) -> Iterator[str]:
    """A line for each reason and the surfaces that it is given for."""
    names = defaultdict(list)
    for each in options:
        where = defaultdict(list)
        for surface, reason in each.option.absent.items():
            where[reason].append(surface if surface == TOML else f"`{surface}`")
        for reason, surfaces in where.items():
            names[reason, ", ".join(surfaces)].append(f"`{each.name}`")
    for (reason, places), missing in names.items():
        yield f"- {', '.join(missing)}: not in {places}; {reason}."


def section(title: str, text: str, options: list[Declared]) -> str:
    """A heading, its options and where they are missing."""
    lines = [f"## {title}", "", text, "", HEAD, "| --- " * 8 + "|", *map(row, options)]
    if why := list(reasons(options)):
        lines += ["", *why]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole page: a section for each table of audit.toml, one for its lists of tables, one for what a single call is told."""
    parts = [(field.name, field.type) for field in dataclasses.fields(Settings) if "option" not in field.metadata]
    alone = [each for each in declared(Settings) if not each.section]
    sections = [section(f"[{name}]", part.__doc__, list(declared(part, name))) for name, part in parts]
    sections.append(section("Plugins and the author's words", "Tables of their own in audit.toml.", alone))
    sections.append(section("A single call", CallPart.__doc__ or "", list(declared(CallPart))))
    return "\n".join([INTRO, *sections])


def schema() -> str:
    """The JSON Schema of audit.toml."""
    return json.dumps(json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
