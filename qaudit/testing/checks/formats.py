"""E1 to E5 for formats and F1, F2 for frameworks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

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

STRANGERS = {
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
class Shelf:
    """One format, its sample model file, and what was loaded from it."""

    record: Format
    watch: SideEffectWatch
    sample: Path | Callable[[Path], Any] | None = None
    _loaded: Loaded | None = None
    _folder: Any = field(default_factory=tempfile.TemporaryDirectory)

    def file(self) -> Path:
        """The sample; the plugin's own `qaudit_sample(path)` writes one where no file was given."""
        if self.sample is None:
            raise NotRun("no sample: give --sample FILE, or write a function qaudit_sample(path) into the plugin")
        if isinstance(self.sample, Path):
            return self.sample
        path = Path(self._folder.name) / "sample"
        if not path.exists():
            self.sample(path)
        return path

    def written(self, name: str, content: bytes) -> Path:
        """A file with this content."""
        path = Path(self._folder.name) / name
        path.write_bytes(content)
        return path

    def loaded(self) -> Loaded:
        """The sample, loaded once under the watch."""
        if self._loaded is None:
            path = self.file()
            with self.watch.watching("calls"):
                self._loaded = self.record.load(path)
        return self._loaded


def recognises(shelf: Shelf) -> list[str]:
    """E1."""
    found = []
    for number, (what, content) in enumerate(STRANGERS.items()):
        path = shelf.written(f"stranger{number}", content)
        try:
            said = shelf.record.recognise(path)
        except Exception as error:
            found.append(f"{what}: recognise raised {type(error).__name__}: {error}")
            continue
        if said is not False and said is not True:
            found.append(f"{what}: recognise gave {said!r}, expected True or False")
        elif said:
            found.append(f"{what}: recognised as {shelf.record.name}")
    if shelf.sample is not None:
        renamed = shelf.written("without_an_extension", shelf.file().read_bytes())
        if shelf.record.recognise(renamed) is not True:
            found.append("its own sample, without an extension: not recognised")
    return found


def tier(shelf: Shelf) -> list[str]:
    """E2."""
    given = shelf.record.tier
    return [] if given in get_args(Tier) else [f"tier {given!r}, expected one of {', '.join(get_args(Tier))}"]


def sound(shelf: Shelf) -> list[str]:
    """E3."""
    model = shelf.loaded()
    if not isinstance(model, Loaded):
        return [f"load gave a {type(model).__name__}, expected a Loaded"]
    found = [f"program: {line}" for line in model.program.problems()] if model.program is not None else []
    if model.output not in ("binary", "multiclass", "regression"):
        found.append(f"output {model.output!r}, expected binary, multiclass or regression")
    if (model.output == "regression") != (not model.classes):
        found.append(f"{len(model.classes)} classes for output {model.output!r}")
    if model.program is None and not model.why_not:
        found.append("no program, and why_not says no reason")
    if model.program is not None and model.encode is None:
        found.append("a program without encode")
    if model.program is not None and model.program.width != model.width:
        found.append(f"width {model.width}, the program has {model.program.width} inputs")
    return found


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


def same(shelf: Shelf) -> list[str]:
    """E4: engine(program, encode(rows)) equals predict(rows) on toy rows, and a second load predicts the same."""
    model = shelf.loaded()
    given = frame(rows(model))
    native: Floats = np.asarray(model.predict(given), dtype=np.float64)
    outputs = 1 if model.output == "regression" else len(model.classes)
    found = []
    if native.ndim != 2 or len(native) != len(given) or native.shape[1] not in (1, outputs):
        return [f"predict gave shape {native.shape}, expected ({len(given)}, {outputs})"]
    if not np.array_equal(native, np.asarray(shelf.record.load(shelf.file()).predict(given), dtype=np.float64)):
        found.append("loaded a second time, it predicts something else")
    if model.program is None or model.encode is None:
        return found
    encoded = np.asarray(model.encode(given), dtype=np.float64)
    lowered = predict(model.program, encoded)
    if lowered.shape != native.shape:
        return [*found, f"the program gives shape {lowered.shape}, the model {native.shape}"]
    # the bound that a run allows too
    error, bound = np.abs(lowered - native).max(axis=1), prediction_bound(model.program, encoded)
    if np.any(beyond := ~(error <= bound)):
        row = int(np.argmax(beyond))
        found.append(f"row {row + 1}: the program differs from the model by {error[row]:.3g}, at most {bound[row]:.3g}")
    return found


def _damaged(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "cut to half", content[: len(content) // 2]
    yield "cut by its last quarter", content[: len(content) * 3 // 4]
    yield "emptied", b""
    yield "zeros in its middle", content[: len(content) // 3] + bytes(len(content) // 3) + content[len(content) // 3 * 2 :]


def refuses(shelf: Shelf) -> list[str]:
    """E5: whatever is raised will do; a model will not."""
    content = shelf.file().read_bytes()
    found = []
    for number, (what, broken) in enumerate(_damaged(content)):
        path = shelf.written(f"damaged{number}", broken)
        try:
            shelf.record.load(path)
        except Exception:  # any exception refuses the file
            continue
        found.append(f"its own sample, {what}: loaded as if it were whole")
    return found


def works(shelf: Shelf) -> list[str]:
    """A7."""
    shelf.loaded()
    return []


READING: dict[str, Callable[[Shelf], list[str]]] = {
    "A7": works,
    "E1": recognises,
    "E2": tier,
    "E3": sound,
    "E4": same,
    "E5": refuses,
}


def listed(record: Framework) -> list[str]:
    """F1: the very function that a run calls."""
    try:
        answer, _ = frameworks.work(Job({}, {}, {"framework": [record]}))
    except BrokenAnswer as wrong:
        return [str(wrong)]
    return [] if answer["frameworks"][0]["items"] else ["no items"]


def own_words(record: Framework) -> list[str]:
    """F2: a paraphrase is short, and no two items say the same."""
    said = [str(item.get("paraphrase", "")) for item in record.items]
    found = [
        f"item {item.get('id')}: a paraphrase of {len(text)} characters"
        for item, text in zip(record.items, said, strict=True)
        if len(text) > 600
    ]
    return found + [f"said twice: {text[:60]!r}" for text in dict.fromkeys(said) if said.count(text) > 1]


LISTING: dict[str, Callable[[Framework], list[str]]] = {"F1": listed, "F2": own_words}
