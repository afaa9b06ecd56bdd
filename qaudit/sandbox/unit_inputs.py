"""The input files of a unit: request, arrays and its own copy of the model; and a check that the unit did not change them."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qaudit.core.json_values import Json
from qaudit.sandbox.ipc import BrokenAnswer, open_regular, write_arrays, write_json
from qaudit.sandbox.job import Arrays, PluginRef


@dataclass(frozen=True, slots=True)
class UnitInputs:
    """The sha256 of each input file as it was written."""

    digests: Mapping[Path, str]

    @classmethod
    def write(cls, folder: Path, task: str, request: Json, arrays: Arrays, plugins: Sequence[PluginRef]) -> UnitInputs:
        """Write the input files into the folder of a unit.

        The model is copied, so that a unit that damages its file does not damage that of another unit.
        """
        files = write_arrays(folder / "in", arrays)
        model = request.get("model")
        read_only = [folder / "in" / file for file in files.values()]
        if isinstance(model, str) and Path(model).is_file():
            copy = folder / "model" / Path(model).name
            copy.parent.mkdir(mode=0o700)
            shutil.copyfile(model, copy)
            request = {**request, "model": str(copy)}
            read_only.append(copy)
        refs = [dataclasses.asdict(ref) for ref in plugins]
        write_json(folder / "request.json", {"task": task, "request": request, "plugins": refs, "arrays": files})
        for path in read_only:
            path.chmod(0o400)
        return cls({path: _digest(path) for path in read_only})

    def changed(self) -> str | None:
        """The first file that is no longer as it was written, in words; None where all are unchanged."""
        for path, before in self.digests.items():
            if _digest(path) != before:
                return "its arrays" if path.parent.name == "in" else f"the file {path.name}"
        return None


def _digest(path: Path) -> str:
    sha256 = hashlib.sha256()
    try:
        with open_regular(path) as file:
            while block := file.read(2**20):
                sha256.update(block)
        return sha256.hexdigest()
    except (BrokenAnswer, OSError):
        return "not readable"
