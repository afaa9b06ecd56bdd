"""The two calls of a Python user: `register` and `audit`, for a fitted estimator and the rows it is held to."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from qaudit.cache.cached_runner import Mode
from qaudit.core.evidence import ABOUT
from qaudit.core.json_values import Json
from qaudit.errors import Refused, did_you_mean
from qaudit.inputs.audit_toml import author_texts, settings_of, validated
from qaudit.pipeline import commands, run
from qaudit.pipeline.progress import Reporter
from qaudit.registry.estimators import save_estimator, save_rows

Rows = Any
"""A pandas frame, or an array (n, d) whose columns are then named x0, x1 ..."""


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


def register(name: str, estimator: Any, X: Rows, y: Any, *, parent: str | None = None, **options: Any) -> str:
    """Register a fitted estimator with its holdout X, y; returns "name@version". Raises Refused.

    Options: X_train, y_train (or train=(X, y)), calibration (rows without target), positive, cutoff, groups (names of columns of
    X, or a mapping of name to values that are no input of the model), types, missing, target (name of the target's column).
    """
    options = _known("register", options, _ROWS)
    with _files(estimator, X, y, options) as (files, target, groups, trust):
        given = {key: _plain(options[key]) for key in ("positive", "cutoff", "types", "missing") if options.get(key) is not None}
        return commands.register(
            name,
            files["model"],
            files["holdout"],
            target=target,
            parent=parent,
            groups=groups,
            trust=trust,
            train=files.get("train"),
            calibration=files.get("calibration"),
            **given,
        )


def audit(model: Any, X: Rows = None, y: Any = None, *, output: str | Path | None = None, **options: Any) -> Report:
    """Audit a registered name, an audit file, or a fitted estimator on the holdout X, y. Raises Refused.

    Options besides those of `register`: quantizers and explainers (names, or a mapping of name to settings), bits, judge, policy,
    frameworks, lang, formats, template, calibration_share, seed, date, jobs, plugins, author, id, trust, quiet, and results:
    "use" those of finished units that the store has, "fresh" ones only, or "none" kept.
    """
    options = _known("audit", options, _OPTIONS)
    folder = Path(output) if output is not None else None
    results: Mode = options.get("results") or "use"
    if results not in get_args(Mode):
        raise Refused(f"results = {results!r}: one of {', '.join(get_args(Mode))} is wanted")
    show = Reporter(quiet=bool(options.get("quiet", True)))
    if isinstance(model, str | Path):
        if X is not None or y is not None:
            raise Refused("audit: a registered model or an audit file brings its own rows; X and y go with a fitted estimator")
        if own := [name for name in _OWN if options.get(name) is not None]:
            raise Refused(f"audit: {own[0]}: goes with a fitted estimator; a registered model or an audit file brings its own")
        flags = _flags(options, None, _columns(options.get("groups")), _listed(options.get("trust")))
        settings = settings_of(str(model), None, _filled(flags))
        return _report(run.run(settings, output=folder, reporter=show, results=results))
    if X is None or y is None:
        raise Refused("audit: X and y are wanted with a fitted estimator: the rows it has never seen")
    with _files(model, X, y, options) as (files, target, groups, trust):
        table = _flags(options, target, groups, trust)
        table["subject"] |= {"model": str(files["model"]), "name": options.get("name") or type(model).__name__}
        table["data"] |= {role: str(files[role]) for role in ("holdout", "train", "calibration") if role in files}
        settings = validated(_filled(table), "audit")
        return _report(run.run(settings, output=folder, reporter=show, results=results))


def _report(done: run.FinishedAudit) -> Report:
    return Report(done.folder, done.exit_code, done.report, done.notes)


_OWN = ("X_train", "y_train", "train", "calibration", "target")
_ROWS = (*_OWN, "positive", "cutoff", "groups", "types", "missing")
_OPTIONS = (
    *_ROWS,
    *("name", "trust", "quantizers", "explainers", "bits", "judge", "policy", "frameworks", "lang", "formats", "template"),
    *("calibration_share", "seed", "date", "jobs", "plugins", "author", "id", "quiet", "results"),
)
_SPELT = {"format": "formats", "framework": "frameworks", "plugin": "plugins"}
"""Options of the command line that stand there in the singular."""


def _known(call: str, options: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """The options under our names. Raises Refused for an unknown one; the nearest is offered."""
    found: dict[str, Any] = {}
    for given, value in options.items():
        name = _SPELT.get(given, given)
        if name in found:
            raise Refused(f"{call}: {name!r} and {given!r} are one option; give it once")
        if name not in known:
            raise Refused(f"{call}: unknown option {given!r}; {did_you_mean(name, sorted(known))}")
        found[name] = value
    return found


def _listed(value: Any) -> list[Any]:
    """Several values, one value, or a text with commas as on the command line, as a list."""
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [_plain(each) for each in value] if isinstance(value, Iterable) else [_plain(value)]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _flags(options: Mapping[str, Any], target: str | None, groups: Sequence[str], trust: Sequence[str]) -> dict[str, Any]:
    """The options in the shape of audit.toml."""
    policy, author, types = options.get("policy"), options.get("author") or {}, options.get("types") or {}
    for name, value in (("author", author), ("types", types)):
        if not isinstance(value, Mapping):
            raise Refused(f"audit: {name}: {type(value).__name__} found, a mapping is wanted")
    if policy is not None and not isinstance(policy, str | Path):
        raise Refused(f"audit: policy: {type(policy).__name__} found, the path of a policy file is wanted")
    return {
        "subject": {"target": target, "positive": options.get("positive"), "cutoff": options.get("cutoff"), "trust": list(trust)},
        "data": {
            "groups": list(groups),
            "types": dict(types),
            "missing": [options["missing"]] if isinstance(options.get("missing"), str) else _listed(options.get("missing")),
            "calibration_share": options.get("calibration_share"),
        },
        "quantizers": _plugins(options.get("quantizers")),
        "explainers": _plugins(options.get("explainers")),
        "policy": {"file": str(policy) if policy is not None else None, "judge": options.get("judge")},
        "author": author_texts(author, Path("author")),
        "report": {
            "id": options.get("id"),
            "date": options.get("date"),
            "frameworks": _listed(options["frameworks"]) if options.get("frameworks") is not None else None,
            "lang": options.get("lang"),
            "formats": _listed(options.get("formats")),
            "template": str(options["template"]) if options.get("template") is not None else None,
        },
        "run": {
            "bits": _listed(options.get("bits")),
            "seed": options.get("seed"),
            "jobs": options.get("jobs"),
            "plugins": [str(file) for file in _files_of(options.get("plugins"))],
        },
    }


def _plugins(chosen: Any) -> list[dict[str, Any]] | None:
    if chosen is None:
        return None
    named = chosen.items() if isinstance(chosen, Mapping) else ((name, {}) for name in _listed(chosen))
    found = []
    for name, settings in named:
        if not isinstance(settings, Mapping):
            raise Refused(f"audit: {name}: {settings!r} found, its settings as a mapping are wanted, such as {{'bits': [4, 8]}}")
        found.append({"name": name, **{key: _setting(value) for key, value in settings.items()}})
    return found


def _setting(value: Any) -> Any:
    several = isinstance(value, tuple | range | set | np.ndarray | list)
    return _listed(sorted(value) if isinstance(value, set) else value) if several else _plain(value)


def _files_of(files: Any) -> list[Any]:
    return [files] if isinstance(files, str | Path) else list(files or ())


_MAY_BE_NONE = ("quantizers", "explainers", "frameworks")
"""Where an empty list means none at all; elsewhere it stands for what is usual."""


def _filled(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without what was not given."""
    inner = {key: _filled(value) if isinstance(value, Mapping) else _plain(value) for key, value in table.items()}
    return {key: value for key, value in inner.items() if value is not None and (value != [] or key in _MAY_BE_NONE)}


@contextlib.contextmanager
def _files(
    estimator: Any, X: Rows, y: Any, options: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Path], str, list[str], list[str]]]:
    """The estimator and its rows as files: paths by role, the target's name, the groups' names, trust in our own joblib file."""
    with tempfile.TemporaryDirectory(prefix="qaudit-") as scratch:
        folder = Path(scratch)
        data, tier, digest = save_estimator(estimator)
        files = {"model": folder / ("model.skops" if tier == "checked" else "model.joblib")}
        files["model"].write_bytes(data)
        target = _target(X, y, options.get("target"))
        extra = options.get("groups")
        if isinstance(extra, pd.Series):
            extra = {str(extra.name or "group"): extra}
        holdout = _with_groups(X, extra) if isinstance(extra, Mapping | pd.DataFrame) else X
        files["holdout"] = _rows(folder / "holdout.parquet", save_rows(holdout, y, target))
        X_train, y_train = _training(options)
        if (X_train is None) != (y_train is None):
            raise Refused("X_train and y_train: give both")
        if X_train is not None:
            files["train"] = _rows(folder / "train.parquet", save_rows(X_train, y_train, target))
        if options.get("calibration") is not None:
            rows = _frame(options["calibration"])
            files["calibration"] = _rows(
                folder / "calibration.parquet", save_rows(rows.iloc[:, 1:], rows.iloc[:, 0], rows.columns[0])
            )
        yield files, target, _columns(extra), [digest] if tier == "code" else []


def _training(options: Mapping[str, Any]) -> tuple[Rows, Any]:
    pair = options.get("train")
    if pair is None:
        return options.get("X_train"), options.get("y_train")
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise Refused(f"train: {type(pair).__name__} found, the pair (X, y) is wanted")
    return pair[0], pair[1]


def _rows(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _frame(rows: Rows) -> pd.DataFrame:
    if isinstance(rows, pd.DataFrame):
        return rows.reset_index(drop=True)
    frame = pd.DataFrame(rows)
    return frame.set_axis([f"x{number}" for number in range(frame.shape[1])], axis="columns")


def _with_groups(X: Rows, extra: Any) -> pd.DataFrame:
    frame = _frame(X)
    for name in extra:
        if name in frame.columns:
            raise Refused(f"groups: {name!r} is also a column of X; give its name alone, or the values another name")
        if len(extra[name]) != len(frame):
            raise Refused(
                f"groups: {name!r} has {len(extra[name])} values, but X has {len(frame)} rows; one value a row is wanted"
            )
    return frame.assign(**{str(name): pd.Series(list(extra[name]), index=frame.index) for name in extra})


def _columns(groups: Any) -> list[str]:
    return [str(name) for name in _listed(groups)]


def _target(X: Rows, y: Any, given: str | None) -> str:
    name = given or getattr(y, "name", None)
    taken = set(X.columns) if isinstance(X, pd.DataFrame) else set()
    return name if isinstance(name, str) and (given is not None or name not in taken) else "target"
