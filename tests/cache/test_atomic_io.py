"""The write path: whole or absent, one writer a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qaudit.cache import atomic_io
from qaudit.errors import Refused


def test_written_whole_and_nothing_else_left(tmp_path: Path) -> None:
    atomic_io.write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, "ü"]})
    assert (tmp_path / "a.json").read_bytes() == '{"a":[1.5,"ü"],"b":1}\n'.encode()
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_failing_call_leaves_the_old_file(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    atomic_io.write_text(path, "old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(Refused, match="No space left on device"):
            atomic_io.write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refused, match="cannot be used as output folder"):
        atomic_io.output_folder(tmp_path / "file")


def test_lock_is_held_by_one_process_and_ends_with_it(tmp_path: Path) -> None:
    code = "from qaudit.cache import atomic_io\nfrom pathlib import Path\n"
    code += f"with atomic_io.locked(Path({str(tmp_path)!r})): print('held')"
    with atomic_io.locked(tmp_path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert f"in use by process {os.getpid()}" in done.stderr
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout == "held\n"


def test_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert atomic_io.digest(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
