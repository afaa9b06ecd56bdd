"""The stage `load`: reads the model and its rows, and proves that the program predicts as the model does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision, Ties
from qaudit.core.evidence import Evidence, Skipped, measured
from qaudit.core.json_values import Json
from qaudit.core.records import Feature
from qaudit.core.table import Kind
from qaudit.core.tensor import Floats
from qaudit.errors import Refused
from qaudit.inputs.data import mean_of, summary
from qaudit.pipeline.stages.load_choice import choice_rows
from qaudit.pipeline.stages.load_model import ModelFile, failed, loaded_by, open_file, parameters
from qaudit.pipeline.stages.load_proof import not_lowered, own_decisions, prove
from qaudit.pipeline.stages.load_roles import Role, Wanted, calibration_of, overlaps, read_role
from qaudit.pipeline.types import LoadedSubject, Progress
from qaudit.plugin_host.hooks import Hooks
from qaudit.sandbox.answers import decision_breach, rows_breach
from qaudit.sandbox.job import Call, Limits
from qaudit.sandbox.pack_table import pack_table
from qaudit.sandbox.runner import keep_unit

ASSUMED_PAIRS = ({"0", "1"}, {"False", "True"}, {"-1", "1"}, {"0.0", "1.0"}, {"-1.0", "1.0"})


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """The model and the rows to audit. `trust` has digests; `missing` are texts that mean a missing value; the private copy of
    the model is written into `workdir` (0700).

    `positive` and `cutoff` are the author's, or None. `choosing`: no candidate was named, one is chosen on training rows. Paths
    are read once.
    """

    model: Path
    holdout: Path
    target: str
    training: Path | None = None
    calibration: Path | None = None
    groups: tuple[str, ...] = ()
    cluster: str | None = None
    types: Mapping[str, Kind] = field(default_factory=dict)
    positive: str | None = None
    cutoff: float | None = None
    tolerance: float | None = None
    trust: Collection[str] = ()
    calibration_share: float | None = None
    seed: int = 0
    name: str = "model"
    version: int | None = None
    parent: str | None = None
    missing: tuple[str, ...] = ()
    choosing: bool = False
    workdir: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """The names of the files in messages and in the report, by role, where the path is a blob of the registry."""

    def shown(self, role: str, path: Path) -> str:
        """The name of the file in messages and in the report."""
        return Path(self.names.get(role, path.name)).name or path.name


@dataclass(frozen=True, slots=True)
class DecisionSource:
    """The decision rule and where its parts come from."""

    decision: Decision
    positive: str | None
    cutoff: float | None
    positive_source: str | None
    cutoff_source: str | None


def _silent(line: str) -> None:
    """No progress is shown."""


def load(request: LoadRequest, hooks: Hooks, progress: Progress = _silent) -> LoadedSubject:
    """The whole subject, ready for the stages that follow. Raises Refused with one line for bad input."""
    shown = request.shown("model", request.model)
    progress(f"load: {shown}{f', a symlink to {request.model.resolve().name}' if request.model.is_symlink() else ''}")
    model_file = open_file(request.model, request.trust, hooks, request.workdir, shown)
    roles, shared, notes = roles_of(request, model_file)
    progress(f"load: {roles['holdout'].table.rows} holdout rows through the model")
    encoded, native, extra, ties = _answers(model_file, roles, hooks)
    chosen = choose(request, model_file.output, model_file.classes, native["holdout"], ties)
    rule, otherwise = own_decisions(chosen.decision, native["holdout"], extra.get("decided"), model_file.classes)
    lowering, proved = _lowering(model_file, encoded, native, chosen.decision, extra)
    unknown = _unknown_categories(model_file, roles["holdout"])
    notes += [
        f"Column {name!r}: {rows} holdout rows have a value that the encoder does not know." for name, rows in unknown.items()
    ]
    data = _data(request, model_file, roles, shared, notes)
    return LoadedSubject(
        name=request.name,
        version=request.version,
        digest=model_file.digest,
        model=model_file.path,
        format=model_file.format,
        tier=model_file.tier,
        family=model_file.family,
        features=_features(model_file, roles["holdout"]),
        classes=model_file.classes,
        decision=chosen.decision,
        program=model_file.program if proved else None,
        why_not=lowering["why_not"],
        refittable=model_file.refittable,
        tables={name: role.table for name, role in roles.items()},
        encoded=encoded if proved else {},
        native=native,
        target={name: role.target for name, role in roles.items() if role.target is not None},
        groups=roles["holdout"].groups,
        cluster=roles["holdout"].cluster,
        tolerance=request.tolerance,
        choice=choice_rows(roles, request.seed),
        report={
            "subject": _subject(request, model_file, chosen, lowering, roles["holdout"])
            | {"decision": rule, "decided_otherwise": otherwise},
            "data": data,
        },
        evidence=_evidence(model_file, roles, shared, data, unknown, lowering),
        skipped=(*model_file.skipped, *_missing_roles(roles)),
    )


def roles_of(request: LoadRequest, model_file: ModelFile) -> tuple[dict[str, Role], list[Json], list[str]]:
    """The rows of every role, the rows that two of them share, and notes for the report. Raises Refused for bad data."""
    wanted = Wanted(
        model_file.features,
        model_file.width,
        request.target,
        request.groups,
        request.cluster,
        request.types,
        model_file.classes,
        request.missing,
    )
    holdout = read_role(request.holdout, request.shown("holdout", request.holdout), wanted, None, holdout=True)
    roles = {"holdout": holdout}
    for name, path in (("training", request.training), ("calibration", request.calibration)):
        if path is not None:
            shown = request.shown(name, path)
            roles[name] = read_role(path, shown, wanted, holdout.table.names, holdout=False, needs_target=name == "training")
    shared = overlaps(roles, tuple(roles))
    notes = ["An empty value is missing, in numbers and in text; nothing else is read as missing" + _also(request.missing) + "."]
    return roles, shared, notes + calibration_of(roles, request.calibration_share, request.seed, choosing=request.choosing)


def _also(missing: tuple[str, ...]) -> str:
    return f" but {', '.join(repr(text) for text in missing)}, as declared" if missing else ""


def _answers(
    model_file: ModelFile, roles: Mapping[str, Role], hooks: Hooks
) -> tuple[dict[str, Floats], dict[str, Floats], dict[str, NDArray[Any]], Ties]:
    """Encoded rows and native predictions by role; the model's own leaves, raw scores and decisions on the holdout; its ties."""
    tables: Json = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, role in roles.items():
        packed, columns = pack_table(role.table, name)
        tables[name] = packed
        arrays |= columns
    call = Call("encode", {"model": str(model_file.path), "tables": tables}, arrays, (model_file.format,), Limits(seconds=600.0))
    outcome = hooks.qaudit_run_unit(call=call)
    if outcome.failure is not None:
        raise failed(outcome, model_file.shown, model_file.format, {name: role.file for name, role in roles.items()})
    counts = {name: role.table.rows for name, role in roles.items()}
    wrong = rows_breach("native", outcome.arrays, counts)
    undecided = None if wrong else decision_breach(outcome.answer, outcome.arrays, counts["holdout"])
    if worse := wrong or rows_breach("encoded", outcome.arrays, counts) or undecided:
        keep_unit(call, outcome, worse)
    if wrong := wrong or undecided:
        raise Refused(f"{model_file.shown}: {wrong}")
    answers = {name: np.array(array) for name, array in outcome.arrays.items()}
    encoded = {name: answers[f"encoded.{name}"] for name in roles if f"encoded.{name}" in answers}
    extra = {key: answers[f"{key}.holdout"] for key in ("leaves", "raw", "decided") if f"{key}.holdout" in answers}
    return encoded, {name: answers[f"native.{name}"] for name in roles}, extra, outcome.answer["ties"]


def labelled(positive: str | None, classes: Sequence[str]) -> str | None:
    """The positive class in the spelling of the model: the author's "2" becomes "2.0" for a model fitted on 1.0 and 2.0."""
    return f"{positive}.0" if positive is not None and positive not in classes and f"{positive}.0" in classes else positive


def choose(request: LoadRequest, output: str, classes: tuple[str, ...], native: Floats, ties: Ties) -> DecisionSource:
    """The decision: the model's own unless a cut-off is declared.

    The positive class is named by the author; only 0/1, False/True and -1/1 say themselves which is larger.
    """
    if request.tolerance is not None and output != "regression":
        raise Refused(f"tolerance = {request.tolerance!r}: it is for predicted numbers, this is a {output} model")
    if output != "binary":
        if request.positive is not None and output == "regression":
            raise Refused(f"positive = {request.positive!r}: a regression has no classes")
        if request.cutoff is not None:
            raise Refused(f"cutoff = {request.cutoff:g}: a cut-off goes with two classes, this is a {output} model")
        if request.tolerance is not None and output == "regression" and not 0 < request.tolerance < math.inf:
            raise Refused(f"tolerance = {request.tolerance!r}: a finite number above 0 is wanted")
        return DecisionSource(Decision(output, ties=ties), None, None, None, None)
    positive, source = labelled(request.positive, classes), "declared"
    if positive is None:
        if set(classes) not in ASSUMED_PAIRS:
            raise Refused(
                f"positive: name the positive class of {request.target!r}, one of: {', '.join(classes)} (--positive LABEL)"
            )
        positive, source = max(classes, key=lambda label: (label == "True", label in ("1", "1.0"))), "assumed: the larger label"
    if positive not in classes:
        raise Refused(f"positive = {positive!r}: the classes of the model are {', '.join(classes)}")
    cutoff = None if request.cutoff is None else float(request.cutoff)
    if cutoff is not None and native.shape[1] == 2 and not 0 <= cutoff <= 1:
        raise Refused(f"cutoff = {cutoff:g}: a probability between 0 and 1 is wanted")
    cutoff_source = "the model's own" if cutoff is None else "declared"
    return DecisionSource(Decision("binary", classes.index(positive), cutoff, ties), positive, cutoff, source, cutoff_source)


def _lowering(
    model_file: ModelFile,
    encoded: Mapping[str, Floats],
    native: Mapping[str, Floats],
    decision: Decision,
    extra: Mapping[str, NDArray[Any]],
) -> tuple[Json, bool]:
    if model_file.program is None or "holdout" not in encoded:
        return not_lowered(model_file.why_not or "the format gives no program"), False
    counts = {role: len(rows) for role, rows in native.items()}
    if wrong := rows_breach("encoded", {f"encoded.{role}": rows for role, rows in encoded.items()}, counts):
        return not_lowered(wrong), False
    wide = encoded["holdout"].shape[1]
    if wide != model_file.program.width:
        return not_lowered(f"the model encodes {wide} columns, its program takes {model_file.program.width}"), False
    proof = prove(model_file.program, encoded["holdout"], native["holdout"], decision, extra)
    return proof.json(model_file.why_not), proof.proved


def _features(model_file: ModelFile, holdout: Role) -> tuple[Feature, ...]:
    """The model's features with the kind by which each was read; for a model without names, the columns that were used."""
    if not model_file.features:
        return tuple(Feature(name, holdout.table.kind(name)) for name in holdout.table.names)
    return tuple(dataclasses.replace(feature, kind=holdout.table.kind(feature.name)) for feature in model_file.features)


def _unknown_categories(model_file: ModelFile, holdout: Role) -> dict[str, int]:
    """The number of holdout rows with a category that the encoder does not know, for each column that has some."""
    counts: dict[str, int] = {}
    for name, known in sorted(model_file.categories.items()):
        if name in holdout.table.columns and holdout.table.kind(name) == "text":
            rows = sum(value is not None and value not in set(known) for value in holdout.table.columns[name])
            counts |= {name: rows} if rows else {}
    return counts


def _missing_roles(roles: Mapping[str, Role]) -> tuple[Skipped, ...]:
    if "calibration" in roles:
        return ()
    reason = "no calibration rows: give --train, --calibration or --calibration-share 0.1"
    return (Skipped("load", "calibration", reason, "declined"),)


def _subject(request: LoadRequest, model_file: ModelFile, chosen: DecisionSource, lowering: Json, holdout: Role) -> Json:
    return {
        "name": request.name,
        "version": request.version,
        "digest": model_file.digest,
        "parent": request.parent,
        "format": model_file.format.name,
        "tier": model_file.tier,
        "family": model_file.family,
        "loaded_by": loaded_by(model_file),
        "output": model_file.output,
        "classes": list(model_file.classes),
        "positive": chosen.positive,
        "positive_source": chosen.positive_source,
        "cutoff": chosen.cutoff,
        "cutoff_source": chosen.cutoff_source,
        "tolerance": request.tolerance,
        "target": request.target,
        "size_bytes": model_file.size,
        "features": [{"name": name, "kind": holdout.table.kind(name)} for name in holdout.table.names],
        "parameters": parameters(model_file.program if lowering["proved"] else None),
        "lowering": lowering,
    }


def _data(request: LoadRequest, model_file: ModelFile, roles: Mapping[str, Role], shared: list[Json], notes: list[str]) -> Json:
    holdout = roles["holdout"]
    columns = [summary(name, values, "feature") for name, values in holdout.table.columns.items()]
    columns += [summary(name, values, "group") for name, values in holdout.groups.items() if name not in holdout.table.columns]
    files = {n: {"file": r.file, "digest": r.digest, "rows": r.table.rows, "how": r.how} for n, r in roles.items()}
    target = _target(model_file.classes, holdout)
    return {
        "roles": files,
        "overlap": shared,
        "columns": columns,
        "groups": list(request.groups),
        "cluster": request.cluster,
        "clusters": None if holdout.cluster is None else len(set(holdout.cluster.tolist())),
        "target": target,
        "notes": notes,
    }


def _target(classes: tuple[str, ...], holdout: Role) -> list[Json]:
    values = holdout.target
    assert values is not None
    if not classes:
        return [{"low": float(values.min()), "mean": mean_of(values), "high": float(values.max())}]
    counts = np.bincount(values, minlength=len(classes))
    return [{"label": label, "rows": int(n), "share": float(n / len(values))} for label, n in zip(classes, counts, strict=True)]


def _evidence(
    model_file: ModelFile, roles: Mapping[str, Role], shared: list[Json], data: Json, unknown: Mapping[str, int], lowering: Json
) -> tuple[Evidence, ...]:
    def row(measure: str, value: float, topic: str, n: int | None = None, **about: str) -> Evidence:
        return measured(measure, float(value), about, "load", topic, n=n)

    holdout = roles["holdout"].table.rows
    rows = [row("model_bytes", model_file.size, "model.identity")]
    if lowering["max_error"] is not None:
        rows.append(row("lowering_max_error", lowering["max_error"], "model.identity", lowering["rows"]))
    rows += [row("rows", role.table.rows, "data.description", value_of=name) for name, role in sorted(roles.items())]
    rows += [row("missing", column["missing"], "data.description", holdout, feature=column["name"]) for column in data["columns"]]
    rows += [row("unseen_categories", count, "data.description", holdout, feature=name) for name, count in unknown.items()]
    for part in data["target"]:
        if "label" in part:
            rows.append(row("target_share", part["share"], "data.description", holdout, output=part["label"]))
        else:
            rows.append(row("target_mean", part["mean"], "data.description", holdout))
    rows += [row("overlap_rows", o["rows"], "data.provenance", value_of=" and ".join(o["roles"])) for o in shared]
    return tuple(rows)
