"""Every option, declared once: name, type, default, help, the place in audit.toml, and where it does not apply and why.

Derived from this file: the reader of audit.toml and its JSON Schema (`audit_toml.py`), the options of `qaudit run` and `qaudit
register` (`cli/options.py`), what `qaudit.audit` and `qaudit.register` take (`pipeline/python_calls.py`), and docs/options.md.
A keyword of Python stands here a second time, with the types that Python takes: mypy reads only what is written out.
`tests/inputs/test_options.py` compares the two.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from qaudit.core.outcome import Permit
from qaudit.inputs import option_values
from qaudit.inputs.option import PY_AUDIT, PY_REGISTER, REGISTER, RUN, TOML, Part, absent, declared, option
from qaudit.inputs.python_types import EarlierReport, Pandas, Rows, Values

Format = Literal["html", "pdf", "md", "junit"]
Results = Literal["use", "fresh", "none"]

_NOT_OF_A_MODEL = absent("an option of audits, not of registered models", REGISTER, PY_REGISTER)
_ONLY_HERE = absent("an option of a single call", TOML) | _NOT_OF_A_MODEL
_FOR_AUTHORS = _ONLY_HERE | absent("a help for authors of plugins, who work on the command line", PY_AUDIT)
_ROWS_IN_MEMORY = absent("rows come from a file there, see train", TOML, RUN, REGISTER)

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_AUTHOR = {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, _TEXTS]}}
_PLUGINS = {
    "type": ["array", "null"],
    "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": True},
}


@dataclass(frozen=True, slots=True)
class SubjectPart(Part):
    """The model: a registered name, or a file with its target column."""

    registered: str | None = option(
        None,
        "registered model, NAME or NAME@V",
        absent("given as the first argument", RUN, PY_AUDIT) | absent("a model is registered once", REGISTER, PY_REGISTER),
        identity=False,
    )
    model: str | None = option(
        None,
        "model file",
        absent("given as an argument", RUN, REGISTER) | absent("given as the estimator, an argument", PY_AUDIT, PY_REGISTER),
        path="a model file",
        identity=False,
    )
    name: str | None = option(
        None,
        "name of the model in the report",
        absent("given as the first argument", REGISTER, PY_REGISTER),
        usual="the registered name, the file's, or the estimator's class",
    )
    target: str | None = option(None, "column that the model predicts", in_python="a name for it, where y bears none or one of X")
    positive: str | None = option(
        None,
        "label of the positive class",
        usual="the larger of 0 and 1, of False and True, of -1 and 1; other labels: none",
        before=option_values.label,
        schema={"type": ["string", "boolean", "number", "null"]},
    )
    cutoff: float | None = option(None, "cut-off of a binary decision", usual="the model's own decision")
    tolerance: float | None = option(
        None, "change of a predicted number, in units of the target; rows that move by more are counted", usual="not counted"
    )
    trust: tuple[str, ...] = option(
        (),
        "sha256:DIGEST of a model file whose code may run",
        absent("the estimator is in this process already", PY_REGISTER),
        repeat=True,
        before=option_values.digests,
        schema={"type": ["array", "string"], "items": {"type": "string"}},
    )


@dataclass(frozen=True, slots=True)
class DataPart(Part):
    """The rows by role; paths are relative to the audit file."""

    holdout: str | None = option(
        None,
        "rows the model has never seen (CSV or Parquet)",
        absent("given as the second argument", RUN) | absent("given as X and y, arguments", PY_AUDIT, PY_REGISTER),
        path="a CSV or Parquet file",
        identity=False,
    )
    train: str | None = option(
        None,
        "training rows (CSV or Parquet); refits need them",
        in_python="the pair (X, y)",
        path="a CSV or Parquet file",
        identity=False,
    )
    calibration: str | None = option(
        None,
        "calibration rows",
        in_python="rows without the target",
        usual="a seeded sample of the training rows",
        path="a CSV or Parquet file",
        identity=False,
    )
    groups: tuple[str, ...] = option(
        (), "columns to compare groups by, separated by commas", in_python="or a mapping of name to values beside X"
    )
    cluster: str | None = option(
        None,
        "column whose equal values mark rows that belong together, such as those of one patient; intervals are then over these",
        in_python="the name of a column of X",
        usual="every row by itself",
    )
    types: dict[str, Literal["number", "text"]] = option(
        {},
        "type of a column that the model's encoder does not hold: number or text",
        flag="type",
        metavar="COLUMN=TYPE",
        repeat=True,
        usual="the encoder's type, else number",
    )
    calibration_share: float | None = option(
        None, "share of the holdout to set apart for calibration", _NOT_OF_A_MODEL, usual="none"
    )
    missing: tuple[str, ...] = option(
        (), "a text that means a missing value", repeat=True, commas=False, usual="only what is empty is missing"
    )


@dataclass(frozen=True, slots=True)
class PluginPart(Part):
    """A chosen plugin and its settings as written: every key of its table but `name`, one value or a list to sweep."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyPart(Part):
    """The author's limits, which candidate they judge, and what else is explained."""

    file: str | None = option(
        None,
        "policy file with the author's limits",
        _NOT_OF_A_MODEL,
        name="policy",
        usual="no limits",
        path="a policy file",
        identity=False,
    )
    judge: str | None = option(
        None,
        "id of the candidate that the limits judge",
        _NOT_OF_A_MODEL,
        usual="the only candidate, or one chosen on training rows",
    )
    not_demonstrable: Permit = option(
        "fail",
        "what a limit does that these rows can neither show to be met nor not to: fail (exit code 2) or pass",
        _NOT_OF_A_MODEL,
    )
    explain: tuple[str, ...] = option(
        (), "id of a further candidate to explain", _NOT_OF_A_MODEL, repeat=True, commas=False, usual="none"
    )


@dataclass(frozen=True, slots=True)
class ReportPart(Part):
    """How the report is named and made."""

    id: str | None = option(
        None,
        "id of the audit and name of its folder",
        _NOT_OF_A_MODEL,
        usual="12 digits of the digest of all inputs",
        identity=False,
        after=option_values.folder_name,
    )
    date: str | None = option(
        None,
        "date of the audit, YYYY-MM-DD",
        absent("taken from SOURCE_DATE_EPOCH, else the day of the call", REGISTER, PY_REGISTER),
        usual="SOURCE_DATE_EPOCH, else today",
        before=option_values.day,
    )
    frameworks: tuple[str, ...] | None = option(
        None, "id of an evidence list to append", _NOT_OF_A_MODEL, flag="framework", repeat=True, usual="all"
    )
    previous: str | None = option(
        None,
        "report.json of an earlier audit to compare with, or its folder",
        _NOT_OF_A_MODEL,
        usual="none",
        in_python="or what qaudit.audit returned",
        path="a report.json",
        identity=False,
        after=option_values.report_file,
    )
    template: str | None = option(
        None,
        "folder of a third-party template for what follows page one",
        _NOT_OF_A_MODEL,
        usual="none",
        path="the folder of a template",
        identity=False,
    )
    lang: Literal["en"] = option("en", "language of the report", _NOT_OF_A_MODEL, identity=False)
    formats: tuple[Format, ...] = option(
        ("html", "pdf", "md", "junit"),
        "html, pdf, md (a summary in Markdown) and junit (limits as test cases in XML), separated by commas",
        _NOT_OF_A_MODEL,
        flag="format",
        identity=False,
    )
    show_values: bool = option(
        False, "print the input values of single cases, which may be personal data", _NOT_OF_A_MODEL, usual="masked"
    )


@dataclass(frozen=True, slots=True)
class RunPart(Part):
    """How the work is done."""

    seed: int = option(0, "seed of every draw", _NOT_OF_A_MODEL)
    jobs: int = option(2, "units at a time", _NOT_OF_A_MODEL, identity=False, after=option_values.one_or_more)
    bits: tuple[int, ...] = option(
        (),
        "bit widths to sweep, such as 2,4,8; overrides those of every quantizer",
        _NOT_OF_A_MODEL,
        usual="each quantizer's own",
    )
    plugins: tuple[str, ...] = option(
        (),
        "a plugin that is a single file",
        _NOT_OF_A_MODEL,
        flag="plugin",
        path="a plugin file",
        repeat=True,
        commas=False,
        usual="installed plugins only",
        identity=False,
    )


@dataclass(frozen=True, slots=True)
class Settings(Part):
    """The whole of audit.toml. `quantizers` and `explainers` None: every discovered one with its default settings."""

    subject: SubjectPart = SubjectPart()
    data: DataPart = DataPart()
    quantizers: tuple[PluginPart, ...] | None = option(
        None,
        "names of quantizers, separated by commas; audit.toml can add settings",
        _NOT_OF_A_MODEL,
        usual="all",
        in_python="or a mapping of name to settings",
        before=option_values.plugin_tables,
        schema=_PLUGINS,
    )
    explainers: tuple[PluginPart, ...] | None = option(
        None,
        "names of explainers, separated by commas; audit.toml can add settings",
        _NOT_OF_A_MODEL,
        usual="all",
        in_python="or a mapping of name to settings",
        before=option_values.plugin_tables,
        schema=_PLUGINS,
    )
    policy: PolicyPart = PolicyPart()
    author: dict[str, str] = option(
        {},
        "the author's words on a field of the evidence lists, or the name of a text file that holds them",
        _NOT_OF_A_MODEL,
        metavar="FIELD=TEXT",
        repeat=True,
        usual="none",
        schema=_AUTHOR,
    )
    report: ReportPart = ReportPart()
    run: RunPart = RunPart()


@dataclass(frozen=True, slots=True)
class CallPart(Part):
    """Options of a single call; audit.toml does not hold them."""

    parent: str | None = option(
        None,
        "registered model that this one comes from, NAME@V",
        absent("given when the model is registered", TOML, RUN, PY_AUDIT),
        usual="none",
    )
    X_train: Any = option(None, "training rows; the first of the pair train", _ROWS_IN_MEMORY)
    y_train: Any = option(None, "their target; the second of the pair train", _ROWS_IN_MEMORY)
    output: str | None = option(None, "folder of the report", _ONLY_HERE, short="-o", path="a folder", usual="./<audit id>")
    results: Results | None = option(
        None,
        "use results of finished units that the store has, make fresh ones, or make and keep none",
        _ONLY_HERE,
        switches={
            "--fresh": ("fresh", "run every unit again, whatever the result store holds"),
            "--no-store": ("none", "run every unit again and keep no result"),
        },
        usual="use",
    )
    in_process: bool = option(
        False, "for authors: quantizers and explainers run in this process; nothing is sealed", _FOR_AUTHORS
    )
    keep: str | None = option(
        None, "for authors: folder for units that failed, each with a repro.py", _FOR_AUTHORS, path="a folder", folder=True
    )
    timings: bool = option(
        False,
        "print the timings, which are not sealed",
        _ONLY_HERE | absent("timings.json lies in the report's folder", PY_AUDIT),
    )
    quiet: bool | None = option(None, "no progress", _ONLY_HERE, usual="off", in_python="on, unless it is False")


OPTIONS = (*declared(Settings), *declared(CallPart))
"""Every option, in the order of the declaration."""


class RowOptions(TypedDict, total=False):
    """The keywords that `qaudit.register` and `qaudit.audit` share, with the types that Python takes; None: not given."""

    X_train: Rows | None
    y_train: Values | None
    train: tuple[Rows, Values] | None
    calibration: Rows | None
    target: str | None
    positive: str | float | None
    cutoff: float | None
    tolerance: float | None
    groups: str | Sequence[str] | Mapping[str, Values] | Pandas | None
    cluster: str | None
    types: Mapping[str, Literal["number", "text"]] | None
    missing: str | Sequence[str] | None


class RegisterOptions(RowOptions, total=False):
    """The keywords of `qaudit.register`."""

    parent: str | None


class AuditOptions(RowOptions, total=False):
    """The keywords of `qaudit.audit`."""

    name: str | None
    trust: str | Sequence[str] | None
    calibration_share: float | None
    quantizers: str | Sequence[str] | Mapping[str, Mapping[str, Any]] | None
    explainers: str | Sequence[str] | Mapping[str, Mapping[str, Any]] | None
    policy: str | Path | None
    judge: str | None
    not_demonstrable: Permit | None
    explain: str | Sequence[str] | None
    author: Mapping[str, str | Mapping[str, str]] | None
    id: str | None
    date: str | datetime.date | None
    frameworks: str | Sequence[str] | None
    previous: str | Path | EarlierReport | None
    template: str | Path | None
    lang: Literal["en"] | None
    formats: Format | Sequence[Format] | None
    show_values: bool | None
    seed: int | None
    jobs: int | None
    bits: int | Sequence[int] | None
    plugins: str | Path | Sequence[str | Path] | None
    output: str | Path | None
    results: Results | None
    quiet: bool | None
