"""Write the JSON Schema of report.json and docs/report-format.md from the types in qaudit/report/.

`python tools/report_docs.py` rewrites both; tests/report/test_report_docs.py fails where they differ from the types. What a field
means is the docstring under it.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from qaudit.report import explanations, inputs, model
from qaudit.report.formats import FORMAT

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "qaudit" / "report" / "report.schema.json"
PAGE = ROOT / "docs" / "report-format.md"
MODULES = (model, inputs, explanations)
INTRO = f"""# The format of report.json

This is format {FORMAT}. `qaudit schema report` prints it as a JSON Schema. A report of an older format is read as well: `render`,
`verify` and `--previous` upgrade it first; one of a newer format is refused. The file is canonical JSON: sorted keys, no spaces,
UTF-8, numbers by Python's shortest form. Digests are `sha256:` and 64 hex digits. A key marked *optional* may be absent.

This page is written by tools/report_docs.py from the types in `qaudit/report/`.
"""
JsonSchema = dict[str, Any]
SINGLE = ("text", "integer", "number", "true or false", "null")


class Untitled(GenerateJsonSchema):
    """pydantic's schemas without a title for each key, which repeats the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def classes() -> dict[str, type]:
    """The types by name."""
    by_name: dict[str, type] = {}
    for module in MODULES:
        for name, value in vars(module).items():
            if inspect.isclass(value) and (issubclass(value, BaseModel) or dataclasses.is_dataclass(value)):
                by_name.setdefault(name, value)
    return by_name


def field_docs(of: type) -> dict[str, str]:
    """The docstring under each field, those of the classes it inherits from included."""
    docs: dict[str, str] = {}
    for base in reversed(of.__mro__):
        if base.__module__.startswith("qaudit."):
            docs |= dict(_own_docs(base))
    return docs


def _own_docs(of: type) -> Iterator[tuple[str, str]]:
    body = ast.parse(textwrap.dedent(inspect.getsource(of))).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, after in zip(body.body, body.body[1:], strict=False):
        documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and documented:
            yield field.target.id, inspect.cleandoc(after.value.value)  # type: ignore[attr-defined]


def schema() -> JsonSchema:
    """The JSON Schema (draft 2020-12) with what each field means."""
    made = model.Report.model_json_schema(schema_generator=Untitled)
    parts = {"Report": made, **made["$defs"]}
    for name, part in parts.items():
        docs = field_docs(classes()[name])
        part["description"] = inspect.getdoc(classes()[name])
        for key, field in part["properties"].items():
            part["properties"][key] = {**field, "description": docs[key]}
    made["title"] = f"qaudit report.json, format {FORMAT}"
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}


def schema_text() -> str:
    """The schema as it ships."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """The page: a table a type, the whole report first, then its parts in the order in which they are met."""
    made = schema()
    parts = {"Report": made, **made["$defs"]}
    sections = [_section(name, parts[name]) for name in _met("Report", parts)]
    return "\n".join([INTRO, *sections])


def _met(name: str, parts: dict[str, JsonSchema]) -> list[str]:
    """`name` and the types below it, each once."""
    names = [name]
    for each in names:
        for target in _targets(parts[each]["properties"]):
            if target not in names:
                names.append(target)
    return names


def _targets(value: Any) -> Iterator[str]:
    """The names of the types that a schema refers to."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for key, inner in value.items():
            if key != "discriminator":
                yield from _targets(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _targets(inner)


def _section(name: str, part: JsonSchema) -> str:
    required = part.get("required", ())
    lines = [f"## {name}", "", (part.get("description") or "").split("\n\n")[0].replace("\n", " "), ""]
    lines += ["| key | holds | |", "| --- | --- | --- |"]
    for key, field in part["properties"].items():
        optional = "" if key in required else " *optional*"
        lines.append(f"| `{key}`{optional} | {kind(field)} | {_cell(field['description'])} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def kind(field: JsonSchema) -> str:
    """What a schema allows, in few words; types as links to their tables."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(str(word) for word in field["enum"])
    if several := field.get("anyOf") or field.get("oneOf"):
        return _either([kind(each) for each in several])
    return _plain_kind(field)


def _either(kinds: list[str]) -> str:
    single = [each for each in kinds if each in SINGLE]
    if len(single) == len(SINGLE):
        kinds = ["any single value", *(each for each in kinds if each not in SINGLE)]
    return " or ".join(dict.fromkeys(kinds))


def _plain_kind(field: JsonSchema) -> str:
    if field["type"] == "array":
        if "prefixItems" in field:
            return f"[{', '.join(kind(each) for each in field['prefixItems'])}]"
        return f"list of {kind(field['items'])}"
    if field["type"] == "object":
        keys = kind(field["propertyNames"]) if "propertyNames" in field else "text"
        return f"{{{keys}: {kind(field['additionalProperties'])}}}"
    pattern = {r"^sha256:[0-9a-f]{64}$": "digest", r"^\d{4}-\d{2}-\d{2}$": "date"}.get(field.get("pattern", ""))
    return pattern or {"string": "text", "boolean": "true or false"}.get(field["type"], field["type"])


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
