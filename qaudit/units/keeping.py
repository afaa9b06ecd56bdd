"""For plugin authors: the folder of a unit that failed is kept, with a script that runs exactly this unit again."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qaudit.units import child
from qaudit.units.frames import read_json
from qaudit.units.job import Outcome, PluginRef

REPRO = '''"""Run this unit again, in this process: python repro.py. A breakpoint() in the plugin works; there are no limits."""

from pathlib import Path

from qaudit.units.keeping import again

again(Path(__file__).resolve().parent)
'''


def trouble(outcome: Outcome) -> str | None:
    """What went wrong in a unit, in one line: its failure, or the first candidate that it could not make. None for neither."""
    if outcome.failure is not None:
        return None if outcome.failure.kind == "declined" else outcome.failure.reason
    refused = outcome.answer.get("refused")
    for row in refused if isinstance(refused, list) else ():
        if isinstance(row, dict) and row.get("kind") == "failed":
            return str(row.get("reason"))
    return None


def keep(folder: Path, into: Path, task: str, plugins: Sequence[PluginRef], outcome: Outcome) -> Path | None:
    """Copy a unit's folder below `into` where the unit had trouble; returns the copy, None where there was none."""
    reason = trouble(outcome)
    if reason is None:
        return None
    into.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]", "_", "-".join([task, *(ref.name for ref in plugins)]))[:100]
    for number in range(1, 10_000):
        kept = into / f"{stem}-{number}"
        try:
            kept.mkdir(mode=0o700)
        except FileExistsError:
            continue
        break
    # a link or a pipe that the child made is not followed: only what the host wrote, and the log
    for name in ("in", "model"):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, kept / name, symlinks=True)
    for name in ("request.json", "log.txt"):
        if (folder / name).is_file() and not (folder / name).is_symlink():
            shutil.copyfile(folder / name, kept / name)
    (kept / "repro.py").write_text(REPRO, "utf-8")
    (kept / "reason.txt").write_text(reason + "\n", "utf-8")
    return kept


def again(folder: Path) -> None:
    """Run a kept unit in this process and print its steps and what it answers. What it raises passes through."""
    order = read_json(folder / "request.json")
    model = order["request"].get("model")
    if isinstance(model, str) and (copy := folder / "model" / Path(model).name).is_file():
        order["request"]["model"] = str(copy)
    child.seed(order)
    arrays = {name: np.load(folder / "in" / file, allow_pickle=False) for name, file in order["arrays"].items()}
    for array in arrays.values():
        array.flags.writeable = False
    refs = [PluginRef(**ref) for ref in order["plugins"]]
    answer, given = child.perform(
        order["task"], order["request"], arrays, refs, lambda phase: print(f"phase {phase}", file=sys.stderr)
    )
    print(f"answered: {', '.join(sorted(answer))}; {len(given)} arrays")
    if (reason := trouble(Outcome(answer, given))) is not None:
        print(f"failed: {reason}")
