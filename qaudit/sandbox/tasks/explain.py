"""Explain one variant of the model, with one explainer, once or with several seeds and settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.plugin_measures import MeasureRecorder
from qaudit.core.decision import Decision
from qaudit.core.explanation_contract import contract_problem
from qaudit.core.json_values import Json
from qaudit.core.records import Context, Decline, Explainer, Loaded
from qaudit.core.table import Table
from qaudit.core.tensor import Floats
from qaudit.engine.sweep import predict as run_program
from qaudit.errors import Refused
from qaudit.sandbox.ipc import BrokenAnswer
from qaudit.sandbox.job import Job
from qaudit.sandbox.pack_explanation import pack_explanation, unpack_explanation
from qaudit.sandbox.pack_program import unpack_program, unpack_quantized
from qaudit.sandbox.pack_table import unpack_table
from qaudit.sandbox.plugin_measures import declared_measures
from qaudit.sandbox.subject_model import frame, open_model

Columns = Mapping[str, NDArray[Any]]


@dataclass(slots=True)
class Meter:
    """The model as an explainer calls it. It counts the rows and enforces the budget of one run."""

    answer: Callable[[Table], Floats]
    names: tuple[str, ...]
    kinds: Mapping[str, str]
    budget: int
    phase: Callable[[str], None]
    rows: int = 0

    def __call__(self, columns: Columns) -> Floats:
        """Predictions (n, k) of raw columns. Raises ValueError on a wrong column, RuntimeError beyond the budget."""
        table = self._table(columns)
        if self.rows + table.rows > self.budget:
            raise RuntimeError(f"asked the model for {self.rows + table.rows} rows, the budget is {self.budget}")
        self.rows += table.rows
        # A failure during the prediction is attributed to the model, any other to the explainer.
        self.phase("predict")
        predictions = self.answer(table) if table.rows else np.empty((0, 1))
        self.phase("explain")
        return predictions

    def _table(self, columns: Columns) -> Table:
        if set(columns) != set(self.names):
            raise ValueError(f"predict: columns {sorted(columns)}, expected {sorted(self.names)}")
        arrays = {
            name: np.asarray(columns[name], dtype=np.float64 if self.kinds[name] == "number" else object) for name in self.names
        }
        if len({len(values) for values in arrays.values()}) > 1:
            raise ValueError("predict: columns of different lengths")
        return Table(arrays)


def work(job: Job) -> tuple[Json, dict[str, NDArray[Any]]]:
    """Answer {"runs": [[explanation, ...], ...], "cost": [model rows a run], "recorded": [{measure, part, value}]}; arrays
    `run<i>.<j>.<field>`. Of the explainer's own measures those of the first run are taken.

    request: model, decision {output, positive, cutoff, ties}, classes, variant {form: native|program|quantized, packed}, rows and
    background (packed tables), budget, runs [{seed, settings}], refits [[column, repeats]], describe (only what is offered).
    arrays: those of the tables and the variant, output, target, refit.<column number>.<repeat>.
    """
    explainer = offered(job)
    if job.request.get("describe"):
        return described(explainer), {}
    loaded = open_model(job)
    rows, background = (unpack_table(job.request[role], job.arrays, role) for role in ("rows", "background"))
    kinds = {name: rows.kind(name) for name in rows.names}
    meter = Meter(variant(job, loaded), rows.names, kinds, int(job.request["budget"]), job.phase)
    meter(rows.take(slice(0, 1)).columns)
    recorders = [MeasureRecorder(explainer.measures, rows.names) for _ in job.request["runs"]]
    context = base_context(job, meter, rows, background)
    runs: list[list[Json]] = []
    cost: list[int] = []
    arrays: dict[str, NDArray[Any]] = {}
    for number, run in enumerate(job.request["runs"]):
        meter.rows = 0
        job.phase("explain")
        own = replace(context, seed=int(run["seed"]), record_measure=recording(recorders[number]))
        explanation = explainer.explain(own, **run["settings"])
        packed, more = checked(explanation, context, f"run{number}")
        runs.append(packed)
        cost.append(meter.rows)
        arrays |= more
    return {"runs": runs, "cost": cost, "recorded": recorders[0].packed()}, arrays


def recording(recorder: MeasureRecorder) -> Callable[..., None]:
    """The function `record_measure` of an explainer's context."""

    def record_measure(name: str, value: float, *, feature: str | None = None) -> None:
        recorder.add(name, value, feature)

    return record_measure


def checked(returned: Any, context: Context, prefix: str) -> tuple[list[Json], dict[str, NDArray[Any]]]:
    """The explanations that one run returned, packed. Raises BrokenAnswer where they break the contract."""
    packed: list[Json] = []
    arrays: dict[str, NDArray[Any]] = {}
    regression = context.decide(np.zeros((1, 2))) is None
    outputs = 1 if regression else tree_width(context)
    for place, part in enumerate(returned if isinstance(returned, tuple | list) else (returned,)):
        try:
            text, more = pack_explanation(part, f"{prefix}.{place}")
        except (TypeError, ValueError) as error:
            raise BrokenAnswer(str(error)) from error
        # Lists have become arrays here; the host sees what is checked.
        explanation = unpack_explanation(text, more, f"{prefix}.{place}")
        wrong = contract_problem(explanation, rows=len(context.output), names=len(context.names), outputs=outputs)
        if wrong is not None:
            raise BrokenAnswer(wrong)
        packed.append(text)
        arrays |= more
    if not packed:
        raise BrokenAnswer("the explainer returned no explanation")
    return packed, arrays


def tree_width(context: Context) -> int:
    """The number of class shares in each node of a surrogate tree."""
    return max(len(context.classes), 2)


def offered(job: Job) -> Explainer:
    """The one record that the plugin offers. Raises Decline where it offers nothing for this subject."""
    records: list[Explainer] = list(job.offers.get("explainer", []))
    if not records:
        raise Decline("offers nothing for this subject")
    return records[0]


def described(explainer: Explainer) -> Json:
    """The description of a record for the host: summary, needs, and settings (a range as its three numbers)."""
    settings = {}
    for key, setting in explainer.settings.items():
        allowed: Any = None if setting.allowed is None else list(setting.allowed)
        if isinstance(setting.allowed, range):
            allowed = {"range": [setting.allowed.start, setting.allowed.stop, setting.allowed.step]}
        settings[key] = {"default": list(setting.default), "allowed": allowed, "help": setting.help}
    return {
        "name": explainer.name,
        "summary": explainer.summary,
        "needs": list(explainer.needs),
        "settings": settings,
        "measures": declared_measures(explainer),
    }


def variant(job: Job, loaded: Loaded) -> Callable[[Table], Floats]:
    """Rows -> predictions of the variant, by its program on encoded rows, or by the model itself where it has no program."""
    form, packed = job.request["variant"]["form"], job.request["variant"].get("packed")
    if form == "native":
        return lambda table: np.asarray(loaded.predict(frame(table)), dtype=np.float64)
    encode = loaded.encode
    if encode is None:
        raise Refused("the model has a program but no encoder")
    job.phase("encode")
    program = (unpack_program if form == "program" else unpack_quantized)(packed, job.arrays)
    return lambda table: run_program(program, np.asarray(encode(frame(table)), dtype=np.float64))


def base_context(job: Job, meter: Meter, rows: Table, background: Table) -> Context:
    """The context of every run except for the seed."""
    declared = job.request["decision"]
    decision = Decision(declared["output"], declared["positive"], declared["cutoff"], declared["ties"])
    refits = {
        column: [np.asarray(job.arrays[f"refit.{number}.{repeat}"], dtype=np.float64) for repeat in range(repeats)]
        for number, (column, repeats) in enumerate(job.request.get("refits", []))
    }
    return Context(
        predict=meter,
        decide=decision,
        output=np.asarray(job.arrays["output"], dtype=np.int64),
        rows=_read_only(rows),
        background=_read_only(background),
        names=rows.names,
        classes=tuple(job.request["classes"]),
        seed=0,
        budget=meter.budget,
        target=job.arrays.get("target"),
        refits=refits or None,
    )


def _read_only(table: Table) -> dict[str, NDArray[Any]]:
    """Read-only columns, since all runs of the explainer share them."""
    columns = {name: values.view() for name, values in table.columns.items()}
    for values in columns.values():
        values.flags.writeable = False
    return columns
