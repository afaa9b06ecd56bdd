"""Reads audit.toml, puts the values of the command line over it, and validates both as the settings of an audit."""

from __future__ import annotations

import datetime
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from qaudit.core.evidence import TOPICS
from qaudit.errors import Refused, did_you_mean
from qaudit.inputs.option import TOML
from qaudit.inputs.options import OPTIONS, Settings

FIELDS = TOPICS
"""The evidence fields of the frameworks; [author] may have a text for each, under its full name or its last part."""

_TEXT_FILES = (".md", ".txt")
_SETTINGS: TypeAdapter[Settings] = TypeAdapter(Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary. Raises Refused naming file and line."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", str(error))
        line = f":{place.group(1)}" if place and place.group(1) else ""
        raise Refused(f"{path}{line}: not TOML: {str(error)[: place.start() if place else None].strip()}") from error


def read_audit_file(path: Path) -> dict[str, Any]:
    """audit.toml as a dictionary, with paths made absolute from its folder and [author] files read. Raises Refused."""
    table = read_toml(path)
    tables = {each.section or each.key for each in OPTIONS if each.on(TOML) and (each.section or each.mapping)}
    for part, value in table.items():
        if part in tables and not isinstance(value, dict):
            raise Refused(f"{path}: {part}: {value!r} found, wanted: a table, [{part}]")
    for each in OPTIONS:
        section = table.get(each.section)
        # paths of several files are those of plugins, which are relative to the working folder
        if each.option.path and not each.several and isinstance(section, dict) and isinstance(section.get(each.key), str):
            section[each.key] = os.path.join(path.parent, section[each.key])
    if isinstance(table.get("author"), dict):
        table["author"] = author_texts(table["author"], path)
    return table


def author_texts(author: Mapping[str, Any], source: Path) -> dict[str, str]:
    """{full evidence field: text}. A value that names a text file beside `source` is replaced by its text. Raises Refused."""
    short = {name.rpartition(".")[2]: name for name in FIELDS} | {name: name for name in FIELDS}
    flat: dict[str, Any] = {}
    for key, value in author.items():
        flat.update({f"{key}.{inner}": text for inner, text in value.items()} if isinstance(value, dict) else {key: value})
    texts: dict[str, str] = {}
    for key, value in flat.items():
        if key not in short:
            raise Refused(f"{source}: [author] {_nearest(key, sorted(short))}")
        if not isinstance(value, str):
            raise Refused(f"{source}: [author] {key}: {value!r} found, a text or the name of a text file is wanted")
        texts[short[key]] = _text_or_file(value, key, source)
    return texts


def _text_or_file(value: str, key: str, source: Path) -> str:
    if "\n" in value or not value.endswith(_TEXT_FILES):
        return value
    try:
        return (source.parent / value).read_bytes().decode("utf-8").strip()
    except OSError as error:
        raise Refused(f"{source}: [author] {key}: {value}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{source}: [author] {key}: {value}: not UTF-8 text (byte {error.start})") from error


def table_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the name of their option in the form of audit.toml.

    None is left out, and so is an empty list, except for the options for which an empty list means "none at all".
    """
    table: dict[str, Any] = {}
    for each in OPTIONS:
        value = values.get(each.name)
        if each.on(TOML) and value is not None and (each.empty_is_none or value != []):
            (table.setdefault(each.section, {}) if each.section else table)[each.key] = value
    return table


def laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`, table by table; what is None in `over` leaves `base` as it is."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping):
            beneath = merged.get(key)
            merged[key] = laid_over(beneath if isinstance(beneath, Mapping) else {}, value)
        elif value is not None:
            merged[key] = value
    return merged


def validated(table: Mapping[str, Any], source: str) -> Settings:
    """The settings that `table` holds. Raises Refused with one line: source, key, the value seen, what is allowed."""
    try:
        return _SETTINGS.validate_python(dict(table))
    except ValidationError as error:
        raise Refused(f"{source}: {_first(error)}") from error


def as_table(settings: Settings) -> dict[str, Any]:
    """The settings as audit.toml has them, in values of JSON; `validated` takes the table back."""
    table: dict[str, Any] = _SETTINGS.dump_python(settings, mode="json")
    for kind in ("quantizers", "explainers"):
        if table[kind] is not None:
            table[kind] = [{"name": part["name"], **part["settings"]} for part in table[kind]]
    return table


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of audit.toml; tools/option_docs.py writes it to audit.schema.json."""
    made = _SETTINGS.json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "qaudit audit.toml"}


def _first(error: ValidationError) -> str:
    """The first error that pydantic reports, in the words of qaudit's messages."""
    first = error.errors(include_url=False)[0]
    keys = [part for part in first["loc"] if not (isinstance(part, str) and "[" in part)]
    section = f"[{keys[0]}] " if len(keys) > 1 else ""
    key = ".".join(str(part) for part in (keys[1:] if len(keys) > 1 else keys))
    if first["type"] == "unexpected_keyword_argument":
        return section + _nearest(str(keys[-1]), _known(keys[:-1]))
    if first["type"] == "missing":
        return f"{section}{key}: missing"
    wanted = re.sub(r"^(Value error, |Input should be )", "", first["msg"]).removesuffix(" is wanted").removesuffix(" are wanted")
    wanted = {"a valid tuple": "a list"}.get(wanted, "a table" if first["type"] == "dataclass_type" else wanted)
    return f"{section}{key}: {first['input']!r} found, wanted: {wanted}"


def _known(keys: list[Any]) -> list[str]:
    """The keys that are allowed at this keys of audit.toml."""
    options = [each for each in OPTIONS if each.on(TOML)]
    return sorted(
        {each.key for each in options if each.section == keys[0]} if keys else {each.section or each.key for each in options}
    )


def _nearest(key: str, known: list[str]) -> str:
    return f"{key}: unknown key; {did_you_mean(key, known)}"


def settings_of(target: str, holdout: str | None, flags: Mapping[str, Any]) -> Settings:
    """The settings for `qaudit run TARGET [HOLDOUT]` with `flags`, a table in the form of audit.toml, put over them.

    A target that ends in .toml is an audit file, another existing file is a model, and anything else a registered name. Raises
    Refused.
    """
    base: dict[str, Any]
    if target.endswith(".toml"):
        if holdout is not None:
            raise Refused(f"{holdout}: an audit file names its own holdout in [data]; give either")
        base = read_audit_file(Path(target))
    elif os.path.exists(target):
        if holdout is None:
            raise Refused(f"{target}: a model file needs its holdout: qaudit run MODEL HOLDOUT --target COLUMN")
        base = {"subject": {"model": target}, "data": {"holdout": holdout}}
    elif os.sep in target or holdout is not None:
        raise Refused(f"{target}: no such file")
    else:
        base = {"subject": {"registered": target}}
    plugins = {kind: _chosen(base.get(kind), flags.get(kind)) for kind in ("quantizers", "explainers")}
    source = target if target.endswith(".toml") else "command line"
    return validated({**laid_over(base, {**flags, "quantizers": None, "explainers": None}), **plugins}, source)


def _chosen(base: Any, names: Sequence[Any] | None) -> Any:
    """The plugins named on the command line, each with its settings from the audit file; a table has its own settings."""
    if names is None:
        return base
    written = {part.get("name"): part for part in base if isinstance(part, dict)} if isinstance(base, list) else {}
    return [name if isinstance(name, dict) else written.get(name, {"name": name}) for name in names]


def audit_date(settings: Settings) -> str:
    """The date of the audit: given, else SOURCE_DATE_EPOCH, else today in UTC."""
    if settings.report.date is not None:
        return settings.report.date
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC).date().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise Refused(f"SOURCE_DATE_EPOCH: {epoch!r} found, wanted: seconds since 1970 as a whole number") from error
