"""For plugin authors: saves the folder of a unit that failed, with a script that runs exactly this unit again."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qaudit.core.json_values import Json
from qaudit.sandbox import child
from qaudit.sandbox.answers import breach
from qaudit.sandbox.ipc import read_answer, read_json, write_arrays, write_json
from qaudit.sandbox.job import Arrays, Limits, Outcome, PluginRef

REPRO = '''"""Run this unit again, in this process: python repro.py. A breakpoint() in the plugin works; there are no limits."""

from pathlib import Path

from qaudit.sandbox.repro import run_again

run_again(Path(__file__).resolve().parent)
'''


def failure_reason(outcome: Outcome) -> str | None:
    """What failed in a unit, in one line: the unit itself, or its first failed candidate; None where nothing failed.

    A quantizer that declines is not a failure: declining is a regular answer.
    """
    if outcome.failure is not None:
        return None if outcome.failure.kind == "declined" else outcome.failure.reason
    refused = outcome.answer.get("refused")
    for row in refused if isinstance(refused, list) else ():
        if isinstance(row, dict) and row.get("kind") == "failed":
            return str(row.get("reason"))
    return None


def keep_unit(folder: Path, parent: Path, task: str, plugins: Sequence[PluginRef], reason: str) -> Path:
    """Copy the folder of a unit into `parent`, with the reason of its failure. Returns the new folder."""
    parent.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]", "_", "-".join([task, *(ref.name for ref in plugins)]))[:100]
    for number in range(1, 10_000):
        copy = parent / f"{stem}-{number}"
        try:
            copy.mkdir(mode=0o700)
        except FileExistsError:
            continue
        break
    # Only files that the host wrote and the log are copied: a link or a pipe that the child made must not be followed.
    for name in ("in", "model"):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, copy / name, symlinks=True)
    for name in ("request.json", "log.txt"):
        if (folder / name).is_file() and not (folder / name).is_symlink():
            shutil.copyfile(folder / name, copy / name)
    (copy / "repro.py").write_text(REPRO, "utf-8")
    (copy / "reason.txt").write_text(reason + "\n", "utf-8")
    return copy


def run_again(folder: Path) -> None:
    """Run a saved unit in this process and print its phases, its answer and what is wrong with it. Exceptions are not caught."""
    order = read_json(folder / "request.json")
    model = order["request"].get("model")
    if isinstance(model, str) and (copy := folder / "model" / Path(model).name).is_file():
        order["request"]["model"] = str(copy)
    child.seed(order)
    arrays = {name: np.load(folder / "in" / file, allow_pickle=False) for name, file in order["arrays"].items()}
    for array in arrays.values():
        array.flags.writeable = False
    refs = [PluginRef(**ref) for ref in order["plugins"]]
    answer, answer_arrays = child.perform(
        order["task"], order["request"], arrays, refs, lambda phase: print(f"phase {phase}", file=sys.stderr)
    )
    outcome = _round_trip(answer, answer_arrays)
    print(f"answered: {', '.join(sorted(outcome.answer))}; {len(outcome.arrays)} arrays")
    for reason in (
        failure_reason(outcome),
        breach(order["task"], refs[-1].name if refs else "", order["request"], arrays, outcome),
    ):
        if reason is not None:
            print(f"failed: {reason}")
    print(f"in the audit: {(folder / 'reason.txt').read_text('utf-8').strip()}")


def _round_trip(answer: Json, arrays: Arrays) -> Outcome:
    """The answer after it was written and read as between child and host. Raises BrokenAnswer."""
    with tempfile.TemporaryDirectory(prefix="qaudit-again-") as folder:
        files = write_arrays(Path(folder) / "out", arrays)
        write_json(Path(folder) / "answer.json", {"answer": answer, "arrays": files})
        message, arrays_read = read_answer(Path(folder), Limits().answer)
    return Outcome(message["answer"], arrays_read)
