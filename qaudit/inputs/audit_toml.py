"""What an audit is asked to do: audit.toml, validated, with the command line laid over it."""

from __future__ import annotations

import datetime
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from qaudit.core.evidence import TOPICS
from qaudit.errors import Refused, did_you_mean

FIELDS = TOPICS
"""The evidence fields of the frameworks; [author] may speak to each, by its full name or its last part."""

Scalar = bool | int | float | str
_PATHS = {
    "subject": ("model",),
    "data": ("holdout", "train", "calibration"),
    "policy": ("file",),
    "report": ("previous", "template"),
}
_TEXT_FILES = (".md", ".txt")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SubjectPart(_Part):
    """The model: a registered name, or a file with its target column."""

    registered: str | None = None
    model: str | None = None
    name: str | None = None
    target: str | None = None
    positive: str | None = None
    cutoff: float | None = None
    trust: tuple[str, ...] = ()

    @field_validator("positive", mode="before")
    @classmethod
    def _label(cls, value: Any) -> Any:
        return str(value) if isinstance(value, bool | int | float) else value

    @field_validator("trust", mode="before")
    @classmethod
    def _digests(cls, value: Any) -> Any:
        digests = tuple([value] if isinstance(value, str) else value)
        for digest in digests:
            if not isinstance(digest, str) or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
                raise ValueError("sha256: and 64 hex digits are wanted")
        return digests


class DataPart(_Part):
    """The rows by role; paths are relative to the audit file."""

    holdout: str | None = None
    train: str | None = None
    calibration: str | None = None
    groups: tuple[str, ...] = ()
    types: dict[str, Literal["number", "text"]] = {}
    calibration_share: float | None = None
    missing: tuple[str, ...] = ()

    @field_validator("groups", "missing", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class PluginPart(BaseModel):
    """A chosen plugin; every key but `name` is a setting, one value or a list to sweep."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as written."""
        return dict(self.model_extra or {})


class PolicyPart(_Part):
    """The author's limits, which candidate they judge, and what else is explained."""

    file: str | None = None
    judge: str | None = None
    explain: tuple[str, ...] = ()

    @field_validator("explain", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class ReportPart(_Part):
    """How the report is named and made. `show_values`: the input values of cases (personal data?) are printed."""

    id: str | None = None
    date: str | None = None
    frameworks: tuple[str, ...] | None = None
    previous: str | None = None
    template: str | None = None
    lang: Literal["en"] = "en"
    formats: tuple[Literal["html", "pdf"], ...] = ("html", "pdf")
    show_values: bool = False

    @field_validator("id")
    @classmethod
    def _folder_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", value):
            raise ValueError("letters, digits, dots, dashes and underscores are wanted, at most 80")
        return value

    @field_validator("date", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
            return value.isoformat()
        try:
            return datetime.date.fromisoformat(value).isoformat()
        except (TypeError, ValueError):
            raise ValueError("a date such as 2026-11-24 is wanted") from None

    @field_validator("frameworks", "formats", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class RunPart(_Part):
    """How the work is done; `bits` overrides the sweep of every quantizer."""

    seed: int = 0
    jobs: int = 2
    bits: tuple[int, ...] = ()
    plugins: tuple[str, ...] = ()

    @field_validator("jobs")
    @classmethod
    def _some(cls, value: int) -> int:
        if value < 1:
            raise ValueError("1 or more")
        return value

    @field_validator("bits", "plugins", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class Settings(_Part):
    """The whole of audit.toml. `quantizers` and `explainers` None: every discovered one with its default settings."""

    subject: SubjectPart = SubjectPart()
    data: DataPart = DataPart()
    quantizers: tuple[PluginPart, ...] | None = None
    explainers: tuple[PluginPart, ...] | None = None
    policy: PolicyPart = PolicyPart()
    author: dict[str, str] = {}
    report: ReportPart = ReportPart()
    run: RunPart = RunPart()

    @field_validator("quantizers", "explainers", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary. Raises Refused naming file and line."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", str(error))
        line = f":{found.group(1)}" if found and found.group(1) else ""
        raise Refused(f"{path}{line}: not TOML: {str(error)[: found.start() if found else None].strip()}") from error


def read_audit_file(path: Path) -> dict[str, Any]:
    """audit.toml as a dictionary, with paths made absolute from its folder and [author] files read. Raises Refused."""
    table = read_toml(path)
    for part, value in table.items():
        if part in Settings.model_fields and part not in ("quantizers", "explainers") and not isinstance(value, dict):
            raise Refused(f"{path}: {part}: {value!r} found, wanted: a table, [{part}]")
    for part, keys in _PATHS.items():
        section = table.get(part)
        for key in keys:
            if isinstance(section, dict) and isinstance(section.get(key), str):
                section[key] = os.path.join(path.parent, section[key])
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


def laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`, table by table; what is None or empty in `over` leaves `base` as it is."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping):
            beneath = merged.get(key)
            merged[key] = laid_over(beneath if isinstance(beneath, Mapping) else {}, value)
        elif value is not None and value != [] and value != ():
            merged[key] = value
    return merged


def validated(table: Mapping[str, Any], source: str) -> Settings:
    """The settings that `table` holds. Raises Refused with one line: source, key, the value seen, what is allowed."""
    try:
        return Settings.model_validate(dict(table))
    except ValidationError as error:
        raise Refused(f"{source}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """The first complaint of pydantic in our words."""
    found = error.errors(include_url=False)[0]
    place = [part for part in found["loc"] if not (isinstance(part, str) and "[" in part)]
    section = f"[{place[0]}] " if len(place) > 1 else ""
    key = ".".join(str(part) for part in (place[1:] if len(place) > 1 else place))
    if found["type"] == "extra_forbidden":
        return section + _nearest(str(place[-1]), _known(place[:-1]))
    if found["type"] == "missing":
        return f"{section}{key}: missing"
    wanted = re.sub(r"^(Value error, |Input should be )", "", found["msg"]).removesuffix(" is wanted").removesuffix(" are wanted")
    wanted = "a list" if wanted == "a valid tuple" else wanted
    return f"{section}{key}: {found['input']!r} found, wanted: {wanted}"


def _known(place: list[Any]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in place:
        field = model.model_fields.get(str(part))
        inner = getattr(field, "annotation", None)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return sorted(model.model_fields)


def _nearest(key: str, known: list[str]) -> str:
    return f"{key}: unknown key; {did_you_mean(key, known)}"


def settings_of(target: str, holdout: str | None, flags: Mapping[str, Any]) -> Settings:
    """The settings for `qaudit run TARGET [HOLDOUT]` with `flags` laid over: an audit file, a model file, or a registered name.

    Ends in .toml: audit file; an existing file: model; else a registered name. Raises Refused.
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
    """The plugins named on the command line, with the settings that the audit file has for them; a table stands for itself."""
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
