"""The functions `register` and `audit` of the Python interface: they turn objects and keywords into files and settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Unpack, get_args

import numpy as np

from qaudit.cache.unit_cache import Mode
from qaudit.errors import Refused, did_you_mean
from qaudit.inputs.audit_toml import author_texts, settings_of, table_of, validated
from qaudit.inputs.option import PY_AUDIT, PY_REGISTER, TOML, Declared, Surface
from qaudit.inputs.options import OPTIONS, AuditOptions, RegisterOptions, Settings
from qaudit.inputs.python_types import Estimator, Rows, Values
from qaudit.pipeline import commands, run
from qaudit.pipeline.progress import Reporter
from qaudit.pipeline.python_files import as_files, columns, listed, plain
from qaudit.pipeline.python_report import Report


def register(name: str, estimator: Estimator, X: Rows, y: Values, **options: Unpack[RegisterOptions]) -> str:
    """Register a fitted estimator with its holdout X, y; returns "name@version". Raises Refused."""
    keywords = _known(PY_REGISTER, options)
    values = _values("register", keywords)
    with as_files(estimator, X, y, keywords) as files:
        settings = validated(table_of(values | files), "register")
        return commands.register(name, settings, keywords.get("parent"))


def audit(
    model: str | Path | Estimator, X: Rows | None = None, y: Values | None = None, **options: Unpack[AuditOptions]
) -> Report:
    """Audit a registered name, an audit file, or a fitted estimator on the holdout X, y. Raises Refused."""
    keywords = _known(PY_AUDIT, options)
    results: Mode = keywords.get("results") or "use"
    if results not in get_args(Mode):
        raise Refused(f"results = {results!r}: one of {', '.join(get_args(Mode))} is wanted")
    values = _values("audit", keywords)
    folder = Path(values["output"]) if "output" in values else None
    with _requested(model, X, y, keywords, values) as settings:
        show = Reporter(quiet=keywords.get("quiet") in (None, True))
        done = run.run(settings, output=folder, reporter=show, results=results)
        return Report(done.folder, done.exit_code, done.report, done.notes)


_OWN = ("X_train", "y_train", "train", "calibration", "target")
"""Options that apply only to a fitted estimator."""


@contextlib.contextmanager
def _requested(
    model: str | Path | Estimator, X: Rows | None, y: Values | None, keywords: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[Settings]:
    """The settings of an audit. The files of a fitted estimator exist until the end of the block."""
    if isinstance(model, str | Path):
        if X is not None or y is not None:
            raise Refused("audit: a registered model or an audit file brings its own rows; X and y go with a fitted estimator")
        if own := [name for name in _OWN if keywords.get(name) is not None]:
            raise Refused(f"audit: {own[0]}: goes with a fitted estimator; a registered model or an audit file brings its own")
        yield settings_of(str(model), None, table_of(values))
        return
    if X is None or y is None:
        raise Refused("audit: X and y are wanted with a fitted estimator: the rows it has never seen")
    with as_files(model, X, y, keywords) as files:
        named = {"name": values.get("name") or type(model).__name__}
        yield validated(table_of({**values, **files, **named}), "audit")


def _known(surface: Surface, options: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords by declared name. Raises Refused for an unknown one, with the nearest name or the reason why it is missing."""
    call = surface.removeprefix("qaudit.")
    known = {each.name: each for each in OPTIONS if each.on(surface)}
    as_flag = {each.option.flag: each.name for each in known.values() if each.option.flag}
    elsewhere = {each.name: each.option.absent for each in OPTIONS if not each.on(surface)}
    keywords: dict[str, Any] = {}
    for keyword, value in options.items():
        name = as_flag.get(keyword, keyword)
        if name in keywords:
            raise Refused(f"{call}: {name!r} and {keyword!r} are one option; give it once")
        if name in elsewhere:
            raise Refused(f"{call}: unknown option {keyword!r}: {elsewhere[name][surface]}")
        if name not in known:
            raise Refused(f"{call}: unknown option {keyword!r}; {did_you_mean(name, sorted(known))}")
        keywords[name] = value
    return keywords


_FROM_FILES = ("train", "calibration", "groups")
"""Options whose values become files, or columns of one."""


def _values(call: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The settings and paths among the keywords, as audit.toml has them; rows are left to `as_files`. Raises Refused."""
    values = {
        each.name: _value(call, each, keywords[each.name])
        for each in OPTIONS
        if (each.on(TOML) or each.option.path) and each.name not in _FROM_FILES and keywords.get(each.name) is not None
    }
    if "author" in values:
        values["author"] = author_texts(values["author"], Path("author"))
    if keywords.get("groups") is not None:
        values["groups"] = columns(keywords["groups"])
    return values


def _value(call: str, each: Declared, value: Any) -> Any:
    """A Python value in the form of audit.toml."""
    if each.plugins:
        return _plugins(value)
    if each.mapping and not isinstance(value, Mapping):
        raise Refused(f"{call}: {each.name}: {type(value).__name__} found, a mapping is wanted")
    if each.name == "previous" and isinstance(value, Report):
        value = value.json
    if each.option.path:
        many = each.several and isinstance(value, Iterable) and not isinstance(value, str)
        paths = list(value) if many else [value]
        if wrong := [path for path in paths if not isinstance(path, str | Path)]:
            raise Refused(f"{call}: {each.name}: {type(wrong[0]).__name__} found, the path of {each.option.path} is wanted")
        return [str(path) for path in paths] if each.several else str(value)
    if each.several:
        return [value] if isinstance(value, str) and not each.option.commas else listed(value)
    return dict(value) if each.mapping else plain(value)


def _plugins(chosen: Any) -> list[dict[str, Any]]:
    named = chosen.items() if isinstance(chosen, Mapping) else ((name, {}) for name in listed(chosen))
    tables = []
    for name, settings in named:
        if not isinstance(settings, Mapping):
            raise Refused(f"audit: {name}: {settings!r} found, its settings as a mapping are wanted, such as {{'bits': [4, 8]}}")
        tables.append({"name": name, **{key: _plugin_setting(value) for key, value in settings.items()}})
    return tables


def _plugin_setting(value: Any) -> Any:
    several = isinstance(value, tuple | range | set | np.ndarray | list)
    return listed(sorted(value) if isinstance(value, set) else value) if several else plain(value)
