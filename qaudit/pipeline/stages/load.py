"""load: the registered model and its rows, and the proof that our reading of the model equals the model."""

from __future__ import annotations

import dataclasses
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
from qaudit.pipeline.stages.load_model import Opened, failed, loaded_by, open_file, parameters
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
    """What is audited. `trust` holds digests; `missing` are texts that mean missing; `workdir` takes the private copy (0700).

    `positive` and `cutoff` are the author's, or None. Paths are read once.
    """

    model: Path
    holdout: Path
    target: str
    training: Path | None = None
    calibration: Path | None = None
    groups: tuple[str, ...] = ()
    types: Mapping[str, Kind] = field(default_factory=dict)
    positive: str | None = None
    cutoff: float | None = None
    trust: Collection[str] = ()
    calibration_share: float | None = None
    seed: int = 0
    name: str = "model"
    version: int | None = None
    parent: str | None = None
    missing: tuple[str, ...] = ()
    workdir: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """What messages and the report call the files, by role, where the path is a registry blob."""

    def shown(self, role: str, path: Path) -> str:
        """The file's name for people."""
        return Path(self.names.get(role, path.name)).name or path.name


@dataclass(frozen=True, slots=True)
class DecisionSource:
    """The decision and where its parts come from."""

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
    opened = open_file(request.model, request.trust, hooks, request.workdir, shown)
    roles, shared, notes = roles_of(request, opened)
    progress(f"load: {roles['holdout'].table.rows} holdout rows through the model")
    encoded, native, given, ties = _answers(opened, roles, hooks)
    chosen = choose(request, opened.output, opened.classes, native["holdout"], ties)
    rule, otherwise = own_decisions(chosen.decision, native["holdout"], given.get("decided"), opened.classes)
    lowering, proved = _lowering(opened, encoded, native, chosen.decision, given)
    unseen = _unseen(opened, roles["holdout"])
    notes += [f"Column {name!r}: {rows} holdout rows have a value that the encoder has not met." for name, rows in unseen.items()]
    data = _data(request, opened, roles, shared, notes)
    return LoadedSubject(
        name=request.name,
        version=request.version,
        digest=opened.digest,
        model=opened.path,
        format=opened.format,
        tier=opened.tier,
        family=opened.family,
        features=_features(opened, roles["holdout"]),
        classes=opened.classes,
        decision=chosen.decision,
        program=opened.program if proved else None,
        why_not=lowering["why_not"],
        refittable=opened.refittable,
        tables={name: role.table for name, role in roles.items()},
        encoded=encoded if proved else {},
        native=native,
        target={name: role.target for name, role in roles.items() if role.target is not None},
        groups=roles["holdout"].groups,
        report={
            "subject": _subject(request, opened, chosen, lowering, roles["holdout"])
            | {"decision": rule, "decided_otherwise": otherwise},
            "data": data,
        },
        evidence=_evidence(opened, roles, shared, data, unseen, lowering),
        skipped=(*opened.skipped, *_missing_roles(roles)),
    )


def roles_of(request: LoadRequest, opened: Opened) -> tuple[dict[str, Role], list[Json], list[str]]:
    """The rows of every role, the rows that two of them share, and notes for the report. Raises Refused for bad data."""
    wanted = Wanted(opened.features, opened.width, request.target, request.groups, request.types, opened.classes, request.missing)
    holdout = read_role(request.holdout, request.shown("holdout", request.holdout), wanted, None, holdout=True)
    roles = {"holdout": holdout}
    for name, path in (("training", request.training), ("calibration", request.calibration)):
        if path is not None:
            shown = request.shown(name, path)
            roles[name] = read_role(path, shown, wanted, holdout.table.names, holdout=False, needs_target=name == "training")
    shared = overlaps(roles, tuple(roles))
    notes = ["An empty value is missing, in numbers and in text; nothing else is read as missing" + _also(request.missing) + "."]
    return roles, shared, notes + calibration_of(roles, request.calibration_share, request.seed)


def _also(missing: tuple[str, ...]) -> str:
    return f" but {', '.join(repr(text) for text in missing)}, as declared" if missing else ""


def _answers(
    opened: Opened, roles: Mapping[str, Role], hooks: Hooks
) -> tuple[dict[str, Floats], dict[str, Floats], dict[str, NDArray[Any]], Ties]:
    """Encoded rows and native predictions by role; the model's own leaves, raw scores and decisions on the holdout; its ties."""
    tables: Json = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, role in roles.items():
        packed, found = pack_table(role.table, name)
        tables[name] = packed
        arrays |= found
    call = Call("encode", {"model": str(opened.path), "tables": tables}, arrays, (opened.format,), Limits(seconds=600.0))
    outcome = hooks.qaudit_run_unit(call=call)
    if outcome.failure is not None:
        raise failed(outcome, opened.shown, opened.format, {name: role.file for name, role in roles.items()})
    counts = {name: role.table.rows for name, role in roles.items()}
    wrong = rows_breach("native", outcome.arrays, counts)
    undecided = None if wrong else decision_breach(outcome.answer, outcome.arrays, counts["holdout"])
    if worse := wrong or rows_breach("encoded", outcome.arrays, counts) or undecided:
        keep_unit(call, outcome, worse)
    if wrong := wrong or undecided:
        raise Refused(f"{opened.shown}: {wrong}")
    answers = {name: np.array(array) for name, array in outcome.arrays.items()}
    encoded = {name: answers[f"encoded.{name}"] for name in roles if f"encoded.{name}" in answers}
    given = {key: answers[f"{key}.holdout"] for key in ("leaves", "raw", "decided") if f"{key}.holdout" in answers}
    return encoded, {name: answers[f"native.{name}"] for name in roles}, given, outcome.answer["ties"]


def labelled(positive: str | None, classes: Sequence[str]) -> str | None:
    """The author's word for the positive class as the model spells it: 2 for a model fitted on 1.0 and 2.0."""
    return f"{positive}.0" if positive is not None and positive not in classes and f"{positive}.0" in classes else positive


def choose(request: LoadRequest, output: str, classes: tuple[str, ...], native: Floats, ties: Ties) -> DecisionSource:
    """The decision: the model's own unless a cut-off is declared.

    The positive class is named by the author; only 0/1, False/True and -1/1 say themselves which is larger.
    """
    if output != "binary":
        if request.positive is not None and output == "regression":
            raise Refused(f"positive = {request.positive!r}: a regression has no classes")
        if request.cutoff is not None:
            raise Refused(f"cutoff = {request.cutoff:g}: a cut-off goes with two classes, this is a {output} model")
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
    opened: Opened,
    encoded: Mapping[str, Floats],
    native: Mapping[str, Floats],
    decision: Decision,
    given: Mapping[str, NDArray[Any]],
) -> tuple[Json, bool]:
    if opened.program is None or "holdout" not in encoded:
        return not_lowered(opened.why_not or "the format gives no program"), False
    counts = {role: len(rows) for role, rows in native.items()}
    if wrong := rows_breach("encoded", {f"encoded.{role}": rows for role, rows in encoded.items()}, counts):
        return not_lowered(wrong), False
    wide = encoded["holdout"].shape[1]
    if wide != opened.program.width:
        return not_lowered(f"the model encodes {wide} columns, its program takes {opened.program.width}"), False
    proof = prove(opened.program, encoded["holdout"], native["holdout"], decision, given)
    return proof.json(opened.why_not), proof.proved


def _features(opened: Opened, holdout: Role) -> tuple[Feature, ...]:
    """The model's features with the kind each was read by; for a model without names, the columns that were taken."""
    if not opened.features:
        return tuple(Feature(name, holdout.table.kind(name)) for name in holdout.table.names)
    return tuple(dataclasses.replace(feature, kind=holdout.table.kind(feature.name)) for feature in opened.features)


def _unseen(opened: Opened, holdout: Role) -> dict[str, int]:
    """Holdout rows with a text that the model's encoder has not met, by column; only columns that have some."""
    found: dict[str, int] = {}
    for name, known in sorted(opened.categories.items()):
        if name in holdout.table.columns and holdout.table.kind(name) == "text":
            rows = sum(value is not None and value not in set(known) for value in holdout.table.columns[name])
            found |= {name: rows} if rows else {}
    return found


def _missing_roles(roles: Mapping[str, Role]) -> tuple[Skipped, ...]:
    if "calibration" in roles:
        return ()
    reason = "no calibration rows: give --train, --calibration or --calibration-share 0.1"
    return (Skipped("load", "calibration", reason, "declined"),)


def _subject(request: LoadRequest, opened: Opened, chosen: DecisionSource, lowering: Json, holdout: Role) -> Json:
    return {
        "name": request.name,
        "version": request.version,
        "digest": opened.digest,
        "parent": request.parent,
        "format": opened.format.name,
        "tier": opened.tier,
        "family": opened.family,
        "loaded_by": loaded_by(opened),
        "output": opened.output,
        "classes": list(opened.classes),
        "positive": chosen.positive,
        "positive_source": chosen.positive_source,
        "cutoff": chosen.cutoff,
        "cutoff_source": chosen.cutoff_source,
        "target": request.target,
        "size_bytes": opened.size,
        "features": [{"name": name, "kind": holdout.table.kind(name)} for name in holdout.table.names],
        "parameters": parameters(opened.program if lowering["proved"] else None),
        "lowering": lowering,
    }


def _data(request: LoadRequest, opened: Opened, roles: Mapping[str, Role], shared: list[Json], notes: list[str]) -> Json:
    holdout = roles["holdout"]
    columns = [summary(name, values, "feature") for name, values in holdout.table.columns.items()]
    columns += [summary(name, values, "group") for name, values in holdout.groups.items() if name not in holdout.table.columns]
    told = {n: {"file": r.file, "digest": r.digest, "rows": r.table.rows, "how": r.how} for n, r in roles.items()}
    target = _target(opened.classes, holdout)
    return {
        "roles": told,
        "overlap": shared,
        "columns": columns,
        "groups": list(request.groups),
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
    opened: Opened, roles: Mapping[str, Role], shared: list[Json], data: Json, unseen: Mapping[str, int], lowering: Json
) -> tuple[Evidence, ...]:
    def row(measure: str, value: float, topic: str, n: int | None = None, **about: str) -> Evidence:
        return measured(measure, float(value), about, "load", topic, n=n)

    holdout = roles["holdout"].table.rows
    rows = [row("model_bytes", opened.size, "model.identity")]
    if lowering["max_error"] is not None:
        rows.append(row("lowering_max_error", lowering["max_error"], "model.identity", lowering["rows"]))
    rows += [row("rows", role.table.rows, "data.description", value_of=name) for name, role in sorted(roles.items())]
    rows += [row("missing", column["missing"], "data.description", holdout, feature=column["name"]) for column in data["columns"]]
    rows += [row("unseen_categories", count, "data.description", holdout, feature=name) for name, count in unseen.items()]
    for part in data["target"]:
        if "label" in part:
            rows.append(row("target_share", part["share"], "data.description", holdout, output=part["label"]))
        else:
            rows.append(row("target_mean", part["mean"], "data.description", holdout))
    rows += [row("overlap_rows", o["rows"], "data.provenance", value_of=" and ".join(o["roles"])) for o in shared]
    return tuple(rows)
