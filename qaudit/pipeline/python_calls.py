"""The two calls of a Python user, `register` and `audit`: objects and keywords become files and settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack, get_args

import numpy as np
import pandas as pd

from qaudit.cache.cached_runner import Mode
from qaudit.core.evidence import ABOUT
from qaudit.core.json_values import Json
from qaudit.errors import Refused, did_you_mean
from qaudit.inputs.audit_toml import author_texts, settings_of, table_of, validated
from qaudit.inputs.option import PY_AUDIT, PY_REGISTER, TOML, Declared, Surface
from qaudit.inputs.options import OPTIONS, AuditOptions, RegisterOptions, Settings
from qaudit.inputs.python_types import Estimator, Rows, Values
from qaudit.pipeline import commands, run
from qaudit.pipeline.progress import Reporter
from qaudit.pipeline.python_files import as_files, columns, listed, plain


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A finished audit. `exit_code` 0: no limit exceeded; 1: a limit exceeded; 2: a plugin failed or there is no PDF."""

    folder: Path
    exit_code: int
    content: Json
    notes: tuple[str, ...]

    @property
    def json(self) -> Path:
        """The report as data; html and pdf are drawn from it."""
        return self.folder / "report.json"

    @property
    def html(self) -> Path | None:
        """The report as one page; None where it was not asked for."""
        return self._there("report.html")

    @property
    def pdf(self) -> Path | None:
        """The report on paper; None where it was not asked for or could not be made."""
        return self._there("report.pdf")

    @property
    def verdicts(self) -> dict[str, str]:
        """Verdict by the id of the limit."""
        return {str(each["limit"]["id"]): str(each["verdict"]) for each in self.content["assessments"]}

    @property
    def findings(self) -> list[str]:
        """The findings as sentences."""
        return [str(each["statement"]) for each in self.content["findings"]]

    @property
    def evidence(self) -> pd.DataFrame:
        """Everything that was measured, a row a number; the parts of `about` and of the interval as columns."""
        rows = []
        for each in self.content["evidence"]:
            plain = {key: value for key, value in each.items() if key not in ("about", "interval")}
            interval = each["interval"] or {}
            about = dict.fromkeys(ABOUT) | each["about"]
            rows.append({**plain, **about, "low": interval.get("low"), "high": interval.get("high")})
        return pd.DataFrame(rows)

    def _there(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.is_file() else None


def register(name: str, estimator: Estimator, X: Rows, y: Values, **options: Unpack[RegisterOptions]) -> str:
    """Register a fitted estimator with its holdout X, y; returns "name@version". Raises Refused."""
    given = _known(PY_REGISTER, options)
    said = _settings("register", given)
    with as_files(estimator, X, y, given) as files:
        settings = validated(table_of(said | files), "register")
        return commands.register(name, settings, given.get("parent"))


def audit(
    model: str | Path | Estimator, X: Rows | None = None, y: Values | None = None, **options: Unpack[AuditOptions]
) -> Report:
    """Audit a registered name, an audit file, or a fitted estimator on the holdout X, y. Raises Refused."""
    given = _known(PY_AUDIT, options)
    results: Mode = given.get("results") or "use"
    if results not in get_args(Mode):
        raise Refused(f"results = {results!r}: one of {', '.join(get_args(Mode))} is wanted")
    said = _settings("audit", given)
    folder = Path(given["output"]) if given.get("output") is not None else None
    with _asked(model, X, y, given, said) as settings:
        show = Reporter(quiet=given.get("quiet") in (None, True))
        done = run.run(settings, output=folder, reporter=show, results=results)
        return Report(done.folder, done.exit_code, done.report, done.notes)


_OWN = ("X_train", "y_train", "train", "calibration", "target")
"""Options that go with a fitted estimator alone."""


@contextlib.contextmanager
def _asked(
    model: str | Path | Estimator, X: Rows | None, y: Values | None, given: Mapping[str, Any], said: Mapping[str, Any]
) -> Iterator[Settings]:
    """The settings of an audit; for a fitted estimator its files are there until the end of the block."""
    if isinstance(model, str | Path):
        if X is not None or y is not None:
            raise Refused("audit: a registered model or an audit file brings its own rows; X and y go with a fitted estimator")
        if own := [name for name in _OWN if given.get(name) is not None]:
            raise Refused(f"audit: {own[0]}: goes with a fitted estimator; a registered model or an audit file brings its own")
        yield settings_of(str(model), None, table_of(said))
        return
    if X is None or y is None:
        raise Refused("audit: X and y are wanted with a fitted estimator: the rows it has never seen")
    with as_files(model, X, y, given) as files:
        named = {"name": said.get("name") or type(model).__name__}
        yield validated(table_of({**said, **files, **named}), "audit")


def _known(surface: Surface, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options under our names. Raises Refused for an unknown one; the nearest is offered."""
    call = surface.removeprefix("qaudit.")
    known = {each.name: each for each in OPTIONS if each.on(surface)}
    spelt = {each.option.flag: each.name for each in known.values() if each.option.flag}
    elsewhere = {each.name: each.option.absent for each in OPTIONS if not each.on(surface)}
    found: dict[str, Any] = {}
    for given, value in options.items():
        name = spelt.get(given, given)
        if name in found:
            raise Refused(f"{call}: {name!r} and {given!r} are one option; give it once")
        if name in elsewhere:
            raise Refused(f"{call}: unknown option {given!r}: {elsewhere[name][surface]}")
        if name not in known:
            raise Refused(f"{call}: unknown option {given!r}; {did_you_mean(name, sorted(known))}")
        found[name] = value
    return found


_FROM_FILES = ("train", "calibration", "groups")
"""Options whose values become files, or columns of one."""


def _settings(call: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options as audit.toml has them, by name; rows are left to `as_files`. Raises Refused."""
    said = {
        each.name: _setting(call, each, given[each.name])
        for each in OPTIONS
        if each.on(TOML) and each.name not in _FROM_FILES and given.get(each.name) is not None
    }
    if "author" in said:
        said["author"] = author_texts(said["author"], Path("author"))
    if given.get("groups") is not None:
        said["groups"] = columns(given["groups"])
    return said


def _setting(call: str, each: Declared, value: Any) -> Any:
    """A value of Python as audit.toml has it."""
    if each.plugins:
        return _plugins(value)
    if each.mapping and not isinstance(value, Mapping):
        raise Refused(f"{call}: {each.name}: {type(value).__name__} found, a mapping is wanted")
    if each.option.path:
        paths = [value] if isinstance(value, str | Path) or not each.several else list(value)
        if wrong := [path for path in paths if not isinstance(path, str | Path)]:
            raise Refused(f"{call}: {each.name}: {type(wrong[0]).__name__} found, the path of {each.option.path} is wanted")
        return [str(path) for path in paths] if each.several else str(value)
    if each.several:
        return [value] if isinstance(value, str) and not each.option.commas else listed(value)
    return dict(value) if each.mapping else plain(value)


def _plugins(chosen: Any) -> list[dict[str, Any]]:
    named = chosen.items() if isinstance(chosen, Mapping) else ((name, {}) for name in listed(chosen))
    found = []
    for name, settings in named:
        if not isinstance(settings, Mapping):
            raise Refused(f"audit: {name}: {settings!r} found, its settings as a mapping are wanted, such as {{'bits': [4, 8]}}")
        found.append({"name": name, **{key: _plugin_setting(value) for key, value in settings.items()}})
    return found


def _plugin_setting(value: Any) -> Any:
    several = isinstance(value, tuple | range | set | np.ndarray | list)
    return listed(sorted(value) if isinstance(value, set) else value) if several else plain(value)
