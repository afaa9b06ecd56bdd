"""Writes a ready example: data, model, audit file and policy in a folder of the user's, for the first ten minutes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from qaudit.errors import Refused, unknown

LEFT_OUT = ("run.sh", "__pycache__")
"""What is of use in a checkout only."""


def _sources() -> Path:
    """The folder of examples: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "examples", package.parent / "examples"):
        if (folder / "credit" / "train.py").is_file():
            return folder
    raise Refused("example: the files of the examples were not installed with this package")


def names() -> tuple[str, ...]:
    """The examples that can be written: each brings a train.py and an audit.toml."""
    return tuple(sorted(path.parent.name for path in _sources().glob("*/train.py") if (path.parent / "audit.toml").is_file()))


def write_example(name: str, folder: Path) -> tuple[Path, ...]:
    """Copy the example into `folder`, train its model there, and give the files that now lie in it.

    Raises Refused for an unknown name, for a folder that is not empty, and where the training fails. Nothing is left in the
    folder then.
    """
    if name not in names():
        raise Refused(unknown("example", name, names()))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(f"{folder}: is there already; a new or an empty folder is wanted")
    there = folder.is_dir()
    try:
        shutil.copytree(_sources() / name, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
        # the script is ours, and runs as a user would run it
        done = subprocess.run([sys.executable, "train.py", "."], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise Refused(f"example {name}: the training failed: {last}")
    except BaseException:
        for path in folder.iterdir() if folder.is_dir() else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not there and folder.is_dir():
            folder.rmdir()
        raise
    return tuple(sorted(folder.iterdir()))
