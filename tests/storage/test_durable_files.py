"""Files of reports and of the registry: whole or absent, waited for, and one writer a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from storage_steps import act_before_writes

from qaudit.errors import Refused
from qaudit.storage.digests import file_sha256
from qaudit.storage.durable_files import make_folder, write_json, write_text
from qaudit.storage.output_folder import locked, output_folder


def test_written_whole_and_nothing_else_left(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, "ü"]})
    assert (tmp_path / "a.json").read_bytes() == '{"a":[1.5,"ü"],"b":1}\n'.encode()
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_failing_call_leaves_the_old_file(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(Refused, match="No space left on device"):
            write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_disk_is_waited_for_before_and_after_a_file_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[str, Path]] = []
    with monkeypatch.context() as patch:
        act_before_writes(patch, lambda step, path: steps.append((step, path)), tmp_path)
        make_folder(tmp_path / "a" / "b")
        write_text(tmp_path / "a" / "b" / "x.txt", "new")
    assert [("mkdir", tmp_path / "a"), ("mkdir", tmp_path / "a" / "b")] == [each for each in steps if each[0] == "mkdir"]
    waited = [path for step, path in steps if step == "fsync"]
    partial = waited[2]
    assert waited == [tmp_path / "a", tmp_path, partial, tmp_path / "a" / "b"]
    assert partial.name.startswith(".qaudit-x.txt.")
    assert steps.index(("fsync", partial)) < steps.index(("replace", tmp_path / "a" / "b" / "x.txt"))
    assert steps[-2:-1] == [("fsync", tmp_path / "a" / "b")]


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refused, match="cannot be used as output folder"):
        output_folder(tmp_path / "file")


def test_lock_is_held_by_one_process_and_ends_with_it(tmp_path: Path) -> None:
    code = "from qaudit.storage.output_folder import locked\nfrom pathlib import Path\n"
    code += f"with locked(Path({str(tmp_path)!r})): print('held')"
    with locked(tmp_path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert f"in use by process {os.getpid()}" in done.stderr
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout == "held\n"


def test_a_lock_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(step: str, path: Path) -> None:
        if step == "write":
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        act_before_writes(patch, full, tmp_path)
        with pytest.raises(Refused, match=r"out/\.lock: cannot be written: No space left on device"), locked(tmp_path / "out"):
            pass
    assert os.listdir(tmp_path) == []


def test_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
