"""Checks A7 and E1 to E5 of formats, F1 and F2 of frameworks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from qaudit.core.decision import Decision, Ties
from qaudit.core.records import Format, Framework, Loaded, Tier
from qaudit.core.table import Table
from qaudit.core.tensor import Floats
from qaudit.engine.rounding import prediction_bound
from qaudit.engine.sweep import predict
from qaudit.sandbox.ipc import BrokenAnswer
from qaudit.sandbox.job import Job
from qaudit.sandbox.subject_model import frame
from qaudit.sandbox.tasks import frameworks
from qaudit.testing.checks import toy_subjects
from qaudit.testing.checks.results import NotRun
from qaudit.testing.checks.side_effect_watch import SideEffectWatch

OTHER_FILES = {
    "an empty file": b"",
    "text": b"age,income\n1,2\n",
    "zeros": bytes(512),
    "every byte": bytes(range(256)) * 4,
    "half a zip": b"PK\x03\x04" + bytes(60),
    "JSON": b'{"version": 1}',
    "JSON of another kind": b"[1, 2, 3]",
    "deep JSON": b"[" * 20000,
}


@dataclass(slots=True)
class FormatTrial:
    """One format under the checks, its sample model file, and the model loaded from it."""

    record: Format
    watch: SideEffectWatch
    sample: Path | Callable[[Path], Any] | None = None
    _loaded: Loaded | None = None
    _folder: Any = field(default_factory=tempfile.TemporaryDirectory)

    def file(self) -> Path:
        """The sample file. Without one the function `qaudit_sample(path)` of the plugin writes it."""
        if self.sample is None:
            raise NotRun("no sample: give --sample FILE, or write a function qaudit_sample(path) into the plugin")
        if isinstance(self.sample, Path):
            return self.sample
        path = Path(self._folder.name) / "sample"
        if not path.exists():
            self.sample(path)
        return path

    def written(self, name: str, content: bytes) -> Path:
        """The path of a new file with this content."""
        path = Path(self._folder.name) / name
        path.write_bytes(content)
        return path

    def loaded(self) -> Loaded:
        """The model in the sample; it is loaded once, while side effects are recorded."""
        if self._loaded is None:
            path = self.file()
            with self.watch.watching("calls"):
                self._loaded = self.record.load(path)
        return self._loaded


def recognises(trial: FormatTrial) -> list[str]:
    """E1: the format recognises its own sample under any name, and no other file; it never raises."""
    problems = []
    for number, (what, content) in enumerate(OTHER_FILES.items()):
        path = trial.written(f"other{number}", content)
        try:
            answer = trial.record.recognise(path)
        except Exception as error:
            problems.append(f"{what}: recognise raised {type(error).__name__}: {error}")
            continue
        if answer is not False and answer is not True:
            problems.append(f"{what}: recognise gave {answer!r}, expected True or False")
        elif answer:
            problems.append(f"{what}: recognised as {trial.record.name}")
    if trial.sample is not None:
        renamed = trial.written("without_an_extension", trial.file().read_bytes())
        if trial.record.recognise(renamed) is not True:
            problems.append("its own sample, without an extension: not recognised")
    return problems


def tier(trial: FormatTrial) -> list[str]:
    """E2: the format declares a known tier."""
    declared = trial.record.tier
    return [] if declared in get_args(Tier) else [f"tier {declared!r}, expected one of {', '.join(get_args(Tier))}"]


def sound(trial: FormatTrial) -> list[str]:
    """E3: the sample loads as a model whose parts fit together."""
    model = trial.loaded()
    if not isinstance(model, Loaded):
        return [f"load gave a {type(model).__name__}, expected a Loaded"]
    problems = [f"program: {line}" for line in model.program.problems()] if model.program is not None else []
    if model.output not in ("binary", "multiclass", "regression"):
        problems.append(f"output {model.output!r}, expected binary, multiclass or regression")
    if (model.output == "regression") != (not model.classes):
        problems.append(f"{len(model.classes)} classes for output {model.output!r}")
    if model.program is None and not model.why_not:
        problems.append("no program, and why_not says no reason")
    if model.program is not None and model.encode is None:
        problems.append("a program without encode")
    if model.program is not None and model.program.width != model.width:
        problems.append(f"width {model.width}, the program has {model.program.width} inputs")
    return problems


def rows(model: Loaded, count: int = 32) -> Table:
    """Toy rows for a model's own features."""
    rng = toy_subjects.draws(30)
    if not model.features:
        return Table({f"x{number}": rng.normal(size=count) for number in range(model.width)})
    columns: dict[str, NDArray[Any]] = {}
    for feature in model.features:
        if feature.kind == "text":
            known = model.categories.get(feature.name) or ("a",)
            columns[feature.name] = np.array([known[k] for k in rng.integers(0, len(known), size=count)], dtype=object)
        else:
            columns[feature.name] = rng.normal(size=count)
    return Table(columns)


def _decisions(model: Loaded, inputs: Any, native: Floats) -> list[str]:
    """What is wrong with the model's own decisions on the rows, beside its predictions (n, k)."""
    if model.ties not in get_args(Ties):
        return [f"ties {model.ties!r}, expected one of {', '.join(get_args(Ties))}"]
    if model.decide is None:
        return []
    rule = Decision(model.output, ties=model.ties)
    ours, own = rule(native), np.asarray(model.decide(inputs))
    if ours is None:
        return ["decide is given for a regression, which decides nothing"]
    if own.shape != ours.shape:
        return [f"decide gave shape {own.shape}, expected {ours.shape}"]
    if not np.any(other := own != ours):
        return []
    row = int(np.argmax(other))
    tie = f", a tie of which the {model.ties} is declared" if rule.distance(native)[row] == 0 else ""
    return [f"row {row + 1}: decide gave class {own[row]}, its predictions say class {ours[row]}{tie}"]


def same(trial: FormatTrial) -> list[str]:
    """E4: the program and a second load predict as the model does on toy rows, and its decisions follow its predictions."""
    model = trial.loaded()
    inputs = frame(rows(model))
    native: Floats = np.asarray(model.predict(inputs), dtype=np.float64)
    outputs = 1 if model.output == "regression" else len(model.classes)
    problems = []
    if native.ndim != 2 or len(native) != len(inputs) or native.shape[1] not in (1, outputs):
        return [f"predict gave shape {native.shape}, expected ({len(inputs)}, {outputs})"]
    if not np.array_equal(native, np.asarray(trial.record.load(trial.file()).predict(inputs), dtype=np.float64)):
        problems.append("loaded a second time, it predicts something else")
    problems += _decisions(model, inputs, native)
    if model.program is None or model.encode is None:
        return problems
    encoded = np.asarray(model.encode(inputs), dtype=np.float64)
    lowered = predict(model.program, encoded)
    if lowered.shape != native.shape:
        return [*problems, f"the program gives shape {lowered.shape}, the model {native.shape}"]
    # the same bound as in the reading proof of a run
    error, bound = np.abs(lowered - native).max(axis=1), prediction_bound(model.program, encoded)
    if np.any(beyond := ~(error <= bound)):
        row = int(np.argmax(beyond))
        problems.append(f"row {row + 1}: the program differs from the model by {error[row]:.3g}, at most {bound[row]:.3g}")
    return problems


def _damaged(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "cut to half", content[: len(content) // 2]
    yield "cut by its last quarter", content[: len(content) * 3 // 4]
    yield "emptied", b""
    yield "zeros in its middle", content[: len(content) // 3] + bytes(len(content) // 3) + content[len(content) // 3 * 2 :]


def refuses(trial: FormatTrial) -> list[str]:
    """E5: loading a damaged sample raises an exception, of whatever type."""
    content = trial.file().read_bytes()
    problems = []
    for number, (what, broken) in enumerate(_damaged(content)):
        path = trial.written(f"damaged{number}", broken)
        try:
            trial.record.load(path)
        except Exception:  # any exception refuses the file
            continue
        problems.append(f"its own sample, {what}: loaded as if it were whole")
    return problems


def works(trial: FormatTrial) -> list[str]:
    """A7: the sample can be loaded."""
    trial.loaded()
    return []


FORMAT_CHECKS: dict[str, Callable[[FormatTrial], list[str]]] = {
    "A7": works,
    "E1": recognises,
    "E2": tier,
    "E3": sound,
    "E4": same,
    "E5": refuses,
}


def listed(record: Framework) -> list[str]:
    """F1: the data pass the function that reads them in a run."""
    try:
        answer, _ = frameworks.work(Job({}, {}, {"framework": [record]}))
    except BrokenAnswer as wrong:
        return [str(wrong)]
    return [] if answer["frameworks"][0]["items"] else ["no items"]


def own_words(record: Framework) -> list[str]:
    """F2: paraphrases are short, and no two items have the same."""
    texts = [str(item.get("paraphrase", "")) for item in record.items]
    problems = [
        f"item {item.get('id')}: a paraphrase of {len(text)} characters"
        for item, text in zip(record.items, texts, strict=True)
        if len(text) > 600
    ]
    return problems + [f"the same paraphrase twice: {text[:60]!r}" for text in dict.fromkeys(texts) if texts.count(text) > 1]


FRAMEWORK_CHECKS: dict[str, Callable[[Framework], list[str]]] = {"F1": listed, "F2": own_words}
