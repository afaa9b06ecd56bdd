"""A7, C and D checks for explainers, on models whose reasons are known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qaudit.core.catalogue.explanations import kind_of
from qaudit.core.catalogue.plugin_measures import MeasureRecorder
from qaudit.core.decision import Decision
from qaudit.core.explanation import Explanation
from qaudit.core.records import Context, Decline, Explainer, Value
from qaudit.core.table import Table
from qaudit.core.tensor import Floats
from qaudit.errors import Refused
from qaudit.sandbox.ipc import BrokenAnswer
from qaudit.sandbox.pack_explanation import pack_explanation, unpack_explanation
from qaudit.sandbox.tasks.explain import Meter, checked, recording
from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.own_measures import measure_problems
from qaudit.testing.checks.results import NotRun
from qaudit.testing.checks.side_effect_watch import SideEffectWatch, changed, state

BUDGET = 200_000
Columns = Mapping[str, NDArray[Any]]
Model = Callable[[Columns], Floats]
WEIGHTS = {"age": 1.4, "income": -0.8, "debt": 0.5, "purpose": 0.9}


def two_classes(margin: Floats) -> Floats:
    """Probabilities (n, 2) of a margin (n,)."""
    positive = 1.0 / (1.0 + np.exp(-margin))
    return np.stack([1.0 - positive, positive], axis=1)


def weighted(columns: Columns) -> Floats:
    """A logistic model of all columns."""
    return two_classes(np.asarray(sum(WEIGHTS[name] * toy_subjects.signal_of(columns, name) for name in sorted(columns))))


def constant(columns: Columns) -> Floats:
    """A model that predicts 0.3 for every row."""
    return np.tile([0.7, 0.3], (len(next(iter(columns.values()))), 1))


def only(name: str) -> Model:
    """A model of one column."""
    return lambda columns: two_classes(2.0 * toy_subjects.signal_of(columns, name))


def one_number(columns: Columns) -> Floats:
    """A regression."""
    return np.log(weighted(columns)[:, 1:] + 0.5)


def three(columns: Columns) -> Floats:
    """Three classes."""
    margins = np.stack([toy_subjects.signal_of(columns, name) for name in sorted(columns)][:3], axis=1)
    return np.asarray(np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True, eq=False)
class ExplainerResult:
    """The result of an explainer for one model: the explanations as the host reads them, or why there are none."""

    parts: tuple[Explanation, ...]
    context: Context
    meter: Meter
    recorder: MeasureRecorder
    wrong: str | None = None
    declined: str | None = None


@dataclass(slots=True)
class ExplainerTrial:
    """One explainer whose side effects are recorded. `backwards`: another model is explained first, which must not matter."""

    record: Explainer
    watch: SideEffectWatch
    backwards: bool = False
    before: dict[str, Any] = field(default_factory=lambda: state(calls_only=True))
    texts: bool = True
    _first: ExplainerResult | None = None

    def settings(self) -> dict[str, Value]:
        """The first default of every setting."""
        return {key: setting.default[0] for key, setting in self.record.settings.items()}

    def columns(self, holes: bool = False, rows: int = 40, seed: int = 20) -> dict[str, NDArray[Any]]:
        """Toy rows, with a text column where the explainer takes one."""
        return toy_subjects.table(self.texts, holes, rows, seed)

    def explain(self, model: Model, rows: Columns, output: str = "binary", seed: int = 7) -> ExplainerResult:
        """Call the explainer as a run does. Decline and a broken contract are noted, anything else passes through."""
        context, meter = self._context(model, rows, output, seed)
        recorder = MeasureRecorder(self.record.measures, tuple(rows))
        context = replace(context, record_measure=recording(recorder))
        try:
            with self.watch.watching("calls"):
                returned = self.record.explain(context, **self.settings())
            packed, arrays = checked(returned, context, "run")
        except (Decline, Refused) as error:
            return ExplainerResult((), context, meter, recorder, declined=str(error) or "no reason")
        except BrokenAnswer as error:
            return ExplainerResult((), context, meter, recorder, wrong=str(error))
        parts = tuple(unpack_explanation(part, arrays, f"run.{place}") for place, part in enumerate(packed))
        return ExplainerResult(parts, context, meter, recorder)

    def _context(self, model: Model, rows: Columns, output: str, seed: int) -> tuple[Context, Meter]:
        names = tuple(rows)
        background = {name: self.columns(rows=60, seed=21)[name] for name in names}
        decision = Decision(output)
        kinds = {name: "text" if rows[name].dtype == object else "number" for name in names}
        meter = Meter(lambda table: model(table.columns), names, kinds, BUDGET, lambda phase: None)
        predicted = model(rows)
        decided = decision(predicted)
        shown = (
            np.zeros(len(predicted), np.int64)
            if decided is None
            else decided
            if output == "multiclass"
            else np.ones_like(decided)
        )
        classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c")}.get(output, ())
        refits = {name: [model({**rows, name: _flat(rows[name])})] * 2 for name in names}
        target = predicted[:, 0] + 0.1 if decided is None else np.where(np.arange(len(decided)) % 7 == 0, 0, decided)
        context = Context(meter, decision, shown, dict(rows), background, names, classes, seed, BUDGET)
        if "target" in self.record.needs:
            context = replace(context, target=target)
        return (replace(context, refits=refits) if "refits" in self.record.needs else context), meter

    def first(self) -> ExplainerResult:
        """The weighted model on the ordinary rows; once. Where text is declined, on numbers alone."""
        if self._first is None:
            if self.backwards:
                self.explain(only("age"), self.columns(seed=22))
            self._first = self.explain(weighted, self.columns())
            if self._first.declined is not None:
                self.texts = False
                self._first = self.explain(weighted, self.columns())
        if self._first.declined is not None:
            raise NotRun(f"declined: {self._first.declined}")
        return self._first


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype == object:
        return np.array(["other"] * len(values), dtype=object)
    return np.full(len(values), np.nanmean(values))


def sizes(result: ExplainerResult, part: Explanation) -> Floats:
    """How much each column matters to one explanation (d,)."""
    return kind_of(part).column_sizes(part, len(result.context.names))


def works(trial: ExplainerTrial) -> list[str]:
    """A7: the explainer explains a logistic model of the toy rows."""
    try:
        result = trial.first()
    except NotRun as why:
        return [f"explains no toy model; {why}"]
    return [result.wrong] if result.wrong else []


def own_measures(trial: ExplainerTrial) -> list[str]:
    """A8."""
    return measure_problems(trial.record.measures, lambda: [name for name, _ in trial.first().recorder.values])


def names_match(trial: ExplainerTrial) -> list[str]:
    """D1: shapes, and where a model uses one column, that column matters most."""
    first = trial.first()
    if first.wrong:
        return [first.wrong]
    problems = []
    for j, name in enumerate(first.context.names):
        result = trial.explain(only(name), trial.columns())
        problems += [result.wrong] if result.wrong else []
        for part in result.parts:
            size = sizes(result, part)
            top = int(np.argmax(size))
            if top != j or not size[j] > 0:
                kind = type(part).__name__
                problems.append(
                    f"a model of {name!r} alone: {kind} says {result.context.names[top] if size[top] > 0 else 'nothing'!r}"
                )
    return problems


def no_reasons(trial: ExplainerTrial) -> list[str]:
    """D2: a constant model gets importances and contributions of 0."""
    trial.first()
    result = trial.explain(constant, trial.columns())
    problems = [result.wrong] if result.wrong else []
    for part in result.parts:
        size = sizes(result, part)
        if float(size.max()) > 1e-6:
            name = result.context.names[int(np.argmax(size))]
            problems.append(f"a constant model: {type(part).__name__} gives {name!r} {size.max():.3g}, expected 0")
    return problems


def within_budget(trial: ExplainerTrial) -> list[str]:
    """D3: the explainer calls the model, and for no more rows than the budget."""
    result = trial.first()
    if "refits" not in trial.record.needs and result.meter.rows == 0:
        return ["never asked the model"]
    if result.meter.rows > BUDGET:
        return [f"asked the model for {result.meter.rows} rows, the budget is {BUDGET}"]
    return []


def any_order(trial: ExplainerTrial) -> list[str]:
    """D4: the order of the columns makes no difference."""
    first = trial.first()
    rows = trial.columns()
    result = trial.explain(weighted, {name: rows[name] for name in reversed(rows)})
    if result.wrong or result.declined:
        return [f"with the columns in another order: {result.wrong or result.declined}"]
    pairs = zip(first.parts, result.parts, strict=True)
    return [
        f"{type(first_part).__name__} changed with the order of columns"
        for first_part, other_part in pairs
        if not _equal(first_part, other_part, first, result)
    ]


def _equal(a: Explanation, b: Explanation, first: ExplainerResult, result: ExplainerResult) -> bool:
    """Whether two explanations of the same rows are equal although their columns were in another order."""
    kind, names = kind_of(a), list(result.context.names)
    order = np.array([names.index(name) for name in first.context.names])
    return kind is kind_of(b) and kind.same(a, b, order, Table(dict(first.context.rows)))


def fingerprint(trial: ExplainerTrial) -> str:
    """One text that is the same in every process where C1 holds."""
    return _digest(trial.first())


def _digest(result: ExplainerResult) -> str:
    digest = hashlib.sha256(f"{result.wrong}|{result.declined}|{sorted(result.recorder.values.items(), key=repr)}".encode())
    for place, part in enumerate(result.parts):
        text, arrays = pack_explanation(part, str(place))
        digest.update(repr(text).encode())
        for name in sorted(arrays):
            digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


def reproducible(trial: ExplainerTrial) -> list[str]:
    """C1, within one process; the driver compares with another."""
    first = trial.first()
    again = trial.explain(weighted, trial.columns())
    return [] if _digest(first) == _digest(again) else ["called again with the same seed, it gave another explanation"]


def untouched(trial: ExplainerTrial) -> list[str]:
    """C2: the explainer does not write into its inputs."""
    trial.first()
    rows = trial.columns()
    before_call = {name: values.copy() for name, values in rows.items()}
    background = trial.columns(rows=60, seed=21)
    result = trial.explain(weighted, rows)
    pairs = [(rows, before_call, "rows"), (result.context.background, background, "the background")]
    return [
        f"wrote into column {name!r} of {what}"
        for after, before, what in pairs
        for name in before
        if not all(a is b or a == b for a, b in zip(after[name].tolist(), before[name].tolist(), strict=True))
    ]


def leaves_nothing(trial: ExplainerTrial) -> list[str]:
    """C3: no state is left behind, and results do not depend on earlier calls."""
    first = trial.first()
    before = state()
    trial.explain(only("age"), trial.columns(seed=22))
    again = trial.explain(weighted, trial.columns())
    names = dict.fromkeys([*changed(trial.before, state(True)), *changed(before, state())])
    problems = [f"a call changed {name}" for name in names]
    if _digest(again) != _digest(first):
        problems.append("after another model it gave another explanation of the first")
    return problems


def silent(trial: ExplainerTrial) -> list[str]:
    """C5: nothing is printed on standard output."""
    trial.first()
    printed = trial.watch.printed.get("calls", 0)
    return [f"printed {printed} bytes on standard output while explaining"] if printed else []


def works_on_every_subject(trial: ExplainerTrial) -> list[str]:
    """C6: every kind of subject works or is declined."""
    trial.first()
    plain, problems = trial.columns(), []
    same = {**plain, "debt": np.full(len(plain["debt"]), 2.0)}
    tried: list[tuple[str, Model, Columns, str]] = [
        ("missing values", weighted, trial.columns(holes=True), "binary"),
        ("one row", weighted, trial.columns(rows=1), "binary"),
        ("a constant column", weighted, same, "binary"),
        ("a regression", one_number, plain, "regression"),
        ("three classes", three, plain, "multiclass"),
    ]
    for what, model, rows, output in tried:
        try:
            result = trial.explain(model, rows, output)
        except Exception as error:
            problems.append(f"{what}: raised {type(error).__name__}: {error}, expected an explanation or Decline")
            continue
        problems += [f"{what}: {result.wrong}"] if result.wrong else []
    return problems


EXPLAINER_CHECKS: dict[str, Callable[[ExplainerTrial], list[str]]] = {
    "A7": works,
    "A8": own_measures,
    "C1": reproducible,
    "C2": untouched,
    "C3": leaves_nothing,
    "C5": silent,
    "C6": works_on_every_subject,
    "D1": names_match,
    "D2": no_reasons,
    "D3": within_budget,
    "D4": any_order,
}
